//! W3C Trace Context level 2, rule by rule: <https://www.w3.org/TR/trace-context-2/>.

use opentelemetry::{
    Context,
    propagation::TextMapPropagator,
    trace::{SpanContext, TraceContextExt},
};
use opentelemetry_sdk::trace::Sampler;
use proptest::prelude::*;
use telemetry::{SavedContext, propagation::StrictTraceContextPropagator};

use crate::{carrier::Headers, recorder::Recorder};

const TRACE: &str = "12345678901234567890123456789012";
const VALID: &str = "00-12345678901234567890123456789012-1234567890123456-01";

// === traceparent ===

#[test]
fn a_valid_traceparent_is_taken_whole() {
    let received = received(&[("traceparent", VALID)]);
    assert!(received.is_remote());
    assert!(received.is_sampled());
    assert_eq!(received.trace_id().to_string(), TRACE);
    assert_eq!(received.span_id().to_string(), "1234567890123456");
}

#[test]
fn no_traceparent_starts_a_trace() {
    assert_starts_a_trace(&[]);
}

#[test]
fn a_traceparent_under_another_name_is_not_seen() {
    assert_starts_a_trace(&[("trace-parent", VALID)]);
    assert_starts_a_trace(&[("trace.parent", VALID)]);
}

#[test]
fn the_name_of_the_header_may_be_in_any_case() {
    for name in ["TraceParent", "TrAcEpArEnT", "TRACEPARENT"] {
        assert!(received(&[(name, VALID)]).is_valid(), "{name}");
    }
}

#[test]
fn two_traceparents_are_as_good_as_none() {
    let other = "00-12345678901234567890123456789011-1234567890123456-01";
    assert_starts_a_trace(&[("traceparent", VALID), ("traceparent", other)]);
    assert_starts_a_trace(&[("traceparent", VALID), ("traceparent", VALID)]);
}

#[test]
fn blanks_around_a_traceparent_are_no_part_of_it() {
    for (before, after) in [(" ", ""), ("\t", ""), ("", " "), ("", "\t"), ("\t ", " \t")] {
        let padded = format!("{before}{VALID}{after}");
        assert!(
            received(&[("traceparent", &padded)]).is_valid(),
            "{padded:?}"
        );
    }
}

#[test]
fn nothing_may_follow_the_flags_in_version_00() {
    assert_refused(&format!("{VALID}."));
    assert_refused(&format!("{VALID}-"));
    assert_refused(&format!("{VALID}-what-the-future-will-be-like"));
}

#[test]
fn a_future_version_is_read_as_far_as_it_is_known() {
    let ids = "12345678901234567890123456789012-1234567890123456";
    assert_taken(&format!("cc-{ids}-01"));
    assert_taken(&format!("cc-{ids}-01-what-the-future-will-be-like"));
    assert_taken(&format!("cc-{ids}-01-"));
    assert_refused(&format!("cc-{ids}-01.what-the-future-will-be-like"));
    assert_refused(&format!("cc-{ids}-011"));
}

#[test]
fn version_ff_is_forbidden() {
    assert_refused("ff-12345678901234567890123456789012-1234567890123456-01");
}

#[test]
fn each_part_has_exactly_its_number_of_lower_case_hexadecimal_digits() {
    const PARTS: [&str; 4] = ["00", TRACE, "1234567890123456", "01"];
    for position in 0..PARTS.len() {
        let good = PARTS[position];
        let short = &good[1..];
        for bad in [
            String::new(),
            short.to_owned(),
            format!("0{good}"),
            format!("00{good}"),
            format!(".{short}"),
            format!("{short}."),
            format!("{short}A"),
            format!("{short}g"),
            format!("+{short}"),
            format!("{short} "),
            format!("{short}\u{e9}"),
        ] {
            let mut parts = PARTS;
            parts[position] = &bad;
            // In a trailing part the blank is the white space around the header.
            if position == 3 && bad.ends_with(' ') {
                continue;
            }
            assert_refused(&parts.join("-"));
        }
    }
}

#[test]
fn a_part_that_is_missing_is_not_made_up() {
    for header in [
        "",
        "-",
        "00",
        "00-",
        "---",
        "00-12345678901234567890123456789012",
    ] {
        assert_refused(header);
    }
    assert_refused("00-12345678901234567890123456789012-1234567890123456");
    assert_refused(&VALID.replace('-', "_"));
}

