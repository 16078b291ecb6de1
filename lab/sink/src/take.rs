//! Handles a decoded request of either protocol.

use std::sync::atomic::AtomicU64;

use opentelemetry_proto::tonic::{
    collector::{
        logs::v1::ExportLogsServiceRequest, metrics::v1::ExportMetricsServiceRequest,
        trace::v1::ExportTraceServiceRequest,
    },
    metrics::v1::metric::Data,
};
use otlp::Read;
use trace::otlp::from_read;

use crate::{Store, store::Counters};

/// The result of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// The number of refused spans.
    pub refused: usize,
    /// The reasons: a sentence for each of the first reasons. Empty if nothing was refused.
    pub reasons: Vec<String>,
    /// The number of refused spans without a sentence.
    unsaid: usize,
    /// What was changed in the request, as a sentence. Nothing was refused for it.
    pub warning: Option<String>,
}

/// The signal of a request.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Signal {
    Traces,
    Logs,
    Metrics,
}

/// A decoded request.
pub(crate) enum Request {
    Traces(Read<ExportTraceServiceRequest>),
    Logs(Read<ExportLogsServiceRequest>),
    Metrics(Read<ExportMetricsServiceRequest>),
}

/// The highest number of reasons with a sentence; further reasons are only counted.
const MOST_REASONS: usize = 5;

/// Handles a request: stores its spans, or counts its records or points.
pub(crate) fn take(store: &Store, request: Request) -> Taken {
    let counters = store.counters();
    let taken = match request {
        Request::Traces(read) => store.take(from_read(read)),
        Request::Logs(read) => {
            Counters::add(&counters.replaced, read.replaced as u64);
            count(&counters.log_records, log_records(&read.request))
        }
        Request::Metrics(read) => {
            Counters::add(&counters.replaced, read.replaced as u64);
            count(&counters.data_points, data_points(&read.request))
        }
    };
    let answered = if taken.refused == 0 {
        &counters.accepted
    } else {
        &counters.partial
    };
    Counters::add(answered, 1);
    taken
}

impl Taken {
    /// The reasons and the warning as one text, for OTLP's partial success; empty if there are none.
    pub fn message(&self) -> String {
        let mut parts = self.reasons.clone();
        if self.unsaid > 0 {
            parts.push(format!("and {} more", self.unsaid));
        }
        parts.extend(self.warning.clone());
        parts.join("; ")
    }

    /// Notes that U+FFFD replaces what is no character in this number of texts.
    pub(crate) fn replaced(&mut self, texts: usize) {
        if texts > 0 {
            let word = if texts == 1 { "text" } else { "texts" };
            let warning = format!("U+FFFD replaces what is no character in {texts} {word}");
            self.warning = Some(warning);
        }
    }

    /// Counts spans as refused. `reason` is called only if its text is used.
    pub(crate) fn refuse(&mut self, spans: usize, reason: impl FnOnce() -> String) {
        self.refused += spans;
        if self.reasons.len() < MOST_REASONS {
            self.reasons.push(reason());
        } else {
            self.unsaid += spans;
        }
    }
}

fn count(counter: &AtomicU64, number: usize) -> Taken {
    Counters::add(counter, number as u64);
    Taken::default()
}

fn log_records(request: &ExportLogsServiceRequest) -> usize {
    let scopes = request
        .resource_logs
        .iter()
        .flat_map(|resource| &resource.scope_logs);
    scopes.map(|scope| scope.log_records.len()).sum()
}

fn data_points(request: &ExportMetricsServiceRequest) -> usize {
    let scopes = request
        .resource_metrics
        .iter()
        .flat_map(|resource| &resource.scope_metrics);
    let metrics = scopes.flat_map(|scope| &scope.metrics);
    metrics
        .map(|metric| match &metric.data {
            None => 0,
            Some(Data::Gauge(gauge)) => gauge.data_points.len(),
            Some(Data::Sum(sum)) => sum.data_points.len(),
            Some(Data::Histogram(histogram)) => histogram.data_points.len(),
            Some(Data::ExponentialHistogram(histogram)) => histogram.data_points.len(),
            Some(Data::Summary(summary)) => summary.data_points.len(),
        })
        .sum()
}
