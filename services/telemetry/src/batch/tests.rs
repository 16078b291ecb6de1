//! The counts of the batch processor, with exporters that are slow, that fail, and that do not answer.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::{fmt, sync::atomic::AtomicUsize, time::Instant as StdInstant};

use opentelemetry::{
    KeyValue,
    trace::{SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState},
};
use tokio::sync::Semaphore;

use super::*;

#[test]
fn a_burst_over_a_small_queue_is_accounted_for_to_the_span() {
    let exporter = Exporter::new(Answer::WhenPermitted);
    let processor = start(&exporter, small_queue());
    for number in 0..1_000 {
        processor.on_end(span(number));
        assert_accounts_add_up(&processor);
    }
    let counts = processor.handle().counts();
    assert_eq!(counts.ended, 1_000);
    assert_eq!(counts.exported, 0, "the exporter takes nothing yet");
    // At most a full queue waits, one batch is being exported, and one is being filled.
    assert!(counts.dropped >= 1_000 - 10 - 4 - 4, "{counts:?}");

    exporter.permit_all();
    processor.force_flush().unwrap();
    let counts = processor.handle().counts();
    assert_eq!(counts.exported, exporter.taken().len() as u64);
    assert_eq!(counts.exported + counts.dropped, 1_000, "{counts:?}");
    assert_eq!(counts.queued, 0);
}

#[test]
fn spans_that_end_on_many_threads_are_accounted_for_at_every_moment() {
    let exporter = Exporter::new(Answer::Take);
    let processor = start(&exporter, small_queue());
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..500).for_each(|number| processor.on_end(span(number))));
        }
        while processor.handle().counts().ended < 2_000 {
            assert_accounts_add_up(&processor);
        }
    });
    processor.force_flush().unwrap();
    let counts = processor.handle().counts();
    assert_eq!(counts.exported, exporter.taken().len() as u64);
    assert_eq!(counts.exported + counts.dropped, 2_000, "{counts:?}");
}

#[test]
fn spans_whose_export_fails_are_counted_as_failed() {
    let exporter = Exporter::new(Answer::Fail);
    let processor = start(&exporter, roomy_queue());
    (0..10).for_each(|number| processor.on_end(span(number)));
    processor.force_flush().unwrap();
    let expected = Counts {
        ended: 10,
        failed: 10,
        ..Counts::default()
    };
    assert_eq!(processor.handle().counts(), expected);
}

#[test]
fn an_export_without_an_answer_is_given_up_and_counted_as_failed() {
    let exporter = Exporter::new(Answer::WhenPermitted);
    let config = BatchConfig {
        export_timeout: Duration::from_millis(50),
        ..roomy_queue()
    };
    let processor = start(&exporter, config);
    (0..3).for_each(|number| processor.on_end(span(number)));
    wait_until(|| {
        // The flush has the same timeout as the export; the test only needs it to end.
        let _ = processor.force_flush();
        processor.handle().counts().failed == 3
    });
    assert_eq!(processor.handle().counts().queued, 0);
}

#[test]
fn a_full_batch_and_an_old_span_are_exported_unasked() {
    let exporter = Exporter::new(Answer::Take);
    let config = BatchConfig {
        schedule_delay: Duration::from_millis(10),
        ..small_queue()
    };
    let processor = start(&exporter, config);
    (0..5).for_each(|number| processor.on_end(span(number)));
    wait_until(|| processor.handle().counts().exported == 5);
    assert!(exporter.batches().iter().all(|size| *size <= 4));
}

#[test]
fn a_flush_exports_all_that_ended_before_it_in_its_order() {
    let exporter = Exporter::new(Answer::Take);
    let processor = start(&exporter, roomy_queue());
    (0..100).for_each(|number| processor.on_end(span(number)));
    processor.force_flush().unwrap();
    let expected: Vec<_> = (0..100).map(|number| number.to_string()).collect();
    assert_eq!(exporter.taken(), expected);
}

#[tokio::test]
async fn a_flush_works_within_a_runtime_of_one_thread() {
    let exporter = Exporter::new(Answer::Take);
    let processor = start(&exporter, roomy_queue());
    processor.on_end(span(1));
    assert_eq!(processor.handle().flush().await.exported, 1);
    processor.on_end(span(2));
    processor
        .force_flush()
        .expect("even the blocking one: the export has its own thread");
    assert_eq!(processor.handle().counts().exported, 2);
}