#[test]
fn ids_of_zeros_only_are_invalid() {
    assert_refused("00-00000000000000000000000000000000-1234567890123456-01");
    assert_refused("00-12345678901234567890123456789012-0000000000000000-01");
}

// === Flags ===

#[test]
fn sampled_and_random_are_passed_on_and_unknown_flags_are_not() {
    for (came, goes) in [
        ("00", "00"),
        ("01", "01"),
        ("02", "02"),
        ("03", "03"),
        ("04", "00"),
        ("ff", "03"),
    ] {
        let header = format!("00-{TRACE}-1234567890123456-{came}");
        let sent = passed_on(&[("traceparent", &header)]);
        let expected = format!("00-{TRACE}-1234567890123456-{goes}");
        assert_eq!(sent.get("traceparent"), Some(expected.as_str()), "{came}");
    }
}

#[test]
fn the_random_flag_goes_through_spans_as_it_came_whether_sampled_or_not() {
    for sampler in [
        Sampler::ParentBased(Box::new(Sampler::AlwaysOn)),
        Sampler::AlwaysOff,
    ] {
        for (came, random) in [("00", false), ("01", false), ("02", true), ("03", true)] {
            let _recorder = Recorder::with_sampler(sampler.clone());
            let header = format!("00-{TRACE}-1234567890123456-{came}");
            let caller = serde_json::json!({ "traceparent": header }).to_string();
            let sent = sent_by_a_child_of(&SavedContext::from_json(&caller));
            assert_eq!(flags(&sent) & 0x02 != 0, random, "{came}, {sampler:?}");
        }
    }
}

#[test]
fn a_trace_that_starts_here_says_that_its_id_is_random() {
    for (sampler, goes) in [(Sampler::AlwaysOn, 0x03), (Sampler::AlwaysOff, 0x02)] {
        let _recorder = Recorder::with_sampler(sampler);
        assert_eq!(flags(&sent_by_a_child_of(&SavedContext::default())), goes);
    }
}

// === tracestate ===

#[test]
fn tracestate_without_a_valid_traceparent_is_not_even_looked_at() {
    let sent = passed_on(&[("tracestate", "foo=1")]);
    assert_eq!(sent.get("tracestate"), None);
    let sent = passed_on(&[("traceparent", "no"), ("tracestate", "foo=1")]);
    assert_eq!(sent.get("tracestate"), None);
}

#[test]
fn tracestate_is_passed_on_in_its_order() {
    assert_eq!(state(&["foo=1,bar=2"]).as_deref(), Some("foo=1,bar=2"));
    assert_eq!(state(&["bar=2,foo=1"]).as_deref(), Some("bar=2,foo=1"));
}

#[test]
fn a_broken_tracestate_does_not_break_the_trace() {
    let received = received(&[("traceparent", VALID), ("tracestate", "foo=1,foo=2")]);
    assert_eq!(received.trace_id().to_string(), TRACE);
    assert_eq!(received.trace_state().header(), "");
}

#[test]
fn the_name_of_tracestate_may_be_in_any_case_but_no_other() {
    for (name, taken) in [
        ("TraceState", true),
        ("TRACESTATE", true),
        ("trace-state", false),
        ("trace.state", false),
    ] {
        let sent = passed_on(&[("traceparent", VALID), (name, "foo=1")]);
        assert_eq!(sent.get("tracestate").is_some(), taken, "{name}");
    }
}

#[test]
fn several_tracestate_headers_are_one_list() {
    let sent = state(&["foo=1,bar=2", "rojo=1,congo=2", "baz=3"]);
    assert_eq!(sent.as_deref(), Some("foo=1,bar=2,rojo=1,congo=2,baz=3"));
}

#[test]
fn empty_headers_and_empty_members_are_skipped() {
    assert_eq!(state(&[""]), None);
    assert_eq!(state(&["foo=1", ""]).as_deref(), Some("foo=1"));
    assert_eq!(state(&["", "foo=1"]).as_deref(), Some("foo=1"));
    assert_eq!(
        state(&["foo=1,, \t ,bar=2,"]).as_deref(),
        Some("foo=1,bar=2")
    );
}

