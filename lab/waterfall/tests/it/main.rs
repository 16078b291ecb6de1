//! The picture: it is what a user sees first, so its healthy form is kept here letter by letter.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use expect_test::expect_file;
use proptest::{collection::vec, prelude::*};
use testing::spans::{any_span, healthy, link, span, span_id, trace_id};
use trace::{Kind, Span, StatusCode, Trace};
use unicode_width::UnicodeWidthStr;
use waterfall::Style;

fn draw(spans: Vec<Span>, width: usize) -> String {
    waterfall::render(
        &Trace::new(trace_id(), spans),
        &Style {
            width,
            colour: false,
        },
    )
}

/// The lines of the picture below its titles, each without its bar and time.
fn tree(picture: &str) -> Vec<&str> {
    let lines = picture.lines().skip(3);
    lines
        .map(|line| line.split("  s  ").next().unwrap().trim_end())
        .collect()
}

#[test]
fn the_healthy_trace_is_drawn_in_a_hundred_columns() {
    expect_file!["healthy.txt"].assert_eq(&draw(healthy(), 100));
}

#[test]
fn a_failed_span_says_why() {
    let mut spans = vec![span(1, 0, "s", Kind::Server, "POST /checkout", 0, 10)];
    spans.push(span(2, 1, "s", Kind::Client, "POST", 1, 9));
    spans[1].status.code = StatusCode::Error;
    spans[1].status.message = "card declined".into();
    let picture = draw(spans, 100);
    assert!(
        picture
            .lines()
            .next()
            .unwrap()
            .ends_with("2 spans · 1 service · 1 error"),
        "{picture}"
    );
    let failed = picture
        .lines()
        .find(|line| line.starts_with("└─ POST"))
        .unwrap();
    assert!(failed.ends_with("8.00 ms ✗"), "{picture}");
    assert!(picture.contains("\n      ✗ card declined\n"), "{picture}");
}

#[test]
fn orphans_stand_below_the_parent_that_is_missing() {
    let spans = vec![
        span(1, 0, "s", Kind::Server, "root", 0, 9),
        span(2, 7, "s", Kind::Internal, "first", 1, 2),
        span(3, 7, "s", Kind::Internal, "second", 3, 4),
        span(4, 8, "s", Kind::Internal, "alone", 5, 6),
        span(5, 2, "s", Kind::Internal, "child", 1, 2),
    ];
    let picture = draw(spans, 100);
    assert!(
        picture
            .lines()
            .next()
            .unwrap()
            .ends_with("no errors · 3 orphans"),
        "{picture}"
    );
    let tree = tree(&picture);
    let names: Vec<_> = tree
        .iter()
        .map(|line| line.split("  s ").next().unwrap().trim_end())
        .collect();
    assert_eq!(
        names,
        [
            "root",
            "(the parent of these 2 spans, 0000000000000007, is missing)",
            "├─ first",
            "│  └─ child",
            "└─ second",
            "(the parent of this span, 0000000000000008, is missing)",
            "└─ alone",
        ],
        "{picture}"
    );
}

#[test]
fn a_link_says_where_it_leads() {
    let other = "11112222333344445555666677778888".parse().unwrap();
    let mut spans = healthy();
    spans[26].links = vec![
        link(trace_id(), 8),
        link(trace_id(), 99),
        link(other, 5),
        link(other, 6),
        link(other, 7),
        link(other, 8),
    ];
    let picture = draw(spans, 100);
    for words in [
        "~> link to its parent, send shop:order.placed\n",
        "~> link to SELECT products (inventory)\n",
        "~> link to span 0000000000000063, which is missing here\n",
        "~> link to span 0000000000000005 of trace 11112222333344445555666677778888\n",
        "~> and 2 more links\n",
    ] {
        assert!(
            picture.contains(words),
            "{words:?} is missing in:\n{picture}"
        );
    }
}

#[test]
fn what_is_wrong_with_the_tree_is_said() {
    let spans = vec![
        span(1, 2, "s", Kind::Internal, "hen", 0, 9),
        span(2, 1, "s", Kind::Internal, "egg", 1, 2),
        span(2, 1, "s", Kind::Internal, "egg", 1, 2),
    ];
    let picture = draw(spans, 100);
    assert!(
        picture.contains("(its parents lead back to itself; cut here)\nhen "),
        "{picture}"
    );
    assert_eq!(
        picture
            .matches("= span id 0000000000000002 is here 2 times")
            .count(),
        2,
        "{picture}"
    );
    assert!(
        picture
            .lines()
            .next()
            .unwrap()
            .ends_with("no errors · no root"),
        "{picture}"
    );
}

#[test]
fn a_consumer_that_ends_after_the_root_is_on_the_same_axis() {
    let spans = vec![
        span(1, 0, "s", Kind::Server, "root", 0, 50),
        span(2, 1, "s", Kind::Consumer, "later", 50, 100),
    ];
    let picture = draw(spans, 100);
    let bar = |name: &str| {
        let line = picture.lines().find(|line| line.contains(name)).unwrap();
        let columns: Vec<usize> = line
            .chars()
            .enumerate()
            .filter(|(_, c)| ('\u{2580}'..='\u{259f}').contains(c))
            .map(|(at, _)| at)
            .collect();
        (columns[0], *columns.last().unwrap())
    };
    let (root, later) = (bar("root"), bar("later"));
    assert!(
        later.0 >= root.1 && later.1 > later.0,
        "{root:?} {later:?}\n{picture}"
    );
}

