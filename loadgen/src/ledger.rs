//! The ledger: every request to the shop and its answer, one line for each request.
//!
//! The ledger knows nothing about goose and nothing about how a request is made.

use std::{
    collections::BTreeMap,
    fmt, io,
    io::Write,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use trace::{SpanId, TraceId};

use crate::latency::{Latency, Recorder};

/// A request and its result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// The name of the request in its baggage, as `lab.request`.
    pub request_id: RequestId,
    /// The number of its journey; the first is 0. `None` for a request that served all journeys.
    pub journey: Option<u64>,
    /// The step of the journey.
    pub step: Step,
    /// The planned start.
    ///
    /// In open load it is the time of the schedule; for a later step of a journey, the time at which the step
    /// would have started if the journey had begun on time. In closed load it is the actual start.
    pub planned: UnixNanos,
    /// The actual start; `None` if the request was never sent: then `reply` says why.
    pub started: Option<UnixNanos>,
    /// The end: the reply was read to its end, or the request failed.
    pub ended: Option<UnixNanos>,
    /// The trace of the request in the shop, by the reply's `traceresponse` header.
    pub trace_id: Option<TraceId>,
    /// Whether the same header says that the trace is not recorded: a sampler decided against it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unsampled: bool,
    /// The parent span that the request named, if the load generator started the trace. No such span exists:
    /// the load generator makes no spans.
    #[serde(default)]
    pub sent_span_id: Option<SpanId>,
    /// The status code of the reply; `None` if there was no reply.
    pub status: Option<u16>,
    /// The order that the request placed, or could not complete.
    pub order_id: Option<String>,
    /// The message that announced the order in the shop.
    pub message_id: Option<String>,
    /// The error text of the shop, or the reason why there is no reply. `None` if the request succeeded.
    pub reply: Option<String>,
}

/// The name of a request in its baggage. It is unique over all runs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RequestId(String);

/// The step of a journey. JSON and text show it in the same form.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", from = "String")]
pub enum Step {
    /// Reads the catalogue, once, before the journeys.
    Catalogue,
    /// Fills a cart.
    Cart,
    /// Places the order. The latency of this step counts.
    Checkout,
    /// A request to a service of the user: its method and its path. Its latency counts as well.
    Request(String),
}

/// Nanoseconds since the Unix epoch, the unit of OTLP.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct UnixNanos(pub u64);

/// The progress of a load: counts of requests, including the request for the catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LoadProgress {
    /// Requests with a reply of success (2xx).
    pub succeeded: u64,
    /// Requests with any other reply.
    pub refused: u64,
    /// Requests without a complete reply.
    pub unanswered: u64,
    /// Requests that were planned and never sent.
    pub never_started: u64,
    /// Checkouts that succeeded: orders.
    pub orders: u64,
}

/// Called with every line, and with the progress of the load after it.
pub(crate) type Observer = Box<dyn Fn(&LoadProgress, &Line) + Send + Sync>;

/// Records the lines of one load.
pub(crate) struct Ledger {
    entries: Mutex<Entries>,
    observer: Observer,
}

/// The content of a ledger when it is closed.
pub(crate) struct Closed {
    pub(crate) lines: Vec<Line>,
    pub(crate) progress: LoadProgress,
    pub(crate) checkout: Option<Latency>,
    pub(crate) service: Option<Latency>,
    pub(crate) steps: Vec<(Step, Latency)>,
    pub(crate) journal_error: Option<io::Error>,
}

/// A clock for the time of day that never jumps.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    epoch: Duration,
    instant: Instant,
}

struct Entries {
    lines: Vec<Line>,
    keep: bool,
    journal: Option<Box<dyn Write + Send>>,
    journal_error: Option<io::Error>,
    progress: LoadProgress,
    checkout: Recorder,
    service: Recorder,
    steps: BTreeMap<Step, Recorder>,
}

// === impl Line ===

