//! The queue between a span's end and its export, which counts what it loses.
//!
//! The SDK also has a batch processor. It drops spans when its queue is full and reports that once, at
//! shutdown, while `force_flush` and `shutdown` return `Ok`: of 20,000 spans in a burst, only 2,560 may
//! arrive, without a message. This processor knows at every moment that
//!
//! > ended = exported + dropped + failed + queued
//!
//! and reports a loss as soon as it happens. While the receiver is away, spans wait in the queue and the batch
//! that is being sent is tried again, until its time limit; a stop has a limit of its own.
//!
//! Exports run on a thread with its own runtime, so that a flush
//! never waits for the runtime that it blocks. Only the first and the last span of a batch wake the thread:
//! to wake it costs the thread that ends a span more than the span itself.

mod counters;
mod worker;

use std::{
    sync::{Arc, atomic::Ordering, mpsc as blocking},
    thread::{self, JoinHandle},
    time::Duration,
};

use opentelemetry::Context;
use opentelemetry_sdk::{
    Resource,
    error::{OTelSdkError, OTelSdkResult},
    trace::{Span, SpanData, SpanExporter, SpanProcessor},
};
use parking_lot::Mutex;
use tokio::{
    sync::{Notify, mpsc, oneshot, watch},
    time::{Instant, timeout},
};

use counters::Counters;
pub use counters::Counts;
use worker::{Command, Losses, Worker};

use crate::{config::BatchConfig, error::InstallError, exporter::Trouble};

/// How long the export thread may take to end after the time that its last exports have.
const LAST_STEPS: Duration = Duration::from_secs(1);

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
    /// When the process stops, the time after which nothing is exported any more.
    stop_by: watch::Sender<Option<Instant>>,
    /// How long a flush may take: a flush exports the queue in one go, so a longer one means that the
    /// receiver is away.
    patience: Duration,
}

// === impl BatchProcessor ===

impl BatchProcessor {
    /// Starts the export thread. `build` makes the exporter inside the runtime of that thread, because its
    /// connections belong to the runtime. `trouble` is where the exporter notes why a try failed.
    pub(crate) fn start<E, F>(
        endpoint: String,
        config: BatchConfig,
        trouble: Trouble,
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

        let (stop_by, thread_stop_by) = watch::channel(None);

        let losses = Losses::new(
            endpoint,
            config.max_queue_size,
            Arc::clone(&counters),
            trouble,
        );
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
                    let worker = Worker::new(
                        exporter,
                        config,
                        thread_batch_is_full,
                        thread_stop_by,
                        losses,
                    );
                    worker.run(ended, commanded).await;
                });
            })?;
        whether_built
            .recv()
            .unwrap_or_else(|_| Err("the export thread ended at once".to_owned()))
            .map_err(InstallError::Exporter)?;

        // An export with its tries may take the time limit once for the batch that is being sent, and once for
        // the queue behind it.
        let patience = config.export_timeout * 2;
        let handle = BatchHandle {
            counters,
            spans,
            batch_is_full,
            max_export_batch_size,
            commands,
            stop_by,
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
        self.handle.stop_by.send_if_modified(|stop_by| {
            let is_first = stop_by.is_none();
            stop_by.get_or_insert(Instant::now() + limit);
            is_first
        });
        self.handle.command(Command::Shutdown, limit + LAST_STEPS)?;
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
        self.counters.read()
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

#[cfg(test)]
mod tests;
