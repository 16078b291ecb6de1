//! The findings of traces, by their names.

use diagnose::{Diagnosis, THRESHOLDS, diagnose};
use testing::traces::TraceBuilder;
use trace::Trace;

/// The names of the findings of each trace, of traces that are diagnosed together.
pub(crate) fn names(traces: &[Trace]) -> Vec<Vec<&'static str>> {
    all(traces).iter().map(names_of).collect()
}

/// The diagnoses of traces that are diagnosed together.
pub(crate) fn all(traces: &[Trace]) -> Vec<Diagnosis<'_>> {
    diagnose(traces, &[], &THRESHOLDS)
}

/// The names of the findings of a diagnosis.
pub(crate) fn names_of(diagnosis: &Diagnosis<'_>) -> Vec<&'static str> {
    diagnosis
        .findings
        .iter()
        .map(|finding| finding.rule.name)
        .collect()
}

/// The names of the findings of one trace.
pub(crate) fn found(trace: TraceBuilder) -> Vec<&'static str> {
    names(&[trace.build()]).remove(0)
}
