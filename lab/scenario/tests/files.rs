//! What a file says is what the types hold.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::{num::NonZeroUsize, time::Duration};

use scenario::{Check, Count, Journey, Need, Scenario, Want, parse};
use schedule::{Arrivals, Load};
use trace::Value;

fn parse_with(load: &str, node: &str) -> Scenario {
    let text = format!(
        "name: x\ntitle: X\nload: {load}\nexpect:\n  tree:\n    - span: {{ kind: client }}\n      {node}\n"
    );
    parse("x.yaml", &text).unwrap_or_else(|error| panic!("{error}"))
}

fn check(value: &str) -> Check {
    let mut read = parse_with(
        "{ requests: 1, users: 1 }",
        &format!("attributes: {{ a: {value} }}"),
    );
    read.expect.tree.remove(0).attributes.remove(0).1
}

#[test]
fn every_embedded_scenario_parses_and_bears_the_name_of_its_file() {
    for name in scenario::embedded::names() {
        let read = scenario::embedded(name).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(read.name, name);
        assert!(!read.story.is_empty(), "{name} has no story");
    }
}

#[test]
fn the_checkout_scenario_has_three_lines_and_a_coupon() {
    let read = scenario::find("checkout").unwrap();
    let Journey::Order(order) = &read.journeys[0].journey else {
        panic!("the shop's journey is an order");
    };
    assert_eq!((order.cart_lines, order.coupon), (3, true));
    assert_eq!(
        read.load,
        Some(Load::Closed {
            requests: 20,
            users: NonZeroUsize::new(5).unwrap(),
            ramp: Duration::ZERO,
        })
    );
    assert_eq!(read.expect.trace.orphans, Some(Count::exactly(0)));
}

#[test]
fn a_file_is_loaded_by_its_path() {
    // Tests run in the folder of their package.
    let path = "../../scenarios/checkout.yaml";
    assert_eq!(scenario::find(path).unwrap().name, "checkout");
}

#[test]
fn loads_are_closed_or_open() {
    let closed_for = parse_with("{ users: 4, duration: 1.5s }", "closed: true")
        .load
        .unwrap();
    assert_eq!(
        closed_for,
        Load::ClosedFor {
            users: NonZeroUsize::new(4).unwrap(),
            duration: Duration::from_millis(1500),
            ramp: Duration::ZERO,
        }
    );
    let Load::Open { stages, arrivals } =
        parse_with("{ rate: 30/m, duration: 1h }", "closed: true")
            .load
            .unwrap()
    else {
        panic!("a rate makes an open load");
    };
    assert_eq!(arrivals, Arrivals::Constant);
    assert_eq!(stages.len(), 1);
    assert_eq!(stages[0].from, stages[0].to);
    assert_eq!(
        (stages[0].to.per_second(), stages[0].duration),
        (0.5, Duration::from_secs(3600))
    );
}

#[test]
fn what_something_needs_stands_where_it_is_asked() {
    let read = parse(
        "x.yaml",
        "name: x\ntitle: X\nload: { requests: 1, users: 1 }\n\
         needs: [postgresql, textbook]\n\
         expect: { trace: { roots: 1 } }\n\
         findings: [chatty, { name: lock-wait, needs: textbook }]\n\
         latency: [{ p50: \">= 1ms\" }, { p90: \">= 1ms\", needs: [textbook] }]\n\
         twin: { journey: { cart-lines: 2 } }\n\
         near-miss: { journey: { cart-lines: 3 }, needs: [] }\n",
    )
    .unwrap();
    assert_eq!(read.needs, [Need::Postgresql, Need::Textbook]);
    let findings: Vec<Vec<Need>> = read
        .findings
        .unwrap()
        .into_iter()
        .map(|want| want.needs)
        .collect();
    assert_eq!(findings, [vec![], vec![Need::Textbook]]);
    let latency: Vec<Vec<Need>> = read.latency.into_iter().map(|want| want.needs).collect();
    assert_eq!(latency, [vec![], vec![Need::Textbook]]);
    assert_eq!(
        read.twin.unwrap().needs,
        None,
        "it needs what its scenario needs"
    );
    assert_eq!(read.near_miss.unwrap().needs, Some(vec![]));
}

#[test]
fn a_fault_says_in_the_words_of_the_language_what_it_needs() {
    assert_eq!(Need::from(faults::Need::Postgresql), Need::Postgresql);
    for need in Need::ALL {
        let text = format!(
            "name: x\ntitle: X\nload: {{ requests: 1, users: 1 }}\nneeds: {}\n\
             expect: {{ trace: {{ roots: 1 }} }}\n",
            need.as_str()
        );
        assert_eq!(parse("x.yaml", &text).unwrap().needs, [need]);
    }
}

#[test]
fn a_value_has_the_type_that_it_is_written_with() {
    let values = [
        Value::Int(20),
        Value::Double(20.0),
        Value::String("20".into()),
        Value::Double(19.99),
        Value::Bool(true),
        Value::String("true".into()),
        Value::from(""),
        Value::Empty,
        Value::String("present".into()),
        Value::Int(-3),
    ];
    let written = [
        "20",
        "20.0",
        "\"20\"",
        "19.99",
        "true",
        "'true'",
        "\"\"",
        "empty",
        "\"present\"",
        "-3",
    ];
    for (index, text) in written.iter().enumerate() {
        let Check::AnyOf(wants) = check(text) else {
            panic!("{text} asks for a value")
        };
        for (other, value) in values.iter().enumerate() {
            let matches = wants.iter().any(|want| want.matches(value));
            assert_eq!(
                matches,
                index == other,
                "{text} against {} {value}",
                value.type_name()
            );
        }
    }
}

