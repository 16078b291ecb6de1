//! Checks recorded traces, without a lab.

use std::{collections::HashMap, fmt::Write};

use diagnose::plural;
use expect::{Observed, Report, Verdict};
use plain::Plain;
use scenario::{Node, Scenario, Text};
use serde_json::{Value, json};
use trace::{Span, Trace, TraceId, tree};

use crate::traces::mentions;

/// The result of checking recorded traces against a scenario.
#[derive(Debug)]
pub struct Checked {
    /// The name of the scenario.
    pub scenario: String,
    /// One report for each trace that the scenario describes.
    pub reports: Vec<Report>,
    /// The roots of the traces that the scenario does not describe, with the number of traces of each root.
    pub others: Vec<(String, usize)>,
}

/// Checks recorded spans against what a scenario expects.
///
/// Connected traces (one links to the other, or both name the same order or message) are checked as a group;
/// the trace of the group that began first is the one that is checked. A trace is not checked if its root
/// fits no node at the top of the expected tree. A trace that lost its root is checked.
pub fn check_spans(spans: Vec<Span>, scenario: &Scenario) -> Checked {
    let mut checked = Checked {
        scenario: scenario.name.clone(),
        reports: Vec::new(),
        others: Vec::new(),
    };
    for mut group in groups(tree::group(spans)) {
        group.sort_by_key(|trace| (trace.start_ns(), trace.id()));
        let trace = group.remove(0);
        if let Some(other) = something_else(&trace, scenario) {
            match checked.others.iter_mut().find(|(name, _)| *name == other) {
                Some((_, count)) => *count += 1,
                None => checked.others.push((other, 1)),
            }
            continue;
        }
        let observed = Observed {
            trace: &trace,
            related: &group,
            arrival: None,
            twin: None,
        };
        checked
            .reports
            .push(expect::check_with(&scenario.expect, observed));
    }
    checked
}

// === impl Checked ===

impl Checked {
    /// The worst verdict of the reports; a failure if no trace was checked, since that proves nothing.
    pub fn verdict(&self) -> Verdict {
        let verdicts = self.reports.iter().map(|report| report.verdict);
        verdicts.max().unwrap_or(Verdict::Fail)
    }

    /// The document that `tracelab check --format json` prints.
    pub fn to_json(&self) -> Value {
        let others = self.others.iter();
        let others = others.map(|(root, count)| json!({ "root": root, "traces": count }));
        json!({
            "verdict": self.verdict(),
            "scenario": self.scenario,
            "traces": self.reports,
            "others": others.collect::<Vec<_>>(),
        })
    }

    /// The report as text: each trace, then the number of traces that match.
    pub fn text(&self, colour: bool) -> String {
        let mut text = String::new();
        for report in &self.reports {
            text.push_str(&report.text(&self.scenario, "", colour));
        }
        let with = |verdict| {
            let reports = self.reports.iter();
            reports.filter(|report| report.verdict == verdict).count()
        };
        let _ = writeln!(
            text,
            "{} checked: {} match, {} do not, {} unsupported",
            plural(self.reports.len(), "trace"),
            with(Verdict::Pass),
            with(Verdict::Fail),
            with(Verdict::Unsupported)
        );
        for (root, count) in &self.others {
            let _ = writeln!(
                text,
                "{count} not checked: {} is none that the scenario asks for",
                Plain(root)
            );
        }
        text
    }
}

/// The name of a trace's root, if the root fits no node at the top of the expected tree.
fn something_else(trace: &Trace, scenario: &Scenario) -> Option<String> {
    let asked: Vec<&Node> = scenario
        .expect
        .tree
        .iter()
        .filter(|node| !node.elsewhere)
        .collect();
    let root = trace.span(trace.roots().next()?);
    let is = |want: &Option<Text>, got: &str| {
        want.as_ref()
            .is_none_or(|want| want.fits(got, root.fidelity))
    };
    let is_asked = asked.is_empty()
        || asked
            .iter()
            .any(|node| is(&node.span.service, root.service()) && is(&node.span.name, &root.name));
    (!is_asked).then(|| format!("{} {}", root.service(), root.name))
}

/// Groups the traces that are connected with each other.
fn groups(traces: Vec<Trace>) -> Vec<Vec<Trace>> {
    let places: HashMap<TraceId, usize> = traces
        .iter()
        .enumerate()
        .map(|(place, trace)| (trace.id(), place))
        .collect();
    let mut leaders: Vec<usize> = (0..traces.len()).collect();
    let mut mentioned: HashMap<&str, usize> = HashMap::new();
    for (place, trace) in traces.iter().enumerate() {
        for span in trace.spans() {
            for link in &span.links {
                if let Some(other) = places.get(&link.trace_id) {
                    unite(&mut leaders, place, *other);
                }
            }
            for mention in mentions(span) {
                let other = *mentioned.entry(mention).or_insert(place);
                unite(&mut leaders, place, other);
            }
        }
    }
    let mut groups: HashMap<usize, Vec<Trace>> = HashMap::new();
    let of: Vec<usize> = (0..traces.len())
        .map(|place| leader(&leaders, place))
        .collect();
    for (trace, leader) in traces.into_iter().zip(of) {
        groups.entry(leader).or_default().push(trace);
    }
    let mut groups: Vec<Vec<Trace>> = groups.into_values().collect();
    groups.sort_by_key(|group| {
        group
            .iter()
            .map(|trace| (trace.start_ns(), trace.id()))
            .min()
    });
    groups
}

fn leader(leaders: &[usize], mut place: usize) -> usize {
    while leaders[place] != place {
        place = leaders[place];
    }
    place
}

fn unite(leaders: &mut [usize], one: usize, other: usize) {
    let (one, other) = (leader(leaders, one), leader(leaders, other));
    leaders[one.max(other)] = one.min(other);
}
