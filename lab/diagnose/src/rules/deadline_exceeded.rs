//! A call that was given up because it took too long.

use crate::{
    call,
    finding::{Finding, Looks, Rule, Severity, ms, words},
    hash::HashSet,
    thresholds::Thresholds,
    view::View,
};

/// `deadline-exceeded`.
pub(crate) static RULE: Rule = Rule {
    name: "deadline-exceeded",
    severity: Severity::Critical,
    means: "a call was given up because it took longer than its deadline",
    remedy: "find out why the callee takes so long; set deadlines by what the callee usually takes, from the user down",
    source: "the conventions: error.type timeout, gRPC status 4, HTTP 408 and 504",
    looks: Looks::AtATrace(look),
};

fn look(view: &View<'_>, _: &Thresholds, found: &mut Vec<Finding>) {
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
            words(view.ns(place)),
            call::failure(view.span(place)).unwrap_or_else(|| "timeout".to_owned())
        );
        found.push(
            Finding::new(&RULE, view.ids(&[place]), evidence)
                .costs(view.below[place])
                .fact("after_ms", ms(view.ns(place))),
        );
    }
}

/// All spans above some: those of them that are calls only pass on that one below took too long.
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