#[test]
fn a_flush_comes_to_an_end_while_spans_go_on_ending() {
    let exporter = Exporter::new(Answer::Take);
    let config = BatchConfig {
        export_timeout: Duration::from_secs(5),
        ..small_queue()
    };
    let processor = Arc::new(start(&exporter, config));
    let ending = Arc::downgrade(&processor);
    // Each exported batch causes another span: the queue is never empty again.
    exporter.on_each_export(move || {
        if let Some(processor) = ending.upgrade() {
            (0..4).for_each(|number| processor.on_end(span(number)));
        }
    });
    (0..4).for_each(|number| processor.on_end(span(number)));
    processor.force_flush().unwrap();
}

#[test]
fn shutdown_exports_what_is_left_and_later_spans_are_dropped() {
    let exporter = Exporter::new(Answer::Take);
    let processor = start(&exporter, roomy_queue());
    (0..20).for_each(|number| processor.on_end(span(number)));
    processor
        .shutdown_with_timeout(Duration::from_secs(20))
        .unwrap();
    assert_eq!(exporter.taken().len(), 20);
    assert_eq!(exporter.0.shutdowns.load(Ordering::Relaxed), 1);

    processor.on_end(span(20));
    let expected = Counts {
        ended: 21,
        exported: 20,
        dropped: 1,
        ..Counts::default()
    };
    assert_eq!(processor.handle().counts(), expected);
    assert!(matches!(
        processor.shutdown_with_timeout(Duration::from_secs(20)),
        Err(OTelSdkError::AlreadyShutdown)
    ));
}

#[test]
fn a_shutdown_ends_an_export_without_an_answer_and_counts_the_queue_as_failed() {
    let exporter = Exporter::new(Answer::WhenPermitted);
    // Longer than any test: the limit of the shutdown is the one that counts.
    let config = BatchConfig {
        export_timeout: Duration::from_secs(3_600),
        ..small_queue()
    };
    let processor = start(&exporter, config);
    begin_an_export(&exporter, &processor);
    // They wait behind the batch that is being exported.
    (4..10).for_each(|number| processor.on_end(span(number)));
    processor
        .shutdown_with_timeout(Duration::from_millis(50))
        .unwrap();
    let expected = Counts {
        ended: 10,
        failed: 10,
        ..Counts::default()
    };
    assert_eq!(processor.handle().counts(), expected);
}

#[test]
fn spans_wait_in_the_queue_while_an_export_is_tried() {
    let exporter = Exporter::new(Answer::WhenPermitted);
    let processor = start(&exporter, small_queue());
    begin_an_export(&exporter, &processor);
    (4..14).for_each(|number| processor.on_end(span(number)));
    let counts = processor.handle().counts();
    assert_eq!((counts.queued, counts.dropped), (14, 0), "{counts:?}");

    exporter.permit_all();
    processor.force_flush().unwrap();
    let counts = processor.handle().counts();
    assert_eq!((counts.exported, counts.ended), (14, 14), "{counts:?}");
}

#[tokio::test]
async fn a_flush_after_shutdown_answers_with_the_last_counts() {
    let exporter = Exporter::new(Answer::Take);
    let processor = start(&exporter, roomy_queue());
    processor.on_end(span(0));
    processor
        .shutdown_with_timeout(Duration::from_secs(20))
        .unwrap();
    assert_eq!(processor.handle().flush().await.exported, 1);
}

#[test]
fn a_span_that_is_not_sampled_is_none_of_our_business() {
    let exporter = Exporter::new(Answer::Take);
    let processor = start(&exporter, roomy_queue());
    let mut unsampled = span(0);
    unsampled.span_context = context(TraceFlags::NOT_SAMPLED);
    processor.on_end(unsampled);
    assert_eq!(processor.handle().counts(), Counts::default());
}

#[test]
fn an_exporter_that_cannot_be_built_is_an_error_of_the_set_up() {
    let (nowhere, trouble) = ("nowhere".to_owned(), Trouble::default());
    let built = BatchProcessor::start(nowhere, roomy_queue(), trouble, || {
        Err::<Exporter, _>("no such scheme".to_owned())
    });
    let error = built.unwrap_err().to_string();
    assert_eq!(error, "the OTLP exporter cannot be built: no such scheme");
}

#[test]
fn of_an_attribute_that_was_set_twice_the_last_value_is_exported() {
    let exporter = Exporter::new(Answer::Take);
    let processor = start(&exporter, roomy_queue());
    let mut twice = span(0);
    twice.attributes = vec![
        KeyValue::new("error.type", "checkout::Error"),
        KeyValue::new("url.path", "/checkout"),
        KeyValue::new("error.type", "500"),
    ];
    processor.on_end(twice);
    processor.force_flush().unwrap();
    assert_eq!(
        exporter.0.taken.lock()[0].attributes,
        [
            KeyValue::new("url.path", "/checkout"),
            KeyValue::new("error.type", "500"),
        ]
    );
}

