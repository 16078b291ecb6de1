//! The export thread: takes spans from the queue, exports them in batches, and reports what is lost.

use std::{
    pin::pin,
    sync::{Arc, atomic::Ordering, mpsc as blocking},
    time::Duration,
};

use opentelemetry::KeyValue;
use opentelemetry_sdk::{
    Resource,
    trace::{SpanData, SpanExporter},
};
use tokio::{
    sync::{Notify, mpsc, oneshot, watch},
    time::{Instant, MissedTickBehavior, interval, sleep_until, timeout_at},
};

use super::counters::{Counters, Counts};
use crate::{config::BatchConfig, exporter::Trouble};

/// What other threads ask of the export thread.
pub(super) enum Command {
    SetResource(Resource),
    Flush(oneshot::Sender<()>),
    BlockingFlush(blocking::Sender<()>),
    Shutdown(blocking::Sender<()>),
}

/// The state of the export thread.
pub(super) struct Worker<E> {
    exporter: E,
    config: BatchConfig,
    batch_is_full: Arc<Notify>,
    /// When the process stops, the time after which nothing is exported any more.
    stop_by: watch::Receiver<Option<Instant>>,
    batch: Vec<SpanData>,
    losses: Losses,
}

/// The losses of spans, and their reports on standard error.
pub(super) struct Losses {
    endpoint: String,
    max_queue_size: usize,
    counters: Arc<Counters>,
    /// What the exporter knows of its last try.
    trouble: Trouble,
    /// The reason for which the last batch was lost.
    problem: Option<String>,
    /// The time of the last report, and the numbers in it.
    reported: Option<(Instant, Counts)>,
}

// === impl Worker ===

impl<E: SpanExporter> Worker<E> {
    pub(super) fn new(
        exporter: E,
        config: BatchConfig,
        batch_is_full: Arc<Notify>,
        stop_by: watch::Receiver<Option<Instant>>,
        losses: Losses,
    ) -> Self {
        Worker {
            exporter,
            config,
            batch_is_full,
            stop_by,
            batch: Vec::new(),
            losses,
        }
    }

    pub(super) async fn run(
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
        self.losses.report(None);
    }

    async fn export(&mut self) {
        let mut batch = std::mem::take(&mut self.batch);
        for span in &mut batch {
            keep_last_values(&mut span.attributes);
        }
        let count = batch.len() as u64;
        let sent = self.send(batch).await;
        self.losses.count(count, sent);
        self.losses.report(None);
    }

    /// Sends a batch; the exporter tries again where that may help. It ends at the time limit of a batch, and
    /// earlier where the process stops. Meanwhile further spans wait in the queue. An error is the reason for
    /// which the batch is lost.
    async fn send(&mut self, batch: Vec<SpanData>) -> Result<(), String> {
        /// How often a full queue is looked for during an export.
        const LOOK: Duration = Duration::from_secs(1);
        let limit = self.config.export_timeout;
        let begun = Instant::now();
        let trouble = self.losses.trouble.clone();
        trouble.forget();

        let mut sending = pin!(timeout_at(begun + limit, self.exporter.export(batch)));
        let mut no_time_left = pin!(no_time_left(self.stop_by.clone()));
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = &mut no_time_left => {
                    let why = trouble.or("the receiver has not taken them");
                    return Err(format!("{why}, and the process stops"));
                }
                sent = &mut sending => return match sent {
                    Ok(Ok(())) => Ok(()),
                    Ok(Err(error)) => Err(trouble.or(&error.to_string())),
                    Err(_) => Err(format!("{}, for {limit:?}", trouble.or("no answer"))),
                },
                _ = look.tick() => self.losses.report(Some(begun)),
            }
        }
    }
}

/// Waits until the process stops and the time that its last exports have is over.
async fn no_time_left(mut stop_by: watch::Receiver<Option<Instant>>) {
    let stops = stop_by.wait_for(Option::is_some).await.map(|by| *by);
    match stops {
        Ok(Some(by)) => sleep_until(by).await,
        // The processor is gone without a stop: the time limit of a batch is the only one.
        _ => std::future::pending().await,
    }
}

// === impl Losses ===

impl Losses {
    pub(super) fn new(
        endpoint: String,
        max_queue_size: usize,
        counters: Arc<Counters>,
        trouble: Trouble,
    ) -> Self {
        Losses {
            endpoint,
            max_queue_size,
            counters,
            trouble,
            problem: None,
            reported: None,
        }
    }

    /// Counts the spans of a batch that was sent, or was lost for a reason.
    fn count(&mut self, spans: u64, sent: Result<(), String>) {
        let counter = match &sent {
            Ok(()) => &self.counters.exported,
            Err(_) => &self.counters.failed,
        };
        counter.fetch_add(spans, Ordering::Release);
        self.problem = sent.err().or(self.problem.take());
    }

    /// Reports losses: the first at once, further ones at most every ten seconds. `exporting_since` is the time
    /// at which an export began that has not ended.
    fn report(&mut self, exporting_since: Option<Instant>) {
        const EVERY: Duration = Duration::from_secs(10);
        let counts = self.counters.read();
        let before = match self.reported {
            Some((when, _)) if when.elapsed() < EVERY => return,
            Some((_, before)) => before,
            None => Counts::default(),
        };
        let mut reasons = Vec::new();
        if counts.failed > before.failed {
            reasons.extend(self.problem.take());
        }
        if counts.dropped > before.dropped {
            reasons.push(self.full_queue(exporting_since));
        }
        if reasons.is_empty() {
            return;
        }
        self.reported = Some((Instant::now(), counts));
        tracing::warn!(
            endpoint = %self.endpoint,
            dropped = counts.dropped,
            failed = counts.failed,
            max_queue_size = self.max_queue_size,
            "spans are being lost: {}",
            reasons.join("; ")
        );
    }

    /// Why the queue was full.
    fn full_queue(&self, exporting_since: Option<Instant>) -> String {
        match exporting_since.map(|since| since.elapsed().as_secs()) {
            None | Some(0) => "the queue was full".to_owned(),
            Some(seconds) => {
                let why = self.trouble.or("the receiver has not answered");
                format!("the queue is full, and an export has been tried for {seconds} s: {why}")
            }
        }
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