impl Line {
    /// The time that the customer waited, from the planned instant; `None` without a reply.
    pub fn latency(&self) -> Option<Duration> {
        self.status?;
        let nanos = self.ended?.0.saturating_sub(self.planned.0);
        Some(Duration::from_nanos(nanos))
    }

    /// The time that the service took, from the instant at which the request was sent; `None` without a
    /// reply.
    pub fn service_time(&self) -> Option<Duration> {
        self.status?;
        let nanos = self.ended?.0.saturating_sub(self.started?.0);
        Some(Duration::from_nanos(nanos))
    }

    /// Whether the request succeeded (2xx).
    pub fn succeeded(&self) -> bool {
        self.status
            .is_some_and(|status| (200..300).contains(&status))
            && self.reply.is_none()
    }
}

// === impl RequestId ===

impl RequestId {
    pub(crate) fn new(id: String) -> RequestId {
        RequestId(id)
    }

    /// The id as the baggage has it. It needs no escaping there.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

// === impl Step ===

impl Step {
    /// The method and the route, such as `PUT /carts/{id}`.
    pub fn as_str(&self) -> &str {
        match self {
            Step::Catalogue => "GET /products",
            Step::Cart => "PUT /carts/{id}",
            Step::Checkout => "POST /checkout",
            Step::Request(request) => request,
        }
    }

