//! The queue between a span's end and its export, which counts what it loses.
//!
//! The SDK also has a batch processor. It drops spans when its queue is full and reports that once, at
//! shutdown, while `force_flush` and `shutdown` return `Ok`: of 20,000 spans in a burst, only 2,560 may
//! arrive, without a message. This processor knows at every moment that
//!
//! > ended = exported + dropped + failed + queued
//!
//! and reports a loss as soon as it happens. Exports run on a thread with its own runtime, so that a flush
//! never waits for the runtime that it blocks. Only the first and the last span of a batch wake the thread:
//! to wake it costs the thread that ends a span more than the span itself.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc as blocking,
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::{
    Resource,
    error::{OTelSdkError, OTelSdkResult},
    trace::{Span, SpanData, SpanExporter, SpanProcessor},
};
use parking_lot::Mutex;
use serde::Serialize;
use tokio::{
    sync::{Notify, mpsc, oneshot},
    time::{Instant, sleep_until, timeout},
};

use crate::{config::BatchConfig, error::InstallError};

/// The number of spans of this process, by their state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Sampled spans that have ended.
    pub ended: u64,
    /// Spans that the receiver accepted.
    pub exported: u64,
    /// Spans that ended while the queue was full, or after shutdown.
    pub dropped: u64,
    /// Spans whose export failed after all retries.
    pub failed: u64,
    /// Spans that wait in the queue or are being exported.
    pub queued: u64,
}

/// The span processor: queues spans as they end and exports them in batches.
#[derive(Debug)]
pub(crate) struct BatchProcessor {
    handle: BatchHandle,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// A handle that reads the counts and requests a flush, from any thread.
#[derive(Clone, Debug)]
pub(crate) struct BatchHandle {
    counters: Arc<Counters>,
    spans: mpsc::Sender<SpanData>,
    /// Notified when the queue holds enough spans for a batch.
    batch_is_full: Arc<Notify>,
    max_export_batch_size: usize,
    commands: mpsc::UnboundedSender<Command>,
    /// How long a flush may take: a flush exports the queue in one go, so a longer one means that the
    /// receiver is away.
    patience: Duration,
}

#[derive(Debug, Default)]
struct Counters {
    ended: AtomicU64,
    exported: AtomicU64,
    dropped: AtomicU64,
    failed: AtomicU64,
}

enum Command {
    SetResource(Resource),
    Flush(oneshot::Sender<()>),
    BlockingFlush(blocking::Sender<()>),
    Shutdown(blocking::Sender<()>),
}

// === impl BatchProcessor ===

impl BatchProcessor {
    /// Starts the export thread. `build` makes the exporter inside the runtime of that thread, because its
    /// connections belong to the runtime.
    pub(crate) fn start<E, F>(
        endpoint: String,
        config: BatchConfig,
        build: F,
    ) -> Result<Self, InstallError>
    where
        E: SpanExporter + 'static,
        F: FnOnce() -> Result<E, String> + Send + 'static,
    {
        let counters = Arc::new(Counters::default());
        let (spans, ended) = mpsc::channel(config.max_queue_size);
        let (commands, commanded) = mpsc::unbounded_channel();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (built, whether_built) = blocking::channel();
        let batch_is_full = Arc::new(Notify::new());

        let thread_counters = Arc::clone(&counters);
        let thread_batch_is_full = Arc::clone(&batch_is_full);
        let max_export_batch_size = config.max_export_batch_size;
        let thread = thread::Builder::new()
            .name("otlp-export".to_owned())
            .spawn(move || {
                runtime.block_on(async move {
                    let exporter = match build() {
                        Ok(exporter) => exporter,
                        Err(error) => return drop(built.send(Err(error))),
                    };
                    let _ = built.send(Ok(()));
                    let worker = Worker {
                        exporter,
                        endpoint,
                        config,
                        counters: thread_counters,
                        batch_is_full: thread_batch_is_full,
                        batch: Vec::new(),
                        reported: None,
                    };
                    worker.run(ended, commanded).await;
                });
            })?;
        whether_built
            .recv()
            .unwrap_or_else(|_| Err("the export thread ended at once".to_owned()))
            .map_err(InstallError::Exporter)?;

        // An export with its retries may take the timeout once for the batch that is being sent, and once
        // for the queue behind it.
        let patience = config.export_timeout * 2;
        let handle = BatchHandle {
            counters,
            spans,
            batch_is_full,
            max_export_batch_size,
            commands,
            patience,
        };
        Ok(BatchProcessor {
            handle,
            thread: Mutex::new(Some(thread)),
        })
    }

