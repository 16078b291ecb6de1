//! Phases that were judged as in a run, with traces that are made by hand.

use std::{sync::Arc, time::Duration};

use loadgen::{Latency, Line, LoadProgress, LoadReport};
use scenario::Scenario;
use serde_json::json;
use testing::traces::{SpanExt, TraceBuilder};
use trace::{
    Kind::{Client, Server},
    Trace,
};

use crate::{
    conditions::Conditions,
    digest::Digest,
    judge::{self, Evidence, Measured, RequestRules},
    outcome::Finished,
    phase::Phase,
    phase_traces::PhaseTraces,
    plan::PhasePlan,
    traces::Found,
};

/// Judges the phases of a scenario; those that were not driven say what they lack.
pub(super) fn finish(scenario: &str, conditions: Conditions, driven: Vec<PhaseTraces>) -> Finished {
    let scenario = scenario::parse("test.yaml", scenario).unwrap();
    let phases = Phase::ALL.into_iter().filter_map(|phase| {
        let plan = PhasePlan::of(&scenario, phase)?;
        Some(match driven.iter().find(|driven| driven.phase == phase) {
            Some(traces) => judge::judge(
                plan,
                traces,
                evidence(&scenario, traces, &driven, conditions),
            ),
            None => judge::not_run(plan, &plan.lacks(conditions).unwrap()),
        })
    });
    let mut phases: Vec<_> = phases.collect();
    phases.iter_mut().for_each(judge::judge_unexplained);
    Finished { scenario, phases }
}

fn evidence<'a>(
    scenario: &Scenario,
    phase: &PhaseTraces,
    driven: &'a [PhaseTraces],
    conditions: Conditions,
) -> Evidence<'a> {
    let measured = Measured {
        phase: Some(phase),
        twin: driven.iter().find(|driven| driven.phase == Phase::Twin),
    };
    let wants = scenario.latency.iter();
    Evidence {
        twin: None,
        other_phases: &[],
        latency: wants
            .flat_map(|want| judge::latency_lines(want, &measured, conditions))
            .collect(),
        conditions,
        as_written: true,
        stalled: phase.stalled.is_some(),
        sampling: None,
    }
}

/// Judges the first requests of a phase as a long load does while it runs, in two batches.
pub(super) fn judge_first(
    scenario: &str,
    conditions: Conditions,
    driven: &mut PhaseTraces,
    count: usize,
) {
    let scenario = scenario::parse("test.yaml", scenario).unwrap();
    let plan = PhasePlan::of(&scenario, driven.phase).unwrap();
    assert_eq!(plan.lacks(conditions), None);
    let lines = std::mem::take(&mut driven.load.lines).into_iter();
    let mut requests: Vec<(Line, Found)> = lines.zip(driven.found.drain(..)).collect();
    let last = requests.split_off(count);
    for batch in requests.chunks(count.max(2) / 2) {
        let rules = RequestRules {
            twin: None,
            of_times: expect::Verdict::Pass,
            sampling: None,
            why_missing: None,
        };
        let cases = judge::judge_batch(plan, batch, &[], rules);
        driven.digest.measure(plan, batch, None);
        driven.digest.take(cases);
    }
    requests = driven.digest.hand_out();
    requests.extend(last);
    (driven.load.lines, driven.found) = requests.into_iter().unzip();
}

/// A phase in which each of these traces belongs to a checkout of its own.
pub(super) fn drive<const N: usize>(phase: Phase, traces: [Trace; N]) -> PhaseTraces {
    let lines: Vec<Line> = traces.iter().map(line).collect();
    let mut times: Vec<Duration> = lines.iter().filter_map(Line::latency).collect();
    times.sort_unstable();
    let longest = times[N - 1];
    let checkout = Latency {
        count: N as u64,
        p50: times[(N - 1) / 2],
        p90: longest,
        p99: longest,
        p999: longest,
        max: longest,
    };
    PhaseTraces {
        phase,
        load: LoadReport {
            lines,
            progress: LoadProgress {
                succeeded: N as u64,
                orders: N as u64,
                ..LoadProgress::default()
            },
            journeys: Some(N as u64),
            checkout: Some(checkout),
            service: None,
            steps: Vec::new(),
            elapsed: Duration::from_secs(1),
            stopped: false,
        },
        found: traces.into_iter().map(found).collect(),
        digest: Digest::default(),
        sampling: None,
        lost_spans: 0,
        why_missing: None,
        stalled: None,
        waited: Duration::ZERO,
        late_spans: 0,
    }
}

fn found(trace: Trace) -> Found {
    Found {
        trace: Some(Arc::new(trace)),
        ..Found::default()
    }
}

/// The line of the ledger for the request of a trace.
fn line(trace: &Trace) -> Line {
    let root = &trace.spans()[0];
    let line = json!({
        "request_id": trace.id(),
        "journey": 0,
        "step": "POST /checkout",
        "planned": root.start_ns,
        "started": root.start_ns,
        "ended": root.end_ns,
        "trace_id": trace.id(),
        "status": 201,
    });
    serde_json::from_value(line).unwrap()
}

/// An order whose query takes this many milliseconds.
pub(super) fn order(number: u64, query_ms: f64) -> Trace {
    whose_child_is("SELECT orders", number, query_ms)
}

/// An order that makes another query than the scenario expects.
pub(super) fn other_order(number: u64, query_ms: f64) -> Trace {
    whose_child_is("SELECT coupons", number, query_ms)
}

fn whose_child_is(name: &str, number: u64, query_ms: f64) -> Trace {
    let mut order = TraceBuilder::new(number);
    let end = query_ms + 4.0;
    order.span((1, 0), "checkout", Server, "POST /checkout", (0.0, end));
    order
        .span((2, 1), "checkout", Client, name, (2.0, query_ms + 2.0))
        .query("SELECT total FROM orders WHERE id = ?");
    order.build()
}