#[test]
fn blanks_around_members_are_no_part_of_them() {
    for padded in [
        "foo=1 \t , \t bar=2",
        "foo=1\t \t,\t \tbar=2",
        " foo=1,bar=2",
        "\tfoo=1,bar=2\t",
        "\t foo=1,bar=2 \t",
    ] {
        assert_eq!(
            state(&[padded]).as_deref(),
            Some("foo=1,bar=2"),
            "{padded:?}"
        );
    }
}

#[test]
fn a_key_that_comes_twice_discards_the_list() {
    assert_eq!(state(&["foo=1,foo=1"]), None);
    assert_eq!(state(&["foo=1,foo=2"]), None);
    assert_eq!(state(&["foo=1", "foo=2"]), None);
}

#[test]
fn all_characters_that_are_allowed_are_kept() {
    let key = "abcdefghijklmnopqrstuvwxyz0123456789_-*/";
    let value: String = (' '..='~').filter(|c| !",=".contains(*c)).collect();
    for member in [
        format!("{key}={value}"),
        format!("{key}@a-z0-9_-*/={value}"),
    ] {
        assert_eq!(state(&[&member]).as_deref(), Some(member.as_str()));
    }
}

#[test]
fn a_key_with_another_character_discards_the_list() {
    for key in [
        "foo ", "FOO", "foo.bar", "f\u{e9}", "_foo", "-foo", "foo\t", "",
    ] {
        assert_eq!(state(&[&format!("{key}=1,bar=2")]), None, "{key:?}");
    }
}

#[test]
fn a_vendor_is_one_part_behind_one_at_sign() {
    for key in ["foo@", "@foo", "foo@@bar", "foo@bar@baz", "@"] {
        assert_eq!(state(&[&format!("{key}=1,bar=2")]), None, "{key:?}");
    }
    assert_eq!(state(&["foo@bar=1"]).as_deref(), Some("foo@bar=1"));
}

#[test]
fn keys_have_their_longest_lengths() {
    let (z, t, v) = (|n| "z".repeat(n), |n| "t".repeat(n), |n| "v".repeat(n));
    for (key, taken) in [
        (z(256), true),
        (z(257), false),
        (format!("{}@{}", t(241), v(14)), true),
        (format!("{}@v", t(242)), false),
        (format!("t@{}", v(14)), true),
        (format!("t@{}", v(15)), false),
    ] {
        let sent = state(&["foo=1", &format!("{key}=1")]);
        let expected = taken.then(|| format!("foo=1,{key}=1"));
        assert_eq!(sent, expected, "a key of {} characters", key.len());
    }
}

#[test]
fn a_value_that_is_not_allowed_discards_the_list() {
    for value in ["bar=baz", "", "caf\u{e9}", "a\tb", "a\u{7f}"] {
        assert_eq!(state(&[&format!("foo={value},bar=3")]), None, "{value:?}");
    }
    assert_eq!(state(&["foo"]), None);
}

#[test]
fn a_value_has_at_most_256_characters() {
    let longest = format!("foo={}", "v".repeat(256));
    assert_eq!(state(&[&longest]).as_deref(), Some(longest.as_str()));
    assert_eq!(state(&[&format!("{longest}v")]), None);
}

#[test]
fn a_list_has_at_most_32_members() {
    let list = |count: usize| -> String {
        let members: Vec<_> = (1..=count).map(|n| format!("bar{n:02}={n:02}")).collect();
        members.join(",")
    };
    assert_eq!(state(&[&list(32)]), Some(list(32)));
    assert_eq!(state(&[&list(33)]), None);
    assert_eq!(state(&[&list(32), "one=more"]), None);
}

#[test]
fn a_vendor_of_14_characters_survives_the_spans_in_between() {
    let _recorder = Recorder::start();
    let member = format!("t@{}=1", "v".repeat(14));
    let caller = serde_json::json!({ "traceparent": VALID, "tracestate": member }).to_string();
    let sent = sent_by_a_child_of(&SavedContext::from_json(&caller));
    assert_eq!(sent["tracestate"], member);
}

// === Injection ===

#[test]
fn nothing_is_sent_where_there_is_no_span() {
    let mut headers = Headers::default();
    StrictTraceContextPropagator::default().inject_context(&Context::new(), &mut headers);
    assert_eq!(headers, Headers::default());
}

#[test]
fn an_empty_tracestate_is_not_sent() {
    assert_eq!(passed_on(&[("traceparent", VALID)]).get("tracestate"), None);
}

