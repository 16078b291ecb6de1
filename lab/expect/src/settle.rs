//! Counts over a whole trace, and the check whether it is complete enough to be judged.

use std::collections::HashSet;

use scenario::{Counts, Expectation};
use trace::Trace;

use crate::report::CountLine;

/// Whether a trace fulfils its `trace:` block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settle {
    /// It does. The caller, who reads the trace twice, decides whether it still changes.
    Ready,
    /// It does not yet, and perhaps never will.
    Waiting {
        /// The first difference, such as `spans: want 25..45, got 12`.
        reason: String,
    },
}

/// Checks the counts of roots, orphans and spans. Errors do not count here: they do not make a trace
/// complete.
pub fn settled(expectation: &Expectation, trace: &Trace) -> Settle {
    let asked = Counts {
        errors: None,
        duplicates: None,
        arrival: None,
        ..expectation.trace
    };
    let wrong: Vec<_> = counts(&asked, trace)
        .into_iter()
        .filter(|line| !line.ok)
        .map(|line| format!("{}: want {}, got {}", line.what, line.want, line.got))
        .collect();
    match wrong.is_empty() {
        true => Settle::Ready,
        false => Settle::Waiting {
            reason: wrong.join("; "),
        },
    }
}

/// The expected counts with the actual ones. A trace must always have spans: otherwise an expectation of
/// absence would hold for an empty trace.
pub(crate) fn counts(counts: &Counts, trace: &Trace) -> Vec<CountLine> {
    let roots = trace.roots().count();
    let orphans = trace.tops().len() - roots;
    let errors = trace.spans().iter().filter(|span| span.is_error()).count();
    let spans = trace.spans().len();
    let duplicates = match counts.duplicates {
        Some(_) => {
            let ids: HashSet<_> = trace.spans().iter().map(|span| span.span_id).collect();
            spans - ids.len()
        }
        None => 0,
    };

    let asked = [
        ("roots", counts.roots, roots),
        ("orphans", counts.orphans, orphans),
        ("spans", counts.spans, spans),
        ("errors", counts.errors, errors),
        ("duplicates", counts.duplicates, duplicates),
    ];
    let mut lines: Vec<_> = asked
        .into_iter()
        .filter_map(|(what, want, got)| {
            let (want, got) = (want?, got as u64);
            Some(CountLine {
                what,
                want: want.to_string(),
                got,
                ok: want.contains(got),
            })
        })
        .collect();
    if counts.spans.is_none() && spans == 0 {
        lines.push(CountLine {
            what: "spans",
            want: "1..".to_owned(),
            got: 0,
            ok: false,
        });
    }
    lines
}
