//! Calls that wait for each other without need: none of them is known to need the result of another.

use super::chatty;
use crate::{
    facts::{
        call::{self, Access, Call},
        siblings::are_serial,
        view::View,
    },
    finding::{Explains, Finding, Rule, Scope, Severity},
    format::{format_ns, ms},
    thresholds::{OURS, SENTRY, Threshold, Thresholds},
};

/// The rule `sequential-calls`.
pub(crate) static RULE: Rule = Rule {
    name: "sequential-calls",
    severity: Severity::Warning,
    summary: "reads that are not known to need each other are made one after the other",
    remedy: "ask for both at once (join, gather, Promise.all), unless one needs the other's answer",
    thresholds: &[
        Threshold::time(
            "saved at least",
            |limits| limits.sequential_saved_ns,
            "Sentry, whose 100 ms is scaled down for calls of services",
        ),
        Threshold::time(
            "saved at least of database reads alone",
            |limits| limits.sequential_saved_database_ns,
            SENTRY,
        ),
        Threshold::share(
            "saved of the parent",
            |limits| limits.sequential_share,
            SENTRY,
        ),
        Threshold::share(
            "the pause between two reads, of the shorter, at most",
            |_| PAUSE,
            OURS,
        ),
    ],
    source: "Sentry (consecutive HTTP: 10 %), with the least saving scaled from 100 ms to 10 ms for calls of services",
    of_the_load: false,
    about_time: true,
    needs_complete_traces: false,
    explains: Explains::nearby(&[&chatty::RULE]),
    scope: Scope::Trace(detect),
};

/// The least share of a span that one call must take for the span to be a wrapper of that call.
const WRAPPED: f64 = 0.9;

/// The longest pause between two calls, as a share of the shorter call. A longer pause is work, perhaps with
/// the answer.
const PAUSE: f64 = 0.25;

fn detect(view: &View<'_>, limits: &Thresholds, found: &mut Vec<Finding>) {
    for parent in 0..view.len() {
        let children = view.trace.children(parent);
        if children.len() < 2 {
            continue;
        }
        let reads: Vec<(usize, Call)> = children
            .iter()
            .filter_map(|&child| Some((child, read(view, child)?)))
            .collect();
        for chain in chains(view, &reads) {
            found.extend(finding(view, limits, parent, chain));
        }
    }
}

/// The highest number of wrappers around a read.
const WRAPPERS: usize = 16;

/// The read that a span is, or that it wraps with nearly no other work.
fn read(view: &View<'_>, mut place: usize) -> Option<Call> {
    for _ in 0..WRAPPERS {
        let call = view.calls[place];
        let is_read = matches!(
            call,
            Call::Database(Access::Read) | Call::Http(Access::Read) | Call::Rpc
        );
        let wrapped = match (call, view.trace.children(place)) {
            (Call::None, [only]) if view.head[place] != place => {
                Some(*only).filter(|&only| view.ns(only) as f64 >= WRAPPED * view.ns(place) as f64)
            }
            _ => None,
        };
        // A call after a failure is made because of the failure.
        if (!is_read && wrapped.is_none()) || went_wrong(view, place) {
            return None;
        }
        if is_read {
            return Some(call);
        }
        place = wrapped?;
    }
    None
}

fn went_wrong(view: &View<'_>, place: usize) -> bool {
    view.is_error(place) || call::status_code(view.span(place)).is_some_and(|code| code >= 400)
}

/// Finds reads that follow each other closely, each of which starts after the end of the one before.
fn chains<'r>(view: &View<'_>, reads: &'r [(usize, Call)]) -> Vec<&'r [(usize, Call)]> {
    let mut chains = Vec::new();
    let mut from = 0;
    for at in 1..=reads.len() {
        let goes_on = at < reads.len() && {
            let (before, next) = (reads[at - 1].0, reads[at].0);
            let pause = view.start_ns(next).saturating_sub(view.end_ns(before));
            let shorter = view.ns(before).min(view.ns(next));
            are_serial(view, before, next) && pause as f64 <= PAUSE * shorter as f64
        };
        if !goes_on {
            if at - from >= 2 {
                chains.push(&reads[from..at]);
            }
            from = at;
        }
    }
    chains
}

fn finding(
    view: &View<'_>,
    limits: &Thresholds,
    parent: usize,
    chain: &[(usize, Call)],
) -> Option<Finding> {
    let places: Vec<usize> = chain.iter().map(|(place, _)| *place).collect();
    let total: u64 = places.iter().map(|&place| view.ns(place)).sum();
    let longest = places.iter().map(|&place| view.ns(place)).max()?;
    let saved = total - longest;
    let only_databases = chain
        .iter()
        .all(|(_, call)| matches!(call, Call::Database(_)));
    if only_databases && is_transaction(view, parent) {
        return None;
    }
    let least = match only_databases {
        true => limits.sequential_saved_database_ns,
        false => limits.sequential_saved_ns,
    };
    let of_parent = view.ns(parent) as f64 * limits.sequential_share;
    if saved < least || (saved as f64) < of_parent {
        return None;
    }
    let cost = view.cost(&places).min(total).saturating_sub(longest);
    let evidence = format!(
        "{} reads of {} one after the other, {} together; at once they would take {} and save {}.",
        places.len(),
        view.place(parent),
        format_ns(total),
        format_ns(longest),
        format_ns(saved)
    );
    Some(
        Finding::new(&RULE, view.ids(&places), evidence)
            .costs(cost)
            .fact("count", places.len())
            .fact("total_ms", ms(total))
            .fact("saved_ms", ms(saved))
            .fact("parent", view.place(parent)),
    )
}

/// Whether a span writes to a database: then its reads there may be in the same transaction, whose single
/// connection executes one statement at a time.
fn is_transaction(view: &View<'_>, parent: usize) -> bool {
    let mut children = view.trace.children(parent).iter();
    children.any(|&child| view.calls[child] == Call::Database(Access::Write))
}
