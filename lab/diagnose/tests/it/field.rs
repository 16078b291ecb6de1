//! Traces of programs outside the shop, made after public reports: what each must show, and must not.

use std::fs;

use diagnose::{Diagnosis, Finding, Severity, THRESHOLDS, diagnose, report};
use serde_json::Value as Json;
use trace::{Kind, Trace, tree};

use testing::spans::{span, trace_id};

fn read(name: &str) -> Vec<Trace> {
    // Tests run in the folder of their package.
    let bytes = fs::read(format!("tests/field/{name}.json")).unwrap();
    tree::group(formats::read(&bytes).unwrap().spans)
}

fn all(name: &str, check: impl Fn(&[Diagnosis<'_>])) {
    let traces = read(name);
    check(&diagnose(&traces, &[], &THRESHOLDS));
}

fn names<'d>(diagnosis: &'d Diagnosis<'_>) -> Vec<&'d str> {
    let findings = diagnosis.findings.iter();
    findings.map(|finding| finding.rule.name).collect()
}

fn found<'d>(diagnosis: &'d Diagnosis<'_>, name: &str) -> &'d Finding {
    let mut findings = diagnosis.findings.iter();
    findings
        .find(|finding| finding.rule.name == name)
        .unwrap_or_else(|| panic!("no {name} in {:?}", names(diagnosis)))
}

/// The milliseconds of a span's own time on the path of the request.
fn own(diagnosis: &Diagnosis<'_>, name: &str) -> f64 {
    let path = diagnosis.path().unwrap();
    let named = path.through(|place| diagnosis.trace.span(place).name == name);
    named.as_secs_f64() * 1e3
}

#[test]
fn serial_steps_that_overlap_a_little_are_all_on_the_path() {
    all("serial-1us-overlap", |found| {
        assert_eq!(own(&found[0], "load user").round(), 500.0);
        assert_eq!(own(&found[0], "load cart").round(), 500.0);
        let path = found[0].path().unwrap();
        assert_eq!(path.total().as_nanos(), 1_000_000_000);
    });
    all("many-serial-1us-overlap", |found| {
        let trace = &found[0].trace;
        let steps = trace
            .spans()
            .iter()
            .filter(|span| span.parent_span_id.is_some());
        for step in steps {
            assert!(
                (own(&found[0], &step.name) - 100.0).abs() < 0.1,
                "{}",
                step.name
            );
        }
    });
    all("node-serial-awaits", |found| {
        assert!(
            own(&found[0], "ask ledger") >= 289.0,
            "{}",
            own(&found[0], "ask ledger")
        );
    });
}

#[test]
fn short_calls_at_the_same_time_are_not_serial() {
    // 0.8 ms each, of which 0.7 together.
    let mut first = span(2, 1, "a", Kind::Client, "first", 0, 1);
    let mut second = span(3, 1, "a", Kind::Client, "second", 0, 1);
    let begin = first.start_ns;
    first.end_ns = begin + 800_000;
    (second.start_ns, second.end_ns) = (begin + 100_000, begin + 900_000);
    let root = span(1, 0, "a", Kind::Server, "root", 0, 1);
    let traces = [Trace::new(trace_id(), vec![root, first, second])];
    let found = diagnose(&traces, &[], &THRESHOLDS);
    assert_eq!(own(&found[0], "first"), 0.0);
    assert_eq!(own(&found[0], "second"), 0.8);
}

#[test]
fn reads_of_a_service_whose_clock_is_coarse_are_in_sequence() {
    for name in ["node-sequential-reads", "sequential-reads-control"] {
        all(name, |diagnoses| {
            let finding = found(&diagnoses[0], "sequential-calls");
            assert!(finding.cost.as_millis() >= 200, "{name}: {finding:?}");
        });
    }
    all("node-n-plus-one", |diagnoses| {
        assert!(!found(&diagnoses[0], "n-plus-one").cost.is_zero());
    });
}

#[test]
fn work_that_goes_on_after_its_request_has_a_path_of_its_own() {
    all("fire-and-forget", |found| {
        let path = found[0].path().unwrap();
        assert_eq!(path.total().as_millis(), 30);
        let document = report::to_json(found, &[]);
        let paths = document["traces"][0]["paths"].as_array().unwrap();
        assert_eq!(paths.len(), 1);
        assert_eq!(paths[0]["name"], "render export");
        assert_eq!(paths[0]["ms"], 4_970.0);
        let sections = paths[0]["critical_path"].as_array().unwrap();
        let sum: f64 = sections
            .iter()
            .filter_map(|section| section["ms"].as_f64())
            .sum();
        assert_eq!(sum, 4_970.0);
        let text = report::text(&found[0], report::Style::default());
        assert!(
            text.contains("After its request had ended: render export, below POST /export"),
            "{text}"
        );
    });
}

#[test]
fn other_roots_have_a_path_of_their_own() {
    let traces = [Trace::new(
        trace_id(),
        vec![
            span(1, 0, "a", Kind::Server, "root", 0, 100),
            span(2, 0, "a", Kind::Internal, "clean up", 50, 400),
        ],
    )];
    let found = diagnose(&traces, &[], &THRESHOLDS);
    let text = report::text(&found[0], report::Style::default());
    assert!(
        text.contains("Beside it, from a root of its own: clean up"),
        "{text}"
    );
}

#[test]
fn work_that_begins_after_its_consumer_has_ended_is_told() {
    // A generator that hands out messages: its span ends before the work begins, and stays current.
    let traces = [Trace::new(
        trace_id(),
        vec![
            span(1, 0, "a", Kind::Producer, "send", 0, 5),
            span(2, 1, "b", Kind::Consumer, "receive", 10, 12),
            span(3, 2, "b", Kind::Internal, "work", 20, 220),
        ],
    )];
    let found = diagnose(&traces, &[], &THRESHOLDS);
    let text = report::text(&found[0], report::Style::default());
    assert!(
        text.contains("After its request had ended: work, below receive"),
        "{text}"
    );
    assert!(text.contains("200 ms 100.0 %  b          work"), "{text}");
}

#[test]
fn two_spans_of_one_send_are_one_send() {
    let traces = [Trace::new(
        trace_id(),
        vec![
            span(1, 0, "a", Kind::Server, "root", 0, 100),
            span(2, 1, "a", Kind::Producer, "publish", 10, 50),
            span(3, 2, "a", Kind::Producer, "publish", 11, 49),
        ],
    )];
    let found = diagnose(&traces, &[], &THRESHOLDS);
    assert_eq!(found[0].later().count(), 0);
    assert_eq!(own(&found[0], "publish"), 40.0);
}

#[test]
fn the_reason_of_an_error_may_be_in_an_attribute() {
    all("grpc-reason-in-attributes", |diagnoses| {
        let error = found(&diagnoses[0], "error");
        let reason = "14 UNAVAILABLE: No connection established";
        assert!(error.evidence.contains(reason), "{}", error.evidence);
    });
}

#[test]
fn of_a_client_in_a_client_the_inner_one_is_the_call() {
    all("client-in-client", |diagnoses| {
        let slow = diagnoses[0].findings.iter();
        let slow: Vec<&Finding> = slow
            .filter(|finding| finding.rule.name == "slow-external")
            .collect();
        assert_eq!(slow.len(), 1, "{slow:?}");
        assert_eq!(slow[0].facts["duration_ms"], Json::from(1_830.0));
    });
}

#[test]
fn taking_a_connection_is_no_query() {
    all("n-plus-one-with-pool-connect", |diagnoses| {
        let text = report::text(&diagnoses[0], report::Style::default());
        let (_, findings) = text.split_once("\nFindings").unwrap();
        assert!(!findings.contains("pg-pool.connect"), "{findings}");
        assert!(names(&diagnoses[0]).contains(&"n-plus-one"), "{findings}");
    });
}

#[test]
fn what_is_nearly_none_of_the_wait_is_information() {
    all("loop-of-work-with-tiny-queries", |diagnoses| {
        for finding in &diagnoses[0].findings {
            assert_eq!(finding.severity, Severity::Info, "{finding:?}");
            assert!(
                !finding.evidence.contains("save some 0"),
                "{}",
                finding.evidence
            );
        }
    });
}

#[test]
fn queries_of_one_shape_at_once_are_information() {
    all("n-plus-one-at-once", |diagnoses| {
        let finding = found(&diagnoses[0], "n-plus-one");
        assert_eq!(finding.severity, Severity::Info);
        assert!(
            finding.evidence.contains("sent at once"),
            "{}",
            finding.evidence
        );
    });
}

#[test]
fn trace_ids_that_were_cut_to_64_bits_are_told() {
    all("id-cut-to-64-bits", |diagnoses| {
        assert_eq!(diagnoses.len(), 2);
        for diagnosis in diagnoses {
            let finding = found(diagnosis, "broken-propagation");
            assert!(finding.evidence.contains("64 bits"), "{}", finding.evidence);
        }
    });
}

#[test]
fn a_span_without_a_length_says_nothing_of_clocks() {
    all("redirect-without-length", |diagnoses| {
        for diagnosis in diagnoses {
            assert_eq!(names(diagnosis), [""; 0]);
        }
    });
}
