//! A call that was given up because it took too long.

use crate::{
    call,
    finding::{Finding, Looks, Rule, Severity, ms, words},
    run::Run,
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

fn look(view: &View<'_>, _: &Run<'_>, found: &mut Vec<Finding>) {
    for place in 0..view.len() {
        if !view.calls[place].is_answered() || !call::timed_out(view.span(place)) {
            continue;
        }
        if passes_on(view, place) {
            continue;
        }
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

/// Whether a call only passes on that one below it took too long.
fn passes_on(view: &View<'_>, place: usize) -> bool {
    let mut stack = view.trace.children(place).to_vec();
    while let Some(below) = stack.pop() {
        if view.calls[below].is_answered() && call::timed_out(view.span(below)) {
            return true;
        }
        stack.extend(view.trace.children(below));
    }
    false
}
