//! A call to somebody who has no spans of their own, and who takes long.

use crate::{
    call,
    finding::{Finding, Looks, Rule, Severity, ms, words},
    run::Run,
    view::View,
};

/// `slow-external`.
pub(crate) static RULE: Rule = Rule {
    name: "slow-external",
    severity: Severity::Warning,
    means: "a peer that has no spans takes long, and what it does cannot be seen",
    remedy: "a deadline and a fallback, a cache, or taking the call off the path of the user",
    source: "Sentry (500 ms); the share of the critical path from 100 ms on is ours",
    looks: Looks::AtTheRun(look),
};

fn look(run: &Run<'_>, found: &mut dyn FnMut(usize, Finding)) {
    for (at, view) in run.views.iter().enumerate() {
        look_at(view, run, &mut |finding| found(at, finding));
    }
}

fn look_at(view: &View<'_>, run: &Run<'_>, found: &mut dyn FnMut(Finding)) {
    let limits = run.limits;
    for place in 0..view.len() {
        let ns = view.ns(place);
        if ns < limits.slow_share_from_ns || !view.calls[place].is_to_service() {
            continue;
        }
        let share = view.share(place);
        let is_slow = ns >= limits.slow_external_ns || share >= limits.slow_share;
        if !is_slow || !run.is_external(view, place) {
            continue;
        }
        let span = view.span(place);
        let peer = match (call::peer_service(span), call::address(span)) {
            (Some(name), _) => name.to_owned(),
            (None, Some((host, Some(port)))) => format!("{host}:{port}"),
            (None, Some((host, None))) => host.to_owned(),
            (None, None) => "a peer that is not named".to_owned(),
        };
        let evidence = format!(
            "{} to {peer}, which has no spans, took {}, {:.0} % of what was waited for.",
            view.place(place),
            words(ns),
            share * 100.0
        );
        found(
            Finding::new(&RULE, view.ids(&[place]), evidence)
                .costs(view.below[place])
                .fact("duration_ms", ms(ns))
                .fact("share", (share * 1_000.0).round() / 1_000.0)
                .fact("peer", peer),
        );
    }
}
