//! A clock that is off: what was called seems to have begun before it was called, or to have ended after
//! its answer had come.

use trace::Kind;

use crate::{
    call,
    finding::{Finding, Looks, Rule, Severity, words},
    run::Run,
    view::View,
};

/// `clock-skew`.
pub(crate) static RULE: Rule = Rule {
    name: "clock-skew",
    severity: Severity::Info,
    means: "the clocks of two services disagree by more than their calls allow",
    remedy: "synchronise the clocks (NTP, PTP); until then trust durations and not places",
    source: "Jaeger's adjuster, with 2 ms for clocks that agree",
    looks: Looks::AtATrace(look),
};

fn look(view: &View<'_>, run: &Run<'_>, found: &mut Vec<Finding>) {
    let slack = i128::from(run.limits.skew_ns);
    let mut seen: Vec<(String, Finding)> = Vec::new();
    for place in 0..view.len() {
        let Some(parent) = view.trace.parent(place) else {
            continue;
        };
        let (caller, callee) = (view.span(parent), view.span(place));
        if caller.service() == callee.service() {
            continue;
        }
        let offset = match (caller.kind, callee.kind) {
            (Kind::Client, Kind::Server) if !call::timed_out(caller) => {
                let (least, most) = (
                    i128::from(callee.end_ns) - i128::from(caller.end_ns),
                    i128::from(callee.start_ns) - i128::from(caller.start_ns),
                );
                // On clocks that agree it begins no earlier and ends no later. One that is longer than
                // its call is no matter of clocks, unless it began before.
                let fits = view.ns(place) <= view.ns(parent) + run.limits.skew_ns;
                match (most < -slack, least > slack && fits) {
                    (true, _) | (_, true) => Some(i128::midpoint(least, most)),
                    _ => None,
                }
            }
            // Nothing is received before it is sent.
            (Kind::Producer, Kind::Consumer) => {
                let early = i128::from(callee.start_ns) - i128::from(caller.start_ns);
                (early < -slack).then_some(early)
            }
            _ => None,
        };
        let Some(offset) = offset else {
            continue;
        };
        let pair = format!("{} {}", caller.service(), callee.service());
        if let Some((_, finding)) = seen.iter_mut().find(|(known, _)| *known == pair) {
            finding.spans.extend(view.ids(&[place, parent]));
            continue;
        }
        let size = u64::try_from(offset.unsigned_abs()).unwrap_or(u64::MAX);
        let side = if offset < 0 { "behind" } else { "ahead of" };
        let evidence = format!(
            "The clock of {} is some {} {side} that of {}: {} does not lie within {}.",
            callee.service(),
            words(size),
            caller.service(),
            view.place(place),
            view.place(parent)
        );
        let offset_ms = (offset as f64 / 1e3).round() / 1e3;
        let finding = Finding::new(&RULE, view.ids(&[place, parent]), evidence)
            .fact("offset_ms", offset_ms)
            .fact("service", callee.service())
            .fact("against", caller.service());
        seen.push((pair, finding));
    }
    found.extend(seen.into_iter().map(|(_, finding)| finding));
}
