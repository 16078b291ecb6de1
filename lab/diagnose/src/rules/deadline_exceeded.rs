//! A call that was given up because it took too long.

use super::{error, slow_external, slow_query};
use crate::{
    facts::{call, view::View},
    finding::{Explains, Finding, Rule, Scope, Severity},
    format::{format_ns, ms},
    hash::HashSet,
    thresholds::Thresholds,
};

/// The rule `deadline-exceeded`.
pub(crate) static RULE: Rule = Rule {
    name: "deadline-exceeded",
    severity: Severity::Critical,
    summary: "a call was given up because it took longer than its deadline",
    remedy: "find out why the callee takes so long; set deadlines by what the callee usually takes, from the user down",
    thresholds: &[],
    source: "the conventions: error.type timeout, gRPC status 4, HTTP 408 and 504",
    of_the_load: false,
    about_time: false,
    needs_complete_traces: false,
    explains: Explains {
        nearby: &[&error::RULE, &slow_external::RULE, &slow_query::RULE],
        in_request: &[&error::RULE],
    },
    scope: Scope::Trace(detect),
};

fn detect(view: &View<'_>, _: &Thresholds, found: &mut Vec<Finding>) {
    let given_up: Vec<usize> = (0..view.len())
        .filter(|&place| view.calls[place].is_answered() && call::timed_out(view.span(place)))
        .collect();
    if given_up.is_empty() {
        return;
    }
    let pass_on = above_all(view, &given_up);
    for place in given_up
        .into_iter()
        .filter(|place| !pass_on.contains(place))
    {
        let evidence = format!(
            "{} was given up after {}: {}",
            view.place(place),
            format_ns(view.ns(place)),
            call::failure(view.span(place)).unwrap_or_else(|| "timeout".to_owned())
        );
        found.push(
            Finding::new(&RULE, view.ids(&[place]), evidence)
                .costs(view.below[place])
                .fact("after_ms", ms(view.ns(place))),
        );
    }
}

/// All spans above these: calls among them only pass on the timeout of the call below.
fn above_all(view: &View<'_>, places: &[usize]) -> HashSet<usize> {
    let mut above = HashSet::default();
    for &place in places {
        for higher in view.above(place) {
            if !above.insert(higher) {
                break;
            }
        }
    }
    above
}
