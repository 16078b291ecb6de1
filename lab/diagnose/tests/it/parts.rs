//! Traces that are diagnosed in parts: what is found is what is found in all of them together.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    fs,
    path::{Path, PathBuf},
};

use diagnose::{Diagnosis, Source, Summary, THRESHOLDS, diagnose_in_parts};
use testing::traces::{SpanExt, TraceBuilder};
use trace::{
    Kind::{Client, Internal, Server},
    Trace, TraceId, tree,
};

/// Recorded traces.
struct Runs {
    traces: Vec<Trace>,
    summaries: Vec<Summary>,
}

/// What a span is said to take.
const OF_A_SPAN: usize = 1_000;

// === impl Runs ===

impl Runs {
    /// The traces in these folders and below them.
    fn of(folders: &[PathBuf]) -> Runs {
        let mut spans = Vec::new();
        let mut folders = folders.to_vec();
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|end| end == "zst") {
                    let bytes = fs::read(path).unwrap();
                    spans.extend(formats::read(&bytes).unwrap().spans);
                }
            }
        }
        Runs::from(tree::group(spans))
    }

    fn from(mut traces: Vec<Trace>) -> Runs {
        traces.sort_by_key(|trace| (trace.start_ns(), trace.id()));
        let summary = |trace: &Trace| Summary {
            id: trace.id(),
            start_ns: trace.start_ns(),
            end_ns: trace.end_ns(),
            memory: trace.spans().len() * OF_A_SPAN,
        };
        let summaries = traces.iter().map(summary).collect();
        Runs { traces, summaries }
    }

    fn memory(&self) -> usize {
        self.summaries.iter().map(|summary| summary.memory).sum()
    }

    /// The number of parts, and the rules of the findings of each trace.
    fn found(&self, room: usize) -> (usize, BTreeMap<TraceId, Vec<&'static str>>) {
        let mut found = BTreeMap::new();
        let mut order = Vec::new();
        let mut each = |diagnosis: &Diagnosis<'_>| {
            let names = diagnosis.findings.iter().map(|finding| finding.rule.name);
            let before = found.insert(diagnosis.trace.id(), names.collect());
            assert!(before.is_none(), "each trace is diagnosed once");
            order.push(diagnosis.trace.id());
            Ok::<(), Infallible>(())
        };
        let parts = diagnose_in_parts(self, room, &THRESHOLDS, &mut each);
        let right: Vec<TraceId> = self.summaries.iter().map(|summary| summary.id).collect();
        assert_eq!(order, right);
        (parts.unwrap(), found)
    }
}

impl Source for Runs {
    type Error = Infallible;

    fn traces(&self) -> &[Summary] {
        &self.summaries
    }

    fn read(&self, at: usize) -> Result<Trace, Infallible> {
        Ok(self.traces[at].clone())
    }
}

/// Each run of the shop was recorded in minutes of its own. A part that is larger than a run has all of it, with the
/// traces around those that it diagnoses.
#[test]
fn what_is_found_in_parts_is_what_is_found_in_each_run() {
    // Tests run in the folder of their package.
    let folder = Path::new("../../tests/labelled");
    let folders = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    // Recordings of other systems, which were not made in one run.
    let folders = folders.filter(|folder| !folder.ends_with("elsewhere"));
    let runs: Vec<Runs> = folders.map(|folder| Runs::of(&[folder])).collect();
    let (mut right, mut largest) = (BTreeMap::new(), 0);
    for run in &runs {
        let (parts, found) = run.found(run.memory());
        assert_eq!(parts, 1);
        largest = largest.max(run.memory());
        right.extend(found);
    }
    assert!(right.len() > 400, "{}", right.len());
    let all = Runs::from(runs.into_iter().flat_map(|run| run.traces).collect());
    let (parts, found) = all.found(2 * largest);
    assert!(parts > 5, "{parts}");
    let differ = right.iter().filter(|(id, right)| found[id] != **right);
    let differ: Vec<_> = differ.map(|(id, right)| (id, right, &found[id])).collect();
    assert!(differ.is_empty(), "in {parts} parts: {differ:#?}");
}

/// What is known of traces that lie hours away.
#[test]
fn names_and_answers_of_other_parts_count() {
    const HOUR: f64 = 3_600_000.0;
    let traces = (0..24_u32).map(|number| {
        let at = |ms: f64| HOUR * f64::from(number) + ms;
        let mut trace = TraceBuilder::new(u64::from(number) + 1);
        trace.span((1, 0), "shop", Server, "GET /orders", (at(0.0), at(900.0)));
        let name = format!("load order {}", 4_000 + number);
        trace.span((2, 1), "shop", Internal, &name, (at(1.0), at(2.0)));
        trace
            .span((3, 1), "shop", Client, "GET", (at(10.0), at(890.0)))
            .get("http://stock:8082/stock", 200);
        if number == 0 {
            trace.span((4, 3), "stock", Server, "GET /stock", (at(11.0), at(880.0)));
        }
        trace.build()
    });
    let runs = Runs::from(traces.collect());
    let (_, together) = runs.found(runs.memory());
    let of = |rule: &str| {
        together
            .values()
            .filter(|found| found.contains(&rule))
            .count()
    };
    assert_eq!(
        (of("unbounded-names"), of("partial-trace")),
        (24, 23),
        "{together:?}"
    );
    let (parts, apart) = runs.found(12 * OF_A_SPAN);
    assert!(parts > 10, "{parts}");
    assert_eq!(apart, together);
}