    pub(crate) fn handle(&self) -> BatchHandle {
        self.handle.clone()
    }
}

impl SpanProcessor for BatchProcessor {
    fn on_start(&self, _span: &mut Span, _context: &Context) {}

    fn on_end(&self, span: SpanData) {
        if !span.span_context.is_sampled() {
            return;
        }
        let counters = &self.handle.counters;
        counters.ended.fetch_add(1, Ordering::Relaxed);
        if self.handle.spans.try_send(span).is_err() {
            // The export thread reports the loss: this code is on the hot path of the thread that ends the
            // span. `Release`, so that a thread that sees the drop also sees the end.
            counters.dropped.fetch_add(1, Ordering::Release);
        }
        self.handle.wake_if_a_batch_is_full();
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.handle
            .command(Command::BlockingFlush, self.handle.patience)
    }

    fn shutdown_with_timeout(&self, limit: Duration) -> OTelSdkResult {
        self.handle.command(Command::Shutdown, limit)?;
        let thread = self.thread.lock().take();
        if let Some(thread) = thread {
            thread.join().map_err(|_| {
                OTelSdkError::InternalFailure("the export thread panicked".to_owned())
            })?;
        }
        Ok(())
    }

    fn set_resource(&mut self, resource: &Resource) {
        drop(
            self.handle
                .commands
                .send(Command::SetResource(resource.clone())),
        );
    }
}

// === impl BatchHandle ===

impl BatchHandle {
    pub(crate) fn counts(&self) -> Counts {
        let counters = &self.counters;
        // `ended` is read last: every span is counted there first, so the sum of the others never exceeds
        // it.
        let exported = counters.exported.load(Ordering::Acquire);
        let dropped = counters.dropped.load(Ordering::Acquire);
        let failed = counters.failed.load(Ordering::Acquire);
        let ended = counters.ended.load(Ordering::Acquire);
        let queued = ended.saturating_sub(exported + dropped + failed);
        Counts {
            ended,
            exported,
            dropped,
            failed,
            queued,
        }
    }

    pub(crate) async fn flush(&self) -> Counts {
        let (done, wait) = oneshot::channel();
        if self.commands.send(Command::Flush(done)).is_ok()
            && timeout(self.patience, wait).await.is_err()
        {
            tracing::warn!(
                "the flush of the trace pipeline took too long and continues in the background"
            );
        }
        self.counts()
    }

    fn wake_if_a_batch_is_full(&self) {
        let waiting = self.spans.max_capacity() - self.spans.capacity();
        if waiting >= self.max_export_batch_size {
            self.batch_is_full.notify_one();
        }
    }

