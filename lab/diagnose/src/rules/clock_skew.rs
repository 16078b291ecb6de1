//! A wrong clock: the callee seems to have started before the call, or to have ended after its answer
//! arrived.

use trace::Kind;

use super::{abandoned_work, queue_delay, wrong_parent};
use crate::{
    facts::{call, view::View},
    finding::{Explains, Finding, Rule, Scope, Severity},
    format::format_ns,
    hash::HashMap,
    thresholds::{OURS, Threshold, Thresholds},
};

/// The rule `clock-skew`.
pub(crate) static RULE: Rule = Rule {
    name: "clock-skew",
    severity: Severity::Info,
    summary: "the clocks of two services disagree by more than their calls allow",
    remedy: "synchronise the clocks (NTP, PTP); until then trust durations and not places",
    thresholds: &[Threshold::time(
        "by how much calls leave their callers",
        |limits| limits.skew_ns,
        OURS,
    )],
    source: "Jaeger's adjuster, with 2 ms for clocks that agree",
    of_the_load: false,
    about_time: false,
    needs_complete_traces: false,
    explains: Explains::nearby(&[
        &abandoned_work::RULE,
        &wrong_parent::RULE,
        &queue_delay::RULE,
    ]),
    scope: Scope::Trace(detect),
};

/// The highest number of pairs of services that are judged together: a hostile trace has more.
const MOST: usize = 256;

fn detect(view: &View<'_>, limits: &Thresholds, found: &mut Vec<Finding>) {
    let mut pairs: Vec<Pair<'_>> = Vec::new();
    let mut known: HashMap<(&str, &str), usize> = HashMap::default();
    for place in 0..view.len() {
        let Some(parent) = view.trace.parent(place) else {
            continue;
        };
        let Some(offset) = offset(view, limits, parent, place) else {
            continue;
        };
        let services = (view.span(parent).service(), view.span(place).service());
        let at = *known.entry(services).or_insert_with(|| {
            pairs.push(Pair {
                services,
                calls: 0,
                off: Vec::new(),
            });
            pairs.len() - 1
        });
        pairs[at].calls += 1;
        if let Offset::Of(offset) = offset {
            pairs[at].off.push((parent, place, offset));
        }
    }
    // A wrong clock affects all calls; a span that is closed late affects one.
    let skewed = pairs.iter().filter(|pair| 2 * pair.off.len() > pair.calls);
    let mut skewed: Vec<&Pair<'_>> = skewed.collect();
    let alone = skewed.split_off(skewed.len().min(MOST));
    while let Some((service, group)) = of_one_clock(&skewed, limits.skew_ns) {
        skewed.retain(|pair| !group.iter().any(|of_it| of_it.services == pair.services));
        found.push(finding(view, service, &group));
    }
    found.extend(
        alone
            .iter()
            .map(|pair| finding(view, pair.services.1, &[*pair])),
    );
}

/// A service, and the pairs that its wrong clock explains, including the first pair of all: the clock has the
/// same offset to each of the other services.
fn of_one_clock<'p, 'v>(
    skewed: &[&'p Pair<'v>],
    slack: u64,
) -> Option<(&'v str, Vec<&'p Pair<'v>>)> {
    let first = *skewed.first()?;
    let explained_by = |service: &'v str| {
        let ahead = first.ahead(service);
        let agrees = |pair: &&&Pair<'v>| {
            ahead.zip(pair.ahead(service)).is_some_and(|(one, other)| {
                one.abs_diff(other) <= u128::from(slack).max(one.unsigned_abs() / 10)
            })
        };
        let pairs: Vec<&'p Pair<'v>> = skewed.iter().filter(agrees).copied().collect();
        (service, pairs)
    };
    let (caller, callee) = first.services;
    let (of_caller, of_callee) = (explained_by(caller), explained_by(callee));
    match of_caller.1.len() > of_callee.1.len() {
        true => Some(of_caller),
        false => Some(of_callee),
    }
}

/// Two services that call each other, or exchange messages.
struct Pair<'v> {
    services: (&'v str, &'v str),
    calls: usize,
    /// The calls that contradict equal clocks: the caller, the callee, and the time by which the callee's
    /// clock is ahead, in nanoseconds.
    off: Vec<(usize, usize, i128)>,
}

impl Pair<'_> {
    /// The time by which the clock of `service` is ahead of the other, in nanoseconds.
    fn ahead(&self, service: &str) -> Option<i128> {
        let (_, _, offset) = *self.off.first()?;
        match self.services {
            (_, callee) if callee == service => Some(offset),
            (caller, _) if caller == service => Some(-offset),
            _ => None,
        }
    }

    /// The other service of the pair.
    fn other<'s>(&'s self, service: &str) -> &'s str {
        match self.services {
            (caller, callee) if callee == service => caller,
            (_, callee) => callee,
        }
    }
}

