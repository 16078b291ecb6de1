//! Checks recorded traces, without running anything.

use std::{collections::HashMap, fmt::Write};

use diagnose::plural;
use expect::{Observed, Report, Verdict};
use scenario::{Node, Scenario, Text};
use serde_json::{Value, json};
use trace::{Span, Trace, TraceId, tree};

use crate::traces::mentions;

/// The result of checking recorded traces against a scenario.
#[derive(Debug)]
pub struct Checked {
    /// The name of the scenario.
    pub scenario: String,
    /// One report for each trace that the scenario speaks of.
    pub reports: Vec<Report>,
    /// The roots of those that it does not speak of, and how many there are of each.
    pub others: Vec<(String, usize)>,
}

/// Checks recorded spans against what a scenario expects.
///
/// Traces that have to do with each other (one links to the other, or both name the same order or
/// message) are looked at together; the first to begin is the one that is checked. A trace whose root is
/// none that the scenario asks for is of something else and is not checked; one that has lost its root
/// is.
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
    /// The worst of the reports; where nothing was checked, nothing is proven.
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

    /// The report for people: each trace, then how many match.
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
                "{count} not checked: {root} is none that the scenario asks for"
            );
        }
        text
    }
}

/// The name of a trace's root if no node at the top of the tree could mean it.
fn something_else(trace: &Trace, scenario: &Scenario) -> Option<String> {
    let asked: Vec<&Node> = scenario
        .expect
        .tree
        .iter()
        .filter(|node| !node.elsewhere)
        .collect();
    let root = trace.span(trace.roots().next()?);
    let is = |want: &Option<Text>, got: &str| want.as_ref().is_none_or(|want| want.matches(got));
    let is_asked = asked.is_empty()
        || asked
            .iter()
            .any(|node| is(&node.span.service, root.service()) && is(&node.span.name, &root.name));
    (!is_asked).then(|| format!("{} {}", root.service(), root.name))
}

/// Traces that have to do with each other, together.
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