    /// Whether the latency of the step counts: the checkout, or a request to a service of the user.
    pub fn counts(&self) -> bool {
        matches!(self, Step::Checkout | Step::Request(_))
    }
}

impl From<String> for Step {
    fn from(text: String) -> Step {
        let known = [Step::Catalogue, Step::Cart, Step::Checkout];
        let known = known.into_iter().find(|step| step.as_str() == text);
        known.unwrap_or(Step::Request(text))
    }
}

impl From<Step> for String {
    fn from(step: Step) -> String {
        step.as_str().to_owned()
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

// === impl LoadProgress ===

impl LoadProgress {
    /// The number of requests that were sent.
    pub fn sent(&self) -> u64 {
        self.succeeded + self.refused + self.unanswered
    }

    /// The number of requests that did not succeed, including those that never started.
    pub fn failed(&self) -> u64 {
        self.refused + self.unanswered + self.never_started
    }

    fn count(&mut self, line: &Line) {
        if line.started.is_none() {
            self.never_started += 1;
        } else if line.succeeded() {
            self.succeeded += 1;
            self.orders += u64::from(line.step.counts());
        } else if line
            .status
            .is_some_and(|status| !(200..300).contains(&status))
        {
            self.refused += 1;
        } else {
            self.unanswered += 1;
        }
    }
}

// === impl Ledger ===

impl Ledger {
    pub(crate) fn new(
        keep: bool,
        journal: Option<Box<dyn Write + Send>>,
        observer: Observer,
    ) -> Ledger {
        Ledger {
            entries: Mutex::new(Entries {
                lines: Vec::new(),
                keep,
                journal,
                journal_error: None,
                progress: LoadProgress::default(),
                checkout: Recorder::new(),
                service: Recorder::new(),
                steps: BTreeMap::new(),
            }),
            observer,
        }
    }

    /// Takes a line. `false` if the journal cannot be written any more.
    pub(crate) fn record(&self, line: Line) -> bool {
        let mut entries = self.entries.lock();
        entries.progress.count(&line);
        entries.measure(&line);
        entries.write(&line);
        // Under the lock, so that an observer receives the lines one after another.
        (self.observer)(&entries.progress, &line);
        if entries.keep {
            entries.lines.push(line);
        }
        entries.journal_error.is_none()
    }

    /// The number of requests that were sent so far.
    pub(crate) fn sent(&self) -> u64 {
        let entries = self.entries.lock();
        entries.progress.sent()
    }

    /// Takes the content of the ledger, which is empty afterwards.
    pub(crate) fn close(&self) -> Closed {
        let mut entries = self.entries.lock();
        if let Some(mut journal) = entries.journal.take()
            && let Err(error) = journal.flush()
        {
            entries.journal_error.get_or_insert(error);
        }
        Closed {
            lines: std::mem::take(&mut entries.lines),
            progress: entries.progress,
            checkout: entries.checkout.latency(),
            service: entries.service.latency(),
            steps: entries
                .steps
                .iter()
                .filter_map(|(step, recorder)| Some((step.clone(), recorder.latency()?)))
                .collect(),
            journal_error: entries.journal_error.take(),
        }
    }
}

// === impl Entries ===

impl Entries {
    fn measure(&mut self, line: &Line) {
        let Some(latency) = line.latency() else {
            return;
        };
        if line.step.counts() {
            self.checkout.record(latency);
            if let Some(service) = line.service_time() {
                self.service.record(service);
            }
        }
        let recorder = self.steps.entry(line.step.clone());
        recorder.or_insert_with(Recorder::new).record(latency);
    }

    /// Writes the line to the journal. After an error nothing more is written, since the last line may be
    /// incomplete.
    fn write(&mut self, line: &Line) {
        let Some(journal) = &mut self.journal else {
            return;
        };
        let mut json = serde_json::to_vec(line).expect("strings and numbers are JSON");
        json.push(b'\n');
        if let Err(error) = journal.write_all(&json) {
            self.journal = None;
            self.journal_error = Some(error);
        }
    }
}

// === impl Clock ===

impl Clock {
    /// Makes a clock that agrees with the system's clock now, and does not follow later changes of it.
    pub(crate) fn new() -> Clock {
        Clock {
            epoch: SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap_or_default(),
            instant: Instant::now(),
        }
    }

    pub(crate) fn now(&self) -> UnixNanos {
        self.at(Instant::now())
    }

    /// The time of day at an instant, which may be somewhat before the clock was made.
    pub(crate) fn at(&self, instant: Instant) -> UnixNanos {
        let since_epoch = match instant.checked_duration_since(self.instant) {
            Some(after) => self.epoch.saturating_add(after),
            None => self.epoch.saturating_sub(self.instant - instant),
        };
        UnixNanos(u64::try_from(since_epoch.as_nanos()).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    use super::*;

    fn line() -> Line {
        Line {
            request_id: RequestId::new("7f3a-0-checkout".into()),
            journey: Some(0),
            step: Step::Checkout,
            planned: UnixNanos(1_000),
            started: Some(UnixNanos(2_000)),
            ended: Some(UnixNanos(5_000)),
            trace_id: Some("0af7651916cd43dd8448eb211c80319c".parse().unwrap()),
            unsampled: false,
            sent_span_id: None,
            status: Some(201),
            order_id: Some("o-1".into()),
            message_id: Some("m-1".into()),
            reply: None,
        }
    }

    #[test]
    fn a_line_survives_json() {
        let json = serde_json::to_value(line()).unwrap();
        assert_eq!(json["step"], "POST /checkout");
        assert_eq!(json["trace_id"], "0af7651916cd43dd8448eb211c80319c");
        assert_eq!(json["planned"], 1_000);
        assert_eq!(serde_json::from_value::<Line>(json).unwrap(), line());
    }

    #[test]
    fn a_step_is_called_the_same_in_json_and_in_print() {
        for step in [Step::Catalogue, Step::Cart, Step::Checkout] {
            assert_eq!(serde_json::to_value(&step).unwrap(), step.as_str());
        }
    }

    #[test]
    fn latency_counts_from_the_planned_instant() {
        assert_eq!(line().latency(), Some(Duration::from_nanos(4_000)));
        let unanswered = Line {
            status: None,
            ..line()
        };
        assert_eq!(unanswered.latency(), None);
    }

    #[test]
    fn a_journal_that_breaks_is_written_no_further() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::StorageFull.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let ledger = Ledger::new(true, Some(Box::new(Full)), Box::new(|_, _| ()));
        assert!(!ledger.record(line()));
        let closed = ledger.close();
        assert_eq!(closed.lines, [line()], "the ledger in memory is whole");
        let error = closed.journal_error.unwrap();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    }
}
