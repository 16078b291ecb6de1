//! Checks recorded traces, without a lab.

use std::{
    collections::{BTreeMap, HashMap},
    fmt::Write,
    io,
};

use diagnose::plural;
use expect::{Observed, Report, Verdict};
use formats::{Limits, RecordError, Recorded, Recorder, Recording};
use plain::Plain;
use scenario::{Node, Scenario, Text};
use serde_json::{Value, json};
use trace::{Span, Trace, TraceId};

use crate::traces::mentions;

/// The result of checking recorded traces against a scenario.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Checked {
    /// The number of traces with each verdict.
    verdicts: HashMap<Verdict, usize>,
    /// The roots of the traces that the scenario does not describe, with the number of traces of each root.
    pub others: Vec<(String, usize)>,
}

/// Checks recorded spans against what a scenario expects, as [`check`] does; returns the reports, too.
///
/// # Errors
///
/// When the spans do not fit into memory.
pub fn check_spans(
    spans: &[Span],
    scenario: &Scenario,
) -> Result<(Vec<Report>, Checked), RecordError> {
    let mut recorder = Recorder::new(Limits::default());
    recorder.add_spans(spans)?;
    let mut reports = Vec::new();
    let checked = check(&recorder.finish()?, scenario, &mut |report| {
        reports.push(report);
        Ok(())
    })?;
    Ok((reports, checked))
}

/// Checks recorded traces against what a scenario expects, and calls back with one report for each trace that the
/// scenario describes. One group of traces is in memory at a time.
///
/// Connected traces (one links to the other, or both name the same order or message) are checked as a group;
/// the trace of the group that began first is the one that is checked. A trace is not checked if its root
/// fits no node at the top of the expected tree. A trace that lost its root is checked.
///
/// # Errors
///
/// When a trace cannot be read, and when `each` returns an error.
pub fn check(
    recording: &Recording,
    scenario: &Scenario,
    each: &mut dyn FnMut(Report) -> io::Result<()>,
) -> io::Result<Checked> {
    let mut checked = Checked::default();
    for group in groups(recording)? {
        let group: io::Result<Vec<Trace>> = group
            .into_iter()
            .map(|trace| recording.trace(trace))
            .collect();
        let mut group = group?;
        group.sort_by_key(|trace| (trace.start_ns(), trace.id()));
        let fits = |trace: &Trace| something_else(trace, scenario).is_none();
        let Some(first) = group.iter().position(fits) else {
            let other = something_else(&group[0], scenario).unwrap_or_default();
            match checked.others.iter_mut().find(|(name, _)| *name == other) {
                Some((_, count)) => *count += 1,
                None => checked.others.push((other, 1)),
            }
            continue;
        };
        // Traces that begin as the first one that fits are of the same kind: each is judged. The others of the group,
        // such as that of a consumer, belong to them.
        let begins = root_of(&group[first]);
        let is_judged = |trace: &Trace| fits(trace) && root_of(trace) == begins;
        let (judged, related): (Vec<Trace>, Vec<Trace>) = group.into_iter().partition(is_judged);
        for trace in &judged {
            let observed = Observed {
                trace,
                related: &related,
                arrival: None,
                twin: None,
            };
            let report = expect::check_with(&scenario.expect, observed);
            *checked.verdicts.entry(report.verdict).or_default() += 1;
            each(report)?;
        }
    }
    Ok(checked)
}

// === impl Checked ===

impl Checked {
    /// The worst verdict of the reports; a failure if no trace was checked, since that proves nothing.
    pub fn verdict(&self) -> Verdict {
        self.verdicts.keys().copied().max().unwrap_or(Verdict::Fail)
    }

    /// The traces that were not checked, as the document of `tracelab check --format json` has them.
    pub fn others_to_json(&self) -> Value {
        let others = self.others.iter();
        let others = others.map(|(root, count)| json!({ "root": root, "traces": count }));
        others.collect()
    }

    /// The number of traces that match, as text.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let with = |verdict| self.verdicts.get(&verdict).copied().unwrap_or(0);
        let _ = writeln!(
            text,
            "{} checked: {} match, {} do not, {} unsupported",
            plural(self.verdicts.values().sum(), "trace"),
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

/// What a trace begins with.
fn root_of(trace: &Trace) -> Option<(String, String, trace::Kind)> {
    let root = trace.span(trace.roots().next()?);
    Some((root.service().to_owned(), root.name.to_string(), root.kind))
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

/// Groups the traces that are connected with each other. Each is read once, and forgotten.
fn groups(recording: &Recording) -> io::Result<Vec<Vec<&Recorded>>> {
    let traces = recording.traces();
    let places: HashMap<TraceId, usize> = traces
        .iter()
        .enumerate()
        .map(|(place, trace)| (trace.id, place))
        .collect();
    let mut leaders: Vec<usize> = (0..traces.len()).collect();
    let mut mentioned: HashMap<String, usize> = HashMap::new();
    for (place, trace) in traces.iter().enumerate() {
        for span in recording.spans(trace)? {
            for link in &span.links {
                if let Some(other) = places.get(&link.trace_id) {
                    unite(&mut leaders, place, *other);
                }
            }
            for mention in mentions(&span) {
                match mentioned.get(mention) {
                    Some(other) => unite(&mut leaders, place, *other),
                    None => drop(mentioned.insert(mention.to_owned(), place)),
                }
            }
        }
    }
    let mut groups: BTreeMap<usize, Vec<&Recorded>> = BTreeMap::new();
    for (place, trace) in traces.iter().enumerate() {
        // The leader is the first of its group, as the traces are sorted.
        groups
            .entry(leader(&leaders, place))
            .or_default()
            .push(trace);
    }
    Ok(groups.into_values().collect())
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
