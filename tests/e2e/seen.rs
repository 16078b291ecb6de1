//! The traces of an order with a fault in a lab, and the findings that the diagnosis must report for them.

use std::collections::{BTreeSet, HashMap};

use diagnose::THRESHOLDS;
use faults::Fault;
use trace::{Kind, Span, Trace, TraceId, Value as Attribute};

use crate::support::Up;

/// All traces of the lab.
pub(crate) async fn all_traces(up: &Up) -> Vec<Trace> {
    let found = up.get_json("/api/traces?limit=10000").await;
    let mut traces = Vec::new();
    for summary in found["traces"].as_array().unwrap() {
        let id = summary["trace_id"].as_str().unwrap().parse().unwrap();
        traces.extend(up.trace(id).await);
    }
    traces
}

/// Finds the traces of an order: its own, those that name the order, and those that link to any of these.
pub(crate) struct Index<'t> {
    by_id: HashMap<TraceId, &'t Trace>,
    by_name: HashMap<&'t str, BTreeSet<TraceId>>,
    by_link: HashMap<TraceId, BTreeSet<TraceId>>,
}

impl<'t> Index<'t> {
    pub(crate) fn of(traces: &'t [Trace]) -> Index<'t> {
        let mut index = Index {
            by_id: traces.iter().map(|trace| (trace.id(), trace)).collect(),
            by_name: HashMap::new(),
            by_link: HashMap::new(),
        };
        for trace in traces {
            for span in trace.spans() {
                for name in names(span) {
                    index.by_name.entry(name).or_default().insert(trace.id());
                }
                for link in &span.links {
                    index
                        .by_link
                        .entry(link.trace_id)
                        .or_default()
                        .insert(trace.id());
                }
            }
        }
        index
    }

    pub(crate) fn of_order(&self, trace: TraceId) -> Vec<Trace> {
        let mut ids = BTreeSet::from([trace]);
        let spans = self.by_id.get(&trace).into_iter();
        let names = spans.flat_map(|trace| trace.spans()).flat_map(names);
        ids.extend(names.filter_map(|name| self.by_name.get(name)).flatten());
        for id in ids.clone() {
            ids.extend(self.by_link.get(&id).into_iter().flatten());
        }
        let traces = ids.iter().filter_map(|id| self.by_id.get(id));
        traces.map(|trace| Trace::clone(trace)).collect()
    }
}

/// The attributes that assign a span to an order: the ids of the order and of its message.
fn names(span: &Span) -> impl Iterator<Item = &str> {
    let keys = ["order.id", "messaging.message.id"];
    keys.into_iter()
        .filter_map(|key| span.attributes.get(key)?.as_str())
}

pub(crate) fn distinct<'t>(traces: impl Iterator<Item = &'t Trace>) -> Vec<Trace> {
    let mut seen = BTreeSet::new();
    traces
        .filter(|trace| seen.insert(trace.id()))
        .cloned()
        .collect()
}

/// The findings that the diagnosis must report for a fault, according to its scenario.
pub(crate) struct Expected {
    /// The findings of every trace.
    pub(crate) always: BTreeSet<&'static str>,
    /// The findings of most traces: one trace may be an exception by chance.
    pub(crate) mostly: BTreeSet<&'static str>,
    /// The findings of some traces.
    pub(crate) perhaps: BTreeSet<&'static str>,
}

pub(crate) fn expected(fault: &Fault) -> Expected {
    let scenario = scenario::embedded(fault.name).unwrap();
    let mut expected = Expected {
        always: BTreeSet::new(),
        mostly: BTreeSet::new(),
        perhaps: BTreeSet::new(),
    };
    for want in scenario.findings.unwrap_or_default() {
        let which = match want.share {
            None => &mut expected.always,
            Some(share) if share.min > 0.0 => &mut expected.mostly,
            Some(_) => &mut expected.perhaps,
        };
        which.insert(want.rule.name);
    }
    expected
}

/// Whether the fault recorded that it acted.
pub(crate) fn acted(traces: &[Trace], fault: &Fault) -> bool {
    let spans = traces.iter().flat_map(|trace| trace.spans());
    spans.flat_map(|span| &span.events).any(|event| {
        let name = event.attributes.get("lab.fault.name");
        name.and_then(Attribute::as_str) == Some(fault.name)
    })
}

/// Whether a call exceeded checkout's timeout, as happens when several orders compute at once on a machine
/// without enough time: the order then fails, and its work continues without a caller.
pub(crate) fn is_out_of_time(traces: &[Trace]) -> bool {
    let is_given_up = |caller: &Span| {
        let error = caller.attributes.get("error.type");
        caller.kind == Kind::Client
            && error.and_then(Attribute::as_str) == Some("timeout")
            && caller.duration() >= checkout::CALL_PATIENCE
    };
    traces
        .iter()
        .any(|trace| trace.spans().iter().any(is_given_up))
}

/// Whether a call was given up so late that the work had ended before, or soon after: in time it would have been
/// found. So it is, too, where its reply was read too late or never, as happens on a machine without enough time: no
/// span then shows that the work outlived its caller, because a clock that is ahead looks the same.
pub(crate) fn is_given_up_late(traces: &[Trace]) -> bool {
    let deadline = match faults::ABANDONED_WORK.parameters[0].default {
        Some(faults::Value::Integer(ms)) => ms.unsigned_abs() * 1_000_000,
        default => panic!("it is given up after {default:?}"),
    };
    traces.iter().any(|trace| {
        let is_given_up = |caller: &Span| {
            let error = caller.attributes.get("error.type");
            caller.kind == Kind::Client && error.and_then(Attribute::as_str) == Some("timeout")
        };
        (0..trace.spans().len()).any(|place| {
            let caller = trace.span(place);
            let children = trace.children(place).iter().map(|&child| trace.span(child));
            let mut callees = children
                .filter(|callee| callee.kind == Kind::Server && callee.start_ns <= caller.end_ns)
                .peekable();
            let was_never_read = callees.peek().is_none();
            let in_time = caller.start_ns + deadline;
            let found = |callee: &Span, given_up_ns: u64| {
                callee.end_ns >= given_up_ns + THRESHOLDS.abandoned_ns
            };
            let is_missed = |callee: &Span| !found(callee, caller.end_ns) && found(callee, in_time);
            is_given_up(caller) && (was_never_read || callees.any(is_missed))
        })
    })
}