#[test]
fn however_short_a_span_is_its_bar_can_be_seen() {
    let mut spans: Vec<Span> = (1..=50)
        .map(|at| {
            span(
                at + 1,
                1,
                "s",
                Kind::Internal,
                &format!("blink {at}"),
                at * 20,
                at * 20,
            )
        })
        .collect();
    spans.push(span(1, 0, "s", Kind::Server, "root", 0, 1000));
    let picture = draw(spans, 80);
    for line in picture.lines().filter(|line| line.contains("blink")) {
        assert!(
            line.chars().any(|c| ('\u{2580}'..='\u{259f}').contains(&c)),
            "no bar: {line}"
        );
    }
}

#[test]
fn names_cannot_steer_the_terminal() {
    let mut evil = span(
        1,
        0,
        "s\x1b[2J",
        Kind::Server,
        "a\x1b[31mb\nc\u{202e}d",
        0,
        1,
    );
    evil.status.code = StatusCode::Error;
    evil.status.message = "one\r\ntwo\x07".into();
    let picture = draw(vec![evil], 100);
    let dangerous = picture
        .chars()
        .find(|c| (c.is_control() && *c != '\n') || *c == '\u{202e}');
    assert_eq!(dangerous, None, "{picture:?}");
    assert_eq!(picture.lines().count(), 5, "{picture}");
}

#[test]
fn a_service_has_one_colour_in_every_picture() {
    let colour_of = |spans: Vec<Span>| {
        let picture = waterfall::render(
            &Trace::new(trace_id(), spans),
            &Style {
                width: 100,
                colour: true,
            },
        );
        let at = picture.find("mpayment").expect("the service is painted");
        picture[..at].rsplit('\x1b').next().unwrap().to_owned()
    };
    let alone = vec![span(1, 0, "payment", Kind::Server, "x", 0, 1)];
    assert_eq!(colour_of(alone), colour_of(healthy()));
}

#[test]
fn a_chain_of_a_hundred_thousand_spans_is_drawn() {
    let spans = (1..=100_000)
        .map(|id| span(id, id - 1, "s", Kind::Internal, "deeper", id, id + 1))
        .collect();
    let picture = draw(spans, 100);
    assert_eq!(picture.lines().count(), 100_003);
    assert!(picture.lines().last().unwrap().contains("└─ deeper"));
}

#[test]
fn a_trace_without_spans_is_one_line() {
    assert_eq!(draw(Vec::new(), 100).lines().count(), 1);
}

#[test]
fn durations_have_three_digits_and_a_unit() {
    let words = |ns| waterfall::duration_in_words(std::time::Duration::from_nanos(ns));
    let cases = [
        (0, "0 ns"),
        (999, "999 ns"),
        (1_000, "1.00 µs"),
        (18_340, "18.3 µs"),
        (999_499, "999 µs"),
        (999_600, "1.00 ms"),
        (155_000_000, "155 ms"),
        (1_250_000_000, "1.25 s"),
        (99_960_000_000, "1.67 min"),
        (u64::MAX, "213504 d"),
    ];
    for (ns, expected) in cases {
        assert_eq!(words(ns), expected, "{ns} ns");
    }
}

#[test]
fn machines_get_the_tree_in_milliseconds() {
    let json = waterfall::to_json(&Trace::new(trace_id(), healthy()));
    assert_eq!(json["trace_id"], trace_id().to_string());
    assert_eq!(json["duration_ms"], 201.0);
    let spans = json["spans"].as_array().unwrap();
    assert_eq!(spans.len(), 27);
    assert_eq!(spans[0]["parent_span_id"], serde_json::Value::Null);
    assert_eq!(
        (&spans[0]["depth"], &spans[0]["top"]),
        (&0.into(), &"root".into())
    );
    let consumer = spans
        .iter()
        .find(|span| span["kind"] == "consumer")
        .unwrap();
    assert_eq!(consumer["service"], "email");
    assert_eq!(
        (&consumer["start_ms"], &consumer["duration_ms"]),
        (&156.0.into(), &45.0.into())
    );
    assert_eq!(consumer["links"][0]["span_id"], span_id(24).to_string());
    assert_eq!(consumer["status"], "unset");
}

proptest! {
    /// Any spans, any width: each span has its line, and no line is too long.
    #[test]
    fn no_line_is_longer_than_the_width(mut spans in vec(any_span(), 1..12), width in 40..200_usize) {
        for (number, span) in (0..).zip(&mut spans) {
            span.trace_id = trace_id();
            span.span_id = span_id(number / 2 + 1);
            span.parent_span_id = (number > 2).then(|| span_id(number / 3));
        }
        let count = spans.len();
        let picture = draw(spans, width);
        for line in picture.lines() {
            prop_assert!(line.width() <= width, "{} columns of {width}: {line}\n{picture}", line.width());
        }
        prop_assert!(picture.lines().count() >= count + 3);
    }
}