proptest! {
    #[test]
    fn any_valid_context_goes_through_unchanged(
        trace in "[0-9a-f]{31}[1-9a-f]",
        parent in "[0-9a-f]{15}[1-9a-f]",
        flags in 0_u8..4,
        members in proptest::collection::btree_map(
            "[a-z0-9][a-z0-9_*/-]{0,20}(@[a-z0-9][a-z0-9_*/-]{0,13})?",
            "[ -+.-<>-~]{0,30}[!-+.-<>-~]",
            0..=32,
        ),
    ) {
        let traceparent = format!("00-{trace}-{parent}-{flags:02x}");
        let members: Vec<_> = members.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let tracestate = members.join(",");
        let sent = passed_on(&[("traceparent", &traceparent), ("tracestate", &tracestate)]);
        prop_assert_eq!(sent.get("traceparent"), Some(traceparent.as_str()));
        prop_assert_eq!(sent.get("tracestate").unwrap_or_default(), tracestate);
    }

    #[test]
    fn no_header_makes_it_panic_or_pass_on_something_invalid(
        traceparents in proptest::collection::vec(near("00-0a-1b-01"), 0..3),
        tracestates in proptest::collection::vec(near("foo=1,b@c=2"), 0..4),
    ) {
        let headers: Vec<_> = traceparents.iter().map(|value| ("traceparent", value.as_str()))
            .chain(tracestates.iter().map(|value| ("tracestate", value.as_str())))
            .collect();
        let sent = passed_on(&headers);
        let again: Vec<_> = sent.iter().collect();
        prop_assert_eq!(passed_on(&again), sent, "what is sent must be taken as it is");
    }
}

/// Any text, valid headers, and valid headers with a piece replaced.
fn near(sample: &'static str) -> impl Strategy<Value = String> {
    let valid = if sample.starts_with("00") {
        VALID
    } else {
        sample
    };
    prop_oneof![
        ".*",
        Just(valid.to_owned()),
        (0..valid.len(), ".{0,3}").prop_map(move |(at, piece)| {
            format!("{}{piece}{}", &valid[..at], &valid[at + 1..])
        }),
    ]
}

// === What the tests ask ===

fn received(headers: &[(&str, &str)]) -> SpanContext {
    let context = StrictTraceContextPropagator::default()
        .extract_with_context(&Context::new(), &Headers::of(headers));
    context.span().span_context().clone()
}

/// What goes out when these headers came in and no span is in between.
fn passed_on(headers: &[(&str, &str)]) -> Headers {
    let propagator = StrictTraceContextPropagator::default();
    let context = propagator.extract_with_context(&Context::new(), &Headers::of(headers));
    let mut sent = Headers::default();
    propagator.inject_context(&context, &mut sent);
    sent
}

/// The `tracestate` that goes out when these came in.
fn state(tracestates: &[&str]) -> Option<String> {
    let mut headers = vec![("traceparent", VALID)];
    headers.extend(tracestates.iter().map(|value| ("tracestate", *value)));
    passed_on(&headers).get("tracestate").map(ToOwned::to_owned)
}

/// What the child of a child of a context sends, as the fields of a carrier.
fn sent_by_a_child_of(context: &SavedContext) -> serde_json::Value {
    let outer = tracing::info_span!("outer");
    context.adopt(&outer);
    let sent = outer.in_scope(|| tracing::info_span!("inner").in_scope(SavedContext::current));
    serde_json::from_str(&sent.to_json()).unwrap()
}

fn flags(sent: &serde_json::Value) -> u8 {
    let traceparent = sent["traceparent"].as_str().expect("a traceparent is sent");
    let (_, flags) = traceparent.rsplit_once('-').unwrap();
    u8::from_str_radix(flags, 16).unwrap()
}

#[track_caller]
fn assert_taken(traceparent: &str) {
    let received = received(&[("traceparent", traceparent)]);
    assert_eq!(received.trace_id().to_string(), TRACE, "{traceparent:?}");
}

#[track_caller]
fn assert_refused(traceparent: &str) {
    assert_starts_a_trace(&[("traceparent", traceparent)]);
}

#[track_caller]
fn assert_starts_a_trace(headers: &[(&str, &str)]) {
    assert_eq!(
        received(headers),
        SpanContext::empty_context(),
        "{headers:?}"
    );
}