// === What the tests stand on ===

#[derive(Clone)]
struct Exporter(Arc<Desk>);

struct Desk {
    answer: Answer,
    permits: Semaphore,
    on_each_export: Mutex<Box<dyn Fn() + Send>>,
    taken: Mutex<Vec<SpanData>>,
    batches: Mutex<Vec<usize>>,
    /// How many exports have begun.
    asked: AtomicUsize,
    shutdowns: AtomicUsize,
}

enum Answer {
    Take,
    Fail,
    /// Exports nothing until the test permits it.
    WhenPermitted,
}

impl Exporter {
    fn new(answer: Answer) -> Self {
        Exporter(Arc::new(Desk {
            answer,
            permits: Semaphore::new(0),
            on_each_export: Mutex::new(Box::new(|| ())),
            taken: Mutex::default(),
            batches: Mutex::default(),
            asked: AtomicUsize::default(),
            shutdowns: AtomicUsize::default(),
        }))
    }

    fn permit_all(&self) {
        self.0.permits.add_permits(1_000_000);
    }

    fn on_each_export(&self, act: impl Fn() + Send + 'static) {
        *self.0.on_each_export.lock() = Box::new(act);
    }

    /// The names of the spans, in the order of their export.
    fn taken(&self) -> Vec<String> {
        let taken = self.0.taken.lock();
        taken.iter().map(|span| span.name.to_string()).collect()
    }

    fn batches(&self) -> Vec<usize> {
        self.0.batches.lock().clone()
    }
}

impl fmt::Debug for Exporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Exporter")
    }
}

impl SpanExporter for Exporter {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.0.asked.fetch_add(1, Ordering::Relaxed);
        match self.0.answer {
            Answer::Take => {}
            Answer::Fail => return Err(OTelSdkError::InternalFailure("no".to_owned())),
            Answer::WhenPermitted => drop(self.0.permits.acquire().await),
        }
        self.0.on_each_export.lock()();
        self.0.batches.lock().push(batch.len());
        self.0.taken.lock().extend(batch);
        Ok(())
    }

    fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
        self.0.shutdowns.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

fn start(exporter: &Exporter, config: BatchConfig) -> BatchProcessor {
    let exporter = exporter.clone();
    let receiver = "http://receiver".to_owned();
    BatchProcessor::start(receiver, config, Trouble::default(), || Ok(exporter)).unwrap()
}

fn small_queue() -> BatchConfig {
    BatchConfig {
        max_queue_size: 10,
        max_export_batch_size: 4,
        ..roomy_queue()
    }
}

/// Its delay is longer than any test, so that every export was requested.
fn roomy_queue() -> BatchConfig {
    BatchConfig {
        schedule_delay: Duration::from_secs(3_600),
        ..BatchConfig::default()
    }
}

fn span(number: u32) -> SpanData {
    SpanData {
        span_context: context(TraceFlags::SAMPLED),
        parent_span_id: SpanId::INVALID,
        parent_span_is_remote: false,
        span_kind: SpanKind::Internal,
        name: number.to_string().into(),
        start_time: std::time::UNIX_EPOCH,
        end_time: std::time::UNIX_EPOCH,
        attributes: Vec::new(),
        dropped_attributes_count: 0,
        events: Default::default(),
        links: Default::default(),
        status: Status::Unset,
        instrumentation_scope: Default::default(),
    }
}

fn context(flags: TraceFlags) -> SpanContext {
    let (trace, span) = (TraceId::from(1_u128), SpanId::from(1_u64));
    SpanContext::new(trace, span, flags, false, TraceState::NONE)
}

#[track_caller]
fn assert_accounts_add_up(processor: &BatchProcessor) {
    let counts = processor.handle().counts();
    let Counts {
        ended,
        exported,
        dropped,
        failed,
        queued,
    } = counts;
    assert_eq!(ended, exported + dropped + failed + queued, "{counts:?}");
}

/// Ends four spans, a batch, and waits until the exporter has them. The thread may take the first of them before the
/// others end, and then no full batch waits in the queue: a flush begins the export in any case.
fn begin_an_export(exporter: &Exporter, processor: &BatchProcessor) {
    (0..4).for_each(|number| processor.on_end(span(number)));
    let (done, _) = oneshot::channel();
    let handle = processor.handle();
    assert!(handle.commands.send(Command::Flush(done)).is_ok());
    wait_until(|| exporter.0.asked.load(Ordering::Relaxed) == 1);
}

#[track_caller]
fn wait_until(condition: impl Fn() -> bool) {
    let patience = StdInstant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(StdInstant::now() < patience, "this should have come true");
        thread::yield_now();
    }
}
