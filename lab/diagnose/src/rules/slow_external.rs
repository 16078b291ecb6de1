//! A slow call to a peer without spans.

use crate::{
    facts::{call, run::RunFacts, view::View},
    finding::{Explains, Finding, Rule, Scope, Severity},
    format::{format_ns, ms},
    thresholds::{OURS, SENTRY, Threshold},
};

/// The rule `slow-external`.
pub(crate) static RULE: Rule = Rule {
    name: "slow-external",
    severity: Severity::Warning,
    summary: "a peer that has no spans takes long, and what it does cannot be seen",
    remedy: "a deadline and a fallback, a cache, or taking the call off the path of the user",
    thresholds: &[
        Threshold::time(
            "how long it takes",
            |limits| limits.slow_external_ns,
            SENTRY,
        ),
        Threshold::share(
            "or its share of the critical path",
            |limits| limits.slow_share,
            OURS,
        ),
        Threshold::time(
            "from this length on",
            |limits| limits.slow_share_from_ns,
            OURS,
        ),
    ],
    source: "Sentry (500 ms); the share of the critical path from 100 ms on is ours",
    of_the_load: true,
    about_time: true,
    needs_complete_traces: false,
    explains: Explains::NOTHING,
    scope: Scope::Run(detect),
};

fn detect(run: &RunFacts<'_>, found: &mut dyn FnMut(usize, Finding)) {
    for (at, view) in run.views.iter().enumerate() {
        detect_at(view, run, &mut |finding| found(at, finding));
    }
}

/// Whether a call is the frame of another: a client of a model around its HTTP request, say. The inner one is
/// the call to the peer.
fn is_around_a_call(view: &View<'_>, place: usize) -> bool {
    let mut children = view.trace.children(place).iter();
    children.any(|&child| view.calls[child].is_to_service() && 2 * view.ns(child) >= view.ns(place))
}

fn detect_at(view: &View<'_>, run: &RunFacts<'_>, found: &mut dyn FnMut(Finding)) {
    let limits = run.limits;
    for place in 0..view.len() {
        let ns = view.ns(place);
        if ns < limits.slow_share_from_ns || !view.calls[place].is_to_service() {
            continue;
        }
        let share = view.share(place);
        let is_slow = ns >= limits.slow_external_ns || share >= limits.slow_share;
        if !is_slow || !run.is_external(view, place) || is_around_a_call(view, place) {
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
            format_ns(ns),
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