    /// Sends a command from outside any runtime and waits for its answer.
    fn command(
        &self,
        command: impl FnOnce(blocking::Sender<()>) -> Command,
        limit: Duration,
    ) -> OTelSdkResult {
        let (done, wait) = blocking::channel();
        self.commands
            .send(command(done))
            .map_err(|_| OTelSdkError::AlreadyShutdown)?;
        match wait.recv_timeout(limit) {
            Ok(()) => Ok(()),
            Err(blocking::RecvTimeoutError::Timeout) => Err(OTelSdkError::Timeout(limit)),
            Err(blocking::RecvTimeoutError::Disconnected) => Err(OTelSdkError::AlreadyShutdown),
        }
    }
}

// === The export thread ===

struct Worker<E> {
    exporter: E,
    endpoint: String,
    config: BatchConfig,
    counters: Arc<Counters>,
    batch_is_full: Arc<Notify>,
    batch: Vec<SpanData>,
    /// The time of the last report of losses, and the number of lost spans in it.
    reported: Option<(Instant, u64)>,
}

impl<E: SpanExporter> Worker<E> {
    async fn run(
        mut self,
        mut ended: mpsc::Receiver<SpanData>,
        mut commands: mpsc::UnboundedReceiver<Command>,
    ) {
        let mut deadline = Instant::now();
        loop {
            tokio::select! {
                span = ended.recv(), if self.batch.is_empty() => {
                    let Some(span) = span else { return };
                    deadline = Instant::now() + self.config.schedule_delay;
                    self.take(span).await;
                }
                // During this wait a span that ends does not wake the thread.
                () = sleep_until(deadline), if !self.batch.is_empty() => {
                    self.drain(&mut ended).await;
                }
                () = self.batch_is_full.notified(), if !self.batch.is_empty() => {
                    self.take_what_waits(&mut ended).await;
                    deadline = Instant::now() + self.config.schedule_delay;
                }
                command = commands.recv() => match command {
                    None => return,
                    Some(Command::SetResource(resource)) => self.exporter.set_resource(&resource),
                    Some(Command::Flush(done)) => {
                        self.drain(&mut ended).await;
                        let _ = done.send(());
                    }
                    Some(Command::BlockingFlush(done)) => {
                        self.drain(&mut ended).await;
                        let _ = done.send(());
                    }
                    Some(Command::Shutdown(done)) => {
                        ended.close();
                        // After it is closed the queue ends, including the spans that are being added at
                        // this moment.
                        while let Some(span) = ended.recv().await {
                            self.take(span).await;
                        }
                        self.export_rest().await;
                        drop(self.exporter.shutdown());
                        let _ = done.send(());
                        return;
                    }
                },
            }
        }
    }

    /// Exports all spans that have ended before the call. Spans that end later wait for the next export, so
    /// that a flush also ends under load.
    async fn drain(&mut self, ended: &mut mpsc::Receiver<SpanData>) {
        self.take_what_waits(ended).await;
        self.export_rest().await;
    }

    async fn take_what_waits(&mut self, ended: &mut mpsc::Receiver<SpanData>) {
        for _ in 0..ended.len() {
            let Ok(span) = ended.try_recv() else { break };
            self.take(span).await;
        }
    }

    async fn take(&mut self, span: SpanData) {
        self.batch.push(span);
        if self.batch.len() >= self.config.max_export_batch_size {
            self.export().await;
        }
    }

    async fn export_rest(&mut self) {
        if !self.batch.is_empty() {
            self.export().await;
        }
        self.report(None);
    }

    async fn export(&mut self) {
        let mut batch = std::mem::take(&mut self.batch);
        for span in &mut batch {
            keep_last_values(&mut span.attributes);
        }
        let count = batch.len() as u64;
        let limit = self.config.export_timeout;
        let problem = match timeout(limit, self.exporter.export(batch)).await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(_) => Some(format!("no answer in {limit:?}")),
        };
        let counter = match problem {
            None => &self.counters.exported,
            Some(_) => &self.counters.failed,
        };
        counter.fetch_add(count, Ordering::Release);
        self.report(problem);
    }

    /// Reports losses on standard error: the first at once, further ones at most every ten seconds.
    fn report(&mut self, problem: Option<String>) {
        const EVERY: Duration = Duration::from_secs(10);
        let dropped = self.counters.dropped.load(Ordering::Acquire);
        let failed = self.counters.failed.load(Ordering::Acquire);
        let lost = dropped + failed;
        let due = self
            .reported
            .is_none_or(|(when, before)| when.elapsed() >= EVERY && lost > before);
        if lost == 0 || !due {
            return;
        }
        self.reported = Some((Instant::now(), lost));
        let problem = problem.unwrap_or_else(|| "the queue was full".to_owned());
        tracing::warn!(
            endpoint = %self.endpoint,
            dropped,
            failed,
            max_queue_size = self.config.max_queue_size,
            "spans are being lost: {problem}"
        );
    }
}

/// Keeps the last value of a key that was set twice, as the specification of setting an attribute demands.
/// The SDK keeps both, and OTLP does not allow duplicate keys.
fn keep_last_values(attributes: &mut Vec<KeyValue>) {
    let mut index = 0;
    while let Some((attribute, later)) = attributes[index..].split_first() {
        if later.iter().any(|other| other.key == attribute.key) {
            attributes.remove(index);
        } else {
            index += 1;
        }
    }
}

#[cfg(test)]
mod tests;
