//! `tracestate`: one list, kept whole or discarded whole (section 3.3).

use telemetry::SavedContext;

use super::{TRACE, VALID, passed_on, received, sent_by_a_child_of, state};
use crate::recorder::Recorder;

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
    let received = received(&[("traceparent", VALID), ("tracestate", "foo=1,FOO=2")]);
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
fn a_key_that_comes_twice_is_kept_as_it_came() {
    for (tracestates, sent) in [
        (vec!["foo=1,foo=1"], "foo=1,foo=1"),
        (vec!["foo=1,foo=2"], "foo=1,foo=2"),
        (vec!["foo=1", "foo=1"], "foo=1,foo=1"),
        (vec!["foo=1", "bar=3,foo=2"], "foo=1,bar=3,foo=2"),
    ] {
        assert_eq!(
            state(&tracestates).as_deref(),
            Some(sent),
            "{tracestates:?}"
        );
    }
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
fn an_at_sign_may_stand_anywhere_in_a_key_but_first() {
    for key in ["foo@", "foo@@bar", "foo@bar@baz", "foo@bar", "0@"] {
        let list = format!("{key}=1,bar=2");
        assert_eq!(state(&[&list]), Some(list));
    }
    for key in ["@foo", "@"] {
        assert_eq!(state(&[&format!("{key}=1,bar=2")]), None, "{key:?}");
    }
}

#[test]
fn keys_have_their_longest_lengths() {
    let (z, t, v) = (|n| "z".repeat(n), |n| "t".repeat(n), |n| "v".repeat(n));
    for (key, taken) in [
        (z(256), true),
        (z(257), false),
        (format!("{}@{}", t(241), v(14)), true),
        (format!("{}@v", t(242)), true),
        (format!("{}@v", t(254)), true),
        (format!("{}@v", t(255)), false),
        (format!("t@{}", v(15)), true),
        (format!("t@{}", v(254)), true),
        (format!("t@{}", v(255)), false),
        (format!("t{}", "@".repeat(255)), true),
        (format!("t{}", "@".repeat(256)), false),
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
fn what_the_sdk_cannot_hold_survives_the_spans_in_between() {
    let _recorder = Recorder::start();
    for list in [
        format!("t@{}=1", "v".repeat(254)),
        "foo@@bar=1,foo@bar@baz=2".to_owned(),
        "foo=1,foo=2".to_owned(),
    ] {
        let caller = serde_json::json!({ "traceparent": VALID, "tracestate": list }).to_string();
        let sent = sent_by_a_child_of(&SavedContext::from_json(&caller));
        assert_eq!(sent["tracestate"], list);
    }
}