/// The evidence of a call about two clocks.
enum Offset {
    /// The clocks may agree.
    None,
    /// The clocks do not agree: the clock of the callee is ahead by this time, in nanoseconds.
    Of(i128),
}

/// The evidence of a call from one service to another about their clocks; `None` if it is not such a call.
fn offset(view: &View<'_>, limits: &Thresholds, parent: usize, place: usize) -> Option<Offset> {
    let slack = i128::from(limits.skew_ns);
    // Nearly all spans have a parent of the same service.
    let is_call = matches!(
        (view.kind(parent), view.kind(place)),
        (Kind::Client, Kind::Server) | (Kind::Producer, Kind::Consumer)
    );
    let (caller, callee) = (view.span(parent), view.span(place));
    // A span without a length ended at an unknown time: some tracers report the start alone.
    let has_no_length = view.ns(parent) == 0 || view.ns(place) == 0;
    if !is_call || has_no_length || caller.service() == callee.service() {
        return None;
    }
    let ahead_at_end = i128::from(callee.end_ns) - i128::from(caller.end_ns);
    let ahead_at_start = i128::from(callee.start_ns) - i128::from(caller.start_ns);
    let offset = match (caller.kind, callee.kind) {
        (Kind::Client, Kind::Server) if !call::timed_out(caller) => {
            // With equal clocks the callee starts no earlier and ends no later than its call. A callee that
            // is longer than its call says nothing about clocks, unless it started before.
            let fits = view.ns(place) <= view.ns(parent) + limits.skew_ns;
            let is_off = ahead_at_start < -slack || (ahead_at_end > slack && fits);
            is_off.then(|| i128::midpoint(ahead_at_end, ahead_at_start))
        }
        // A message cannot be received before it is sent.
        (Kind::Producer, Kind::Consumer) => (ahead_at_start < -slack).then_some(ahead_at_start),
        _ => return None,
    };
    Some(offset.map_or(Offset::None, Offset::Of))
}

fn finding(view: &View<'_>, service: &str, pairs: &[&Pair<'_>]) -> Finding {
    let first = pairs[0];
    let (parent, place, _) = first.off[0];
    let offset = first.ahead(service).unwrap_or_default();
    let size = u64::try_from(offset.unsigned_abs()).unwrap_or(u64::MAX);
    let side = if offset < 0 { "behind" } else { "ahead of" };
    let others: Vec<&str> = pairs.iter().map(|pair| pair.other(service)).collect();
    let against = match others.as_slice() {
        [one] => format!("that of {one}"),
        several => format!("those of {}", several.join(", ")),
    };
    let evidence = format!(
        "The clock of {service} is some {} {side} {against}: {} does not lie within {}.",
        format_ns(size),
        view.place(place),
        view.place(parent)
    );
    let off = pairs.iter().flat_map(|pair| &pair.off);
    let spans: Vec<usize> = off
        .flat_map(|(parent, place, _)| [*place, *parent])
        .collect();
    Finding::new(&RULE, view.ids(&spans), evidence)
        .fact("offset_ms", (offset as f64 / 1e3).round() / 1e3)
        .fact("service", service)
        .fact("against", others.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLACK: u64 = 2_000_000;
    const S: i128 = 1_000_000_000;

    fn pair(caller: &'static str, callee: &'static str, ahead: i128) -> Pair<'static> {
        Pair {
            services: (caller, callee),
            calls: 1,
            off: vec![(0, 1, ahead)],
        }
    }

    #[test]
    fn one_clock_that_is_off_explains_all_calls_of_its_service() {
        for (pairs, service, explained) in [
            (vec![pair("a", "b", -S)], "b", 1),
            // It is behind its caller, and its callee is ahead of it.
            (vec![pair("a", "b", -S), pair("b", "c", S)], "b", 2),
            (vec![pair("a", "b", -S), pair("a", "c", -S)], "a", 2),
            // Two clocks, each off by an amount of its own.
            (vec![pair("a", "b", -S), pair("a", "c", 3 * S)], "b", 1),
            (vec![pair("a", "b", -S), pair("c", "d", -S)], "b", 1),
        ] {
            let pairs: Vec<&Pair<'_>> = pairs.iter().collect();
            let found = of_one_clock(&pairs, SLACK).map(|(of, group)| (of, group.len()));
            assert_eq!(found, Some((service, explained)));
        }
        assert!(of_one_clock(&[], SLACK).is_none());
    }
}
