//! The sink's types as the documents of the API.

use protocol::{
    ByteCounts, ReceivedCount, RequestCounts, SpanCounts, Stats, TraceCounts, TraceSummary,
};
use sink::Summary;
use trace::milliseconds;

pub(crate) fn stats(stats: &sink::Stats) -> Stats {
    let sink::Stats {
        spans,
        traces,
        bytes,
        logs,
        metrics,
        requests,
        replaced,
    } = stats;
    Stats {
        spans: SpanCounts {
            received: spans.received,
            stored: spans.stored,
            evicted: spans.evicted,
            refused: spans.refused,
        },
        traces: TraceCounts {
            stored: traces.stored,
            evicted: traces.evicted,
        },
        bytes: ByteCounts {
            stored: bytes.stored,
            limit: bytes.limit,
        },
        logs: ReceivedCount {
            received: logs.received,
        },
        metrics: ReceivedCount {
            received: metrics.received,
        },
        requests: RequestCounts {
            accepted: requests.accepted,
            partial: requests.partial,
            malformed: requests.malformed,
            overloaded: requests.overloaded,
        },
        replaced: *replaced,
    }
}

pub(crate) fn summary(summary: Summary) -> TraceSummary {
    TraceSummary {
        trace_id: summary.trace_id,
        service: summary.service,
        name: summary.name,
        start_unix_nano: summary.start_unix_nano,
        duration_ms: milliseconds(summary.duration),
        spans: summary.spans,
        errors: summary.errors,
        roots: summary.roots,
        revision: summary.revision,
    }
}
