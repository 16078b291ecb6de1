//! The checker is checked: recorded traces of every scenario, changed in every way that there is. A
//! naive evaluation of the same expectation says which mutants contradict it; the checker must catch all
//! of those, and call wrong no other. `cargo test -p expect --test mutants -- --nocapture` prints what
//! the expectations do not speak of.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod naive;
mod operators;

use std::{
    collections::{BTreeMap, HashSet},
    fs,
    path::PathBuf,
    time::Duration,
};

use expect::{Observed, Twin, Verdict, check_with};
use naive::Known;
use scenario::{Expectation, Node, Pattern, Scenario, Text};
use trace::{Span, Trace, TraceId, tree};

/// The recorded traces of a phase: the first that began, and those that have to do with it.
struct Recorded {
    id: TraceId,
    traces: Vec<Trace>,
}

/// The results of the mutants of one scenario.
#[derive(Default)]
struct Tally {
    mutants: usize,
    caught: usize,
    /// By operator and by why they do not contradict: how many.
    unspoken: BTreeMap<(&'static str, String), usize>,
}

fn root() -> PathBuf {
    // Tests run in the folder of their package.
    PathBuf::from("../..")
}

fn scenarios() -> Vec<Scenario> {
    let names = scenario::embedded::names();
    names
        .map(|name| scenario::embedded(name).unwrap())
        .collect()
}

fn recorded(scenario: &str, phase: &str) -> Option<Recorded> {
    let path = root().join(format!("tests/corpus/{scenario}/{phase}.otlp.json.zst"));
    let packed = fs::read(&path).ok()?;
    let text = zstd::decode_all(packed.as_slice()).unwrap();
    let mut traces = tree::group(formats::read(&text).unwrap().spans);
    traces.sort_by_key(Trace::start_ns);
    Some(Recorded {
        id: traces[0].id(),
        traces,
    })
}

/// When a recorded trace had arrived is not recorded: those of the fault had come when they were to,
/// others at once.
#[derive(Clone, Copy)]
enum Arrived {
    AsExpected,
    AtOnce,
}

/// Checks spans both ways; whether the checker and the naive evaluation call them right.
fn both(
    expectation: &Expectation,
    id: TraceId,
    spans: Vec<Span>,
    arrived: Arrived,
    twin: Option<&Recorded>,
) -> (Verdict, bool) {
    let mut traces = tree::group(spans);
    let own = traces.iter().position(|trace| trace.id() == id);
    let own = own.map_or_else(|| Trace::new(id, Vec::new()), |at| traces.remove(at));
    let measured = twin.map(|twin| {
        let (own, related) = (twin.traces[0].clone(), twin.traces[1..].to_vec());
        Twin::measure(expectation, &[(own, related)])
    });
    let arrival = match arrived {
        Arrived::AsExpected => expectation.trace.arrival.map(|want| want.min),
        Arrived::AtOnce => Some(Duration::ZERO),
    };
    let observed = Observed {
        trace: &own,
        related: &traces,
        arrival,
        twin: measured.as_ref(),
    };
    let known = Known {
        trace: &own,
        related: &traces,
        arrival,
        twin: twin.map(|twin| &twin.traces[0]),
    };
    (
        check_with(expectation, observed).verdict,
        naive::holds(expectation, &known),
    )
}

fn spans_of(recorded: &Recorded) -> Vec<Span> {
    let traces = recorded.traces.iter();
    traces.flat_map(|trace| trace.spans().to_vec()).collect()
}

#[test]
fn every_recorded_trace_of_a_fault_is_as_its_scenario_says_and_its_variants_are_not() {
    for scenario in scenarios() {
        let name = &scenario.name;
        let faulty = recorded(name, "faulty").unwrap_or_else(|| panic!("{name} was not recorded"));
        let twin = recorded(name, "twin");
        let checked = both(
            &scenario.expect,
            faulty.id,
            spans_of(&faulty),
            Arrived::AsExpected,
            twin.as_ref(),
        );
        assert_eq!(checked, (Verdict::Pass, true), "{name}");
        for phase in ["twin", "near-miss"] {
            // Where times over all traces belong to the pattern, one trace does not tell.
            let Some(variant) = recorded(name, phase).filter(|_| scenario.latency.is_empty())
            else {
                continue;
            };
            let checked = both(
                &scenario.expect,
                variant.id,
                spans_of(&variant),
                Arrived::AtOnce,
                twin.as_ref(),
            );
            assert_eq!(checked, (Verdict::Fail, false), "{name} {phase}");
        }
    }
}

#[test]
fn every_mutant_that_contradicts_is_caught_and_no_other() {
    let scenarios = scenarios();
    let half = scenarios.len() / 2;
    let (first, second) = scenarios.split_at(half);
    let each = |scenario: &Scenario| {
        (
            scenario.name.clone(),
            tally(&scenario.name, &scenario.expect),
        )
    };
    let tallies: Vec<(String, Tally)> = std::thread::scope(|scope| {
        let other = scope.spawn(|| first.iter().map(each).collect::<Vec<_>>());
        let mut tallies: Vec<_> = second.iter().map(each).collect();
        tallies.extend(other.join().unwrap());
        tallies
    });
    let mutants: usize = tallies.iter().map(|(_, tally)| tally.mutants).sum();
    let caught: usize = tallies.iter().map(|(_, tally)| tally.caught).sum();
    println!(
        "{mutants} mutants: {caught} contradict and are caught, {} do not contradict:",
        mutants - caught
    );
    for (name, tally) in &tallies {
        println!(
            "{name}: {} of {} mutants contradict",
            tally.caught, tally.mutants
        );
        for ((operator, why), count) in &tally.unspoken {
            println!("  {operator}: {count}, {why}");
        }
    }
    assert!(
        mutants > 1_000 * scenarios.len() / 4,
        "too few mutants: {mutants}"
    );
    for (name, tally) in &tallies {
        // An expectation that says next to nothing proves next to nothing.
        assert!(
            tally.caught * 8 > tally.mutants,
            "{name}: {} of {}",
            tally.caught,
            tally.mutants
        );
    }
}

/// The expectation that is derived from a trace speaks of nearly everything.
#[test]
fn of_derived_expectations_the_checker_and_the_naive_evaluation_think_alike() {
    for name in [
        "checkout",
        "errors",
        "poison-message",
        "lost-context-amqp",
        "missing-span",
    ] {
        let trace = &recorded(name, "faulty").unwrap().traces[0];
        let text = format!(
            "name: derived\ntitle: Derived\ntarget: http://127.0.0.1:1\n\
             journey: {{ requests: [{{ path: / }}] }}\nload: {{ requests: 1, users: 1 }}\n{}",
            expect::derive(trace)
        );
        let scenario = scenario::parse("derived.yaml", &text).unwrap();
        let tally = tally(name, &scenario.expect);
        assert!(
            tally.caught * 2 > tally.mutants,
            "{name}: {} of {}",
            tally.caught,
            tally.mutants
        );
    }
}

fn tally(name: &str, expectation: &Expectation) -> Tally {
    let faulty = recorded(name, "faulty").unwrap();
    let twin = recorded(name, "twin");
    let spans = spans_of(&faulty);
    let spoken_of = speaks(expectation);
    let mut tally = Tally::default();
    let mut seen: HashSet<String> = HashSet::new();
    // Of the many spans that are alike, a few are enough.
    let mut changes = |span: &Span| {
        let parent = spans
            .iter()
            .find(|other| Some(other.span_id) == span.parent_span_id);
        let parent = parent.map_or("", |parent| parent.name.as_str());
        (0..2).any(|copy| seen.insert(format!("{} {} {parent} {copy}", span.service(), span.name)))
    };
    let chosen: HashSet<_> = spans
        .iter()
        .filter(|span| changes(span))
        .map(|span| span.span_id)
        .collect();
    for mutant in operators::mutants(&spans, |span| chosen.contains(&span.span_id)) {
        let (verdict, holds) = both(
            expectation,
            faulty.id,
            mutant.spans,
            Arrived::AsExpected,
            twin.as_ref(),
        );
        let what = format!(
            "{name}: {} {} ({})",
            mutant.span.service(),
            mutant.span.name,
            mutant.operator
        );
        let expected = if holds { Verdict::Pass } else { Verdict::Fail };
        assert_eq!(verdict, expected, "{what}");
        tally.mutants += 1;
        if holds {
            let why = why(&spoken_of, &mutant.span);
            *tally.unspoken.entry((mutant.operator, why)).or_default() += 1;
        } else {
            tally.caught += 1;
        }
    }
    tally
}

/// The patterns of all nodes.
fn speaks(expectation: &Expectation) -> Vec<&Pattern> {
    fn node<'e>(of: &'e Node, patterns: &mut Vec<&'e Pattern>) {
        patterns.push(&of.span);
        of.children.iter().for_each(|child| node(child, patterns));
    }
    let mut patterns = Vec::new();
    expectation
        .tree
        .iter()
        .for_each(|of| node(of, &mut patterns));
    patterns
}

/// Why a mutant contradicts nothing.
fn why(patterns: &[&Pattern], span: &Span) -> String {
    let text = |want: &Option<Text>, got: &str| want.as_ref().is_none_or(|want| want.matches(got));
    let means = |pattern: &&&Pattern| {
        text(&pattern.service, span.service())
            && text(&pattern.name, &span.name)
            && pattern.kind.is_none_or(|kind| kind == span.kind)
    };
    match patterns.iter().filter(means).count() {
        0 => "of a span that no node means".to_owned(),
        _ => "of a span of whose node this is not asked".to_owned(),
    }
}
