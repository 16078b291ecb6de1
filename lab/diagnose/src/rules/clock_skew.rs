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
    let mut pairs: Vec<Pair<'_>> = Vec::new();
    for place in 0..view.len() {
        let Some(parent) = view.trace.parent(place) else {
            continue;
        };
        let Some(offset) = offset(view, run, parent, place) else {
            continue;
        };
        let services = (view.span(parent).service(), view.span(place).service());
        let known = pairs.iter().position(|pair| pair.services == services);
        let at = known.unwrap_or_else(|| {
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
    // A clock is off for all calls; a span that is closed late is late for one.
    let skewed = pairs.iter().filter(|pair| 2 * pair.off.len() > pair.calls);
    found.extend(skewed.map(|pair| finding(view, pair)));
}

/// Two services that call each other, or send each other messages.
struct Pair<'v> {
    services: (&'v str, &'v str),
    calls: usize,
    /// Calls that do not fit if the clocks agree: the caller, the callee, and by how much the clock of the
    /// callee is ahead, in nanoseconds.
    off: Vec<(usize, usize, i128)>,
}

/// What a call says of two clocks.
enum Offset {
    /// They may agree.
    None,
    /// They do not: the callee's is ahead by so much, in nanoseconds.
    Of(i128),
}

/// What a call from one service to another says of their clocks; `None` if it is no such call.
fn offset(view: &View<'_>, run: &Run<'_>, parent: usize, place: usize) -> Option<Offset> {
    let slack = i128::from(run.limits.skew_ns);
    // Nearly all spans are below one of their own service.
    let is_call = matches!(
        (view.kind(parent), view.kind(place)),
        (Kind::Client, Kind::Server) | (Kind::Producer, Kind::Consumer)
    );
    let (caller, callee) = (view.span(parent), view.span(place));
    if !is_call || caller.service() == callee.service() {
        return None;
    }
    let ahead_at_end = i128::from(callee.end_ns) - i128::from(caller.end_ns);
    let ahead_at_start = i128::from(callee.start_ns) - i128::from(caller.start_ns);
    let offset = match (caller.kind, callee.kind) {
        (Kind::Client, Kind::Server) if !call::timed_out(caller) => {
            // On clocks that agree it begins no earlier and ends no later. One that is longer than its
            // call is no matter of clocks, unless it began before.
            let fits = view.ns(place) <= view.ns(parent) + run.limits.skew_ns;
            let is_off = ahead_at_start < -slack || (ahead_at_end > slack && fits);
            is_off.then(|| i128::midpoint(ahead_at_end, ahead_at_start))
        }
        // Nothing is received before it is sent.
        (Kind::Producer, Kind::Consumer) => (ahead_at_start < -slack).then_some(ahead_at_start),
        _ => return None,
    };
    Some(offset.map_or(Offset::None, Offset::Of))
}

fn finding(view: &View<'_>, pair: &Pair<'_>) -> Finding {
    let (caller, callee) = pair.services;
    let (parent, place, offset) = pair.off[0];
    let size = u64::try_from(offset.unsigned_abs()).unwrap_or(u64::MAX);
    let side = if offset < 0 { "behind" } else { "ahead of" };
    let evidence = format!(
        "The clock of {callee} is some {} {side} that of {caller}: {} does not lie within {}.",
        words(size),
        view.place(place),
        view.place(parent)
    );
    let spans = pair
        .off
        .iter()
        .flat_map(|(parent, place, _)| [*place, *parent]);
    let spans: Vec<usize> = spans.collect();
    Finding::new(&RULE, view.ids(&spans), evidence)
        .fact("offset_ms", (offset as f64 / 1e3).round() / 1e3)
        .fact("service", callee)
        .fact("against", caller)
}