#[test]
fn typed_values_lists_ranges_and_patterns() {
    let matches = |written: &str, value: Value| match check(written) {
        Check::AnyOf(wants) => wants.iter().any(|want| want.matches(&value)),
        other => panic!("{written} asks for a value, not {other}"),
    };
    assert!(matches("{ int: 3 }", 3.into()));
    assert!(!matches("{ int: 3 }", 3.0.into()));
    assert!(matches("{ double: 3 }", 3.0.into()));
    assert!(!matches("{ double: 3 }", 3.into()));
    assert!(matches("{ double: .nan }", f64::NAN.into()));
    assert!(matches("{ int: [1, 2, 7..9] }", 8.into()));
    assert!(!matches("{ int: [1, 2, 7..9] }", 3.into()));
    assert!(matches("{ int: 3.. }", i64::MAX.into()));
    assert!(!matches("{ int: 3.. }", 2.into()));
    assert!(!matches("{ int: 1..3 }", 2.0.into()));
    assert!(matches("{ double: 0.5..1.5 }", 1.5.into()));
    assert!(!matches("{ double: 0.5..1.5 }", 1.6.into()));
    assert!(!matches("{ double: 0.5..1.5 }", 1.into()));
    assert!(matches("[sqlite, postgresql]", "postgresql".into()));
    assert!(matches("{ matches: \"a|b\" }", "b".into()));
    assert!(
        !matches("{ matches: \"a|b\" }", "bc".into()),
        "patterns are anchored"
    );
    assert!(
        !matches("{ matches: \"a\" }", "a\n".into()),
        "a line break is part of the text"
    );
    assert!(
        !matches("{ matches: \".*\" }", 3.into()),
        "a pattern is of strings"
    );
    assert!(matches("{ string: \"~x\" }", "~x".into()));
}

#[test]
fn durations_are_ranges() {
    let within = |written: &str, duration| {
        let node = &parse_with("{ requests: 1, users: 1 }", &format!("duration: {written}"))
            .expect
            .tree[0];
        node.duration.unwrap().contains(duration)
    };
    let ms = Duration::from_millis;
    assert!(within("\"<= 800ms\"", ms(800)) && !within("\"<= 800ms\"", ms(801)));
    assert!(within("\"< 1s\"", ms(999)) && !within("\"< 1s\"", ms(1000)));
    assert!(within("\">= 1ms\"", ms(1)) && !within("\">= 1ms\"", ms(0)));
    assert!(within("\"> 1ms\"", ms(2)) && !within("\"> 1ms\"", ms(1)));
    assert!(within("10ms..20ms", ms(20)) && !within("10ms..20ms", ms(21)));
}

#[test]
fn messages_say_what_was_asked_for_in_the_words_of_the_file() {
    let cases = [
        ("{ int: [1, 2] }", "int 1 or int 2"),
        ("{ int: 3.. }", "int 3.."),
        ("{ double: 19.99 }", "double 19.99"),
        ("\"20\"", "string \"20\""),
        ("{ matches: \"a.*\" }", "string ~a.*"),
        ("present", "present"),
        ("absent", "absent"),
    ];
    for (written, want) in cases {
        assert_eq!(check(written).to_string(), want);
    }
    let Check::AnyOf(wants) = check("{ int: 1..3 }") else {
        panic!("a range asks for a value")
    };
    assert!(matches!(wants[0], Want::Int(range) if range.min == 1 && range.max == 3));
}

/// What `tracelab expect from` writes, of a system that is not the shop.
#[test]
fn a_file_that_only_checks_needs_nothing_but_its_expectation() {
    let expect = "expect:\n  tree:\n    - span: { service: fleet, name: job, kind: internal }\n";
    let alone = scenario::parse("dir/My job.yaml", expect).unwrap();
    assert_eq!(
        (alone.name.as_str(), alone.title.as_str()),
        ("my-job", "my-job")
    );
    assert!(alone.only_checks());
    let named = scenario::parse("x.yaml", &format!("name: mine\ntitle: Mine\n{expect}")).unwrap();
    assert_eq!(
        (named.name.as_str(), named.title.as_str()),
        ("mine", "Mine")
    );
    assert!(named.only_checks());
    assert_eq!(scenario::lint("x.yaml", expect).len(), 0);

    // What describes a run is complete, and speaks of the shop unless it has a target.
    let error = |text: &str| scenario::parse("x.yaml", text).unwrap_err().to_string();
    let half = error(&format!("name: mine\ntitle: Mine\nfaults: {{}}\n{expect}"));
    assert!(half.contains("has no \"load\""), "{half}");
    let of_shop = format!("name: mine\ntitle: Mine\nload: {{ requests: 1, users: 1 }}\n{expect}");
    assert!(error(&of_shop).contains("the shop has no service \"fleet\""));
    assert!(scenario::parse_to_check("x.yaml", &of_shop).is_ok());
}
