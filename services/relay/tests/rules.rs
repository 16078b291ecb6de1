//! The rules of the public W3C trace-context test suite, level 2 and strict, over real HTTP: for each
//! received header, the headers that the call back must have. `telemetry` tests each rule alone.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
#![expect(clippy::disallowed_types, reason = "the bans are for what users run")]

mod harness;
#[path = "../../chassis/tests/support/silent_telemetry.rs"]
mod silent_telemetry;

use std::collections::BTreeSet;

use harness::Harness;
use serde_json::{Value, json};

const TRACE: &str = "12345678901234567890123456789012";
const PARENT: &str = "1234567890123456";
const VALID: (&str, &str) = (
    "traceparent",
    "00-12345678901234567890123456789012-1234567890123456-01",
);

#[tokio::test]
async fn a_valid_traceparent_is_continued() {
    let harness = Harness::start().await;
    for (rule, name, value) in [
        ("as it is", "traceparent", "00-{ids}-01"),
        ("title case", "TraceParent", "00-{ids}-01"),
        ("mixed case", "TrAcEpArEnT", "00-{ids}-01"),
        ("upper case", "TRACEPARENT", "00-{ids}-01"),
        ("a future version", "traceparent", "cc-{ids}-01"),
        (
            "a future version with more",
            "traceparent",
            "cc-{ids}-01-what-the-future-will-be-like",
        ),
        ("a blank before", "traceparent", " 00-{ids}-01"),
        ("a tab before", "traceparent", "\t00-{ids}-01"),
        ("a blank behind", "traceparent", "00-{ids}-01 "),
        ("a tab behind", "traceparent", "00-{ids}-01\t"),
        ("both around", "traceparent", "\t 00-{ids}-01 \t"),
    ] {
        let value = value.replace("{ids}", &format!("{TRACE}-{PARENT}"));
        let carried = harness.call_back(&[(name, &value)]).await;
        assert_eq!(carried.trace_id, TRACE, "{rule}: {value:?}");
        assert_ne!(
            carried.parent_id, PARENT,
            "{rule}: a span of the relay is in between"
        );
    }
}

#[tokio::test]
async fn anything_else_starts_a_trace_with_ids_that_are_valid_and_random() {
    let harness = Harness::start().await;
    let mut traces = BTreeSet::new();
    for (rule, headers) in [
        ("no header", vec![]),
        ("under another name", vec![("trace-parent", VALID.1)]),
        ("under another name", vec![("trace.parent", VALID.1)]),
        (
            "twice",
            vec![
                VALID,
                (
                    "traceparent",
                    "00-12345678901234567890123456789011-1234567890123456-01",
                ),
            ],
        ),
        ("twice the same", vec![VALID, VALID]),
    ] {
        let carried = harness.call_back(&headers).await;
        assert_ne!(carried.trace_id, TRACE, "{rule}: {headers:?}");
        assert_eq!(carried.flags, "03", "{rule}: sampled, and the id is random");
        traces.insert(carried.trace_id);
    }
    for value in [
        "00-{trace}-{parent}-01.",
        "00-{trace}-{parent}-01-what-the-future-will-be-like",
        "cc-{trace}-{parent}-01.what-the-future-will-be-like",
        "ff-{trace}-{parent}-01",
        ".0-{trace}-{parent}-01",
        "0.-{trace}-{parent}-01",
        "000-{trace}-{parent}-01",
        "0000-{trace}-{parent}-01",
        "0-{trace}-{parent}-01",
        "00-00000000000000000000000000000000-{parent}-01",
        "00-.2345678901234567890123456789012-{parent}-01",
        "00-1234567890123456789012345678901.-{parent}-01",
        "00-1234567890123456789012345678901A-{parent}-01",
        "00-{trace}3-{parent}-01",
        "00-1234567890123456789012345678901-{parent}-01",
        "00-{trace}-0000000000000000-01",
        "00-{trace}-.234567890123456-01",
        "00-{trace}-123456789012345.-01",
        "00-{trace}-123456789012345A-01",
        "00-{trace}-{parent}7-01",
        "00-{trace}-123456789012345-01",
        "00-{trace}-{parent}-.0",
        "00-{trace}-{parent}-0.",
        "00-{trace}-{parent}-0A",
        "00-{trace}-{parent}-001",
        "00-{trace}-{parent}-1",
        "00-{trace}-{parent}",
        "00-{trace}-{parent}-0\u{e9}",
        "",
    ] {
        let value = value.replace("{trace}", TRACE).replace("{parent}", PARENT);
        let headers = [("traceparent", value.as_str()), ("tracestate", "foo=1")];
        let carried = harness.call_back(&headers).await;
        assert!(!value.contains(&carried.trace_id), "{value:?}");
        assert_ne!(carried.trace_id, "0".repeat(32));
        assert_eq!(
            carried.tracestate, [""; 0],
            "{value:?}: it belongs to another trace"
        );
        traces.insert(carried.trace_id);
    }
    assert_eq!(traces.len(), 5 + 29, "no trace id is given twice");
}

#[tokio::test]
async fn flags_are_passed_on_as_far_as_they_are_known() {
    let harness = Harness::start().await;
    for (came, goes) in [
        ("00", "00"),
        ("01", "01"),
        ("02", "02"),
        ("03", "03"),
        ("08", "00"),
        ("ff", "03"),
    ] {
        let traceparent = format!("00-{TRACE}-{PARENT}-{came}");
        let carried = harness.call_back(&[("traceparent", &traceparent)]).await;
        assert_eq!(carried.trace_id, TRACE);
        assert_eq!(carried.flags, goes, "{came}");
    }
}

#[tokio::test]
async fn a_valid_tracestate_is_passed_on_in_its_order() {
    let harness = Harness::start().await;
    let value: String = (' '..='~').filter(|c| !",=".contains(*c)).collect();
    let key = "abcdefghijklmnopqrstuvwxyz0123456789_-*/";
    let every_key = format!("{key}={value}");
    let every_vendor_key = format!("{key}@a-z0-9_-*/={value}");
    let longest_key = format!("{}=1", "z".repeat(256));
    let longest_with_at = format!("t@{}=1", "v".repeat(254));
    let longest_value = format!("foo={}", "v".repeat(256));
    let (first, second) = (members(1..=20), members(21..=32));
    for (rule, tracestates, expected) in [
        ("one", vec!["foo=1"], "foo=1".to_owned()),
        ("two", vec!["foo=1,bar=2"], "foo=1,bar=2".to_owned()),
        (
            "an empty header behind",
            vec!["foo=1", ""],
            "foo=1".to_owned(),
        ),
        (
            "an empty header before",
            vec!["", "foo=1"],
            "foo=1".to_owned(),
        ),
        (
            "empty members",
            vec!["foo=1,, ,bar=2,"],
            "foo=1,bar=2".to_owned(),
        ),
        (
            "several headers",
            vec!["foo=1,bar=2", "rojo=1,congo=2", "baz=3"],
            "foo=1,bar=2,rojo=1,congo=2,baz=3".to_owned(),
        ),
        (
            "white space",
            vec!["\t foo=1 \t , \t bar=2,\t baz=3 "],
            "foo=1,bar=2,baz=3".to_owned(),
        ),
        ("all characters", vec![&every_key], every_key.clone()),
        (
            "all around an at sign",
            vec![&every_vendor_key],
            every_vendor_key.clone(),
        ),
        (
            "the longest key",
            vec!["foo=1", &longest_key],
            format!("foo=1,{longest_key}"),
        ),
        (
            "the longest key with an at sign",
            vec!["foo=1", &longest_with_at],
            format!("foo=1,{longest_with_at}"),
        ),
        (
            "an at sign at the end",
            vec!["foo@=1,bar=2"],
            "foo@=1,bar=2".to_owned(),
        ),
        (
            "two at signs",
            vec!["foo@@bar=1,foo@bar@baz=2"],
            "foo@@bar=1,foo@bar@baz=2".to_owned(),
        ),
        ("a key twice", vec!["foo=1,foo=1"], "foo=1,foo=1".to_owned()),
        (
            "a key in two headers",
            vec!["foo=1", "foo=2"],
            "foo=1,foo=2".to_owned(),
        ),
        (
            "the longest value",
            vec![&longest_value],
            longest_value.clone(),
        ),
        ("32 members", vec![&first, &second], members(1..=32)),
    ] {
        let carried = with_tracestates(&harness, &tracestates).await;
        assert_eq!(carried, [expected], "{rule}");
    }
}

#[tokio::test]
async fn an_invalid_tracestate_is_discarded_whole_and_the_trace_goes_on() {
    let harness = Harness::start().await;
    let too_long = [
        format!("{}=1", "z".repeat(257)),
        format!("t@{}=1", "v".repeat(255)),
        format!("foo2={}", "v".repeat(257)),
    ];
    let (first, second) = (members(1..=20), members(21..=33));
    for (rule, tracestates) in [
        ("nothing", vec![""]),
        ("a blank in the key", vec!["foo =1"]),
        ("upper case", vec!["FOO=1"]),
        ("a dot", vec!["foo.bar=1"]),
        ("an at sign first", vec!["@foo=1,bar=2"]),
        ("33 members", vec![&first, &second]),
        ("a key too long", vec!["foo=1", &too_long[0]]),
        (
            "a key with an at sign too long",
            vec!["foo=1", &too_long[1]],
        ),
        ("a value too long", vec!["foo=1", &too_long[2]]),
        ("an equal sign in the value", vec!["foo=bar=baz"]),
        ("no value", vec!["foo=,bar=3"]),
        ("no equal sign", vec!["foo,bar=3"]),
        ("not ASCII", vec!["foo=caf\u{e9},bar=3"]),
    ] {
        let carried = with_tracestates(&harness, &tracestates).await;
        assert_eq!(carried, [""; 0], "{rule}: {tracestates:?}");
    }
}

#[tokio::test]
async fn tracestate_is_known_by_its_name_in_any_case_and_by_no_other() {
    let harness = Harness::start().await;
    for (name, known) in [
        ("TraceState", true),
        ("TrAcEsTaTe", true),
        ("TRACESTATE", true),
        ("trace-state", false),
        ("trace.state", false),
    ] {
        let carried = harness.call_back(&[VALID, (name, "foo=1")]).await;
        assert_eq!(carried.tracestate.len(), usize::from(known), "{name}");
    }
}

#[tokio::test]
async fn tracestate_without_traceparent_is_discarded() {
    let harness = Harness::start().await;
    for tracestate in ["foo=1", "foo=1,bar=2"] {
        let carried = harness.call_back(&[("tracestate", tracestate)]).await;
        assert_eq!(carried.tracestate, [""; 0]);
    }
}

#[tokio::test]
async fn baggage_is_passed_on_with_or_without_a_trace() {
    let harness = Harness::start().await;
    let fault = ("baggage", "lab.fault.slow-provider=on;latency_ms=800");
    for headers in [
        vec![fault],
        vec![VALID, fault],
        vec![fault, ("baggage", "not a member")],
    ] {
        let carried = harness.call_back(&headers).await;
        assert_eq!(carried.baggage, [fault.1], "{headers:?}");
    }
}

#[tokio::test]
async fn baggage_of_8192_bytes_is_passed_on_and_of_one_more_the_last_member_is_not() {
    let harness = Harness::start().await;
    let first = format!("a={}", "x".repeat(8_186));
    let longest = format!("{first},b=1");
    assert_eq!(longest.len(), 8_192);
    for (header, passed_on) in [(&longest, &longest), (&format!("{longest}2"), &first)] {
        let carried = harness.call_back(&[("baggage", header)]).await;
        // The members are a set, and have no order.
        let mut members: Vec<&str> = carried.baggage[0].split(',').collect();
        members.sort_unstable();
        assert_eq!(members.join(","), **passed_on, "{} bytes", header.len());
        assert_eq!(carried.baggage.len(), 1);
    }
}

#[tokio::test]
async fn the_calls_of_one_request_are_one_trace_and_each_has_its_own_span() {
    let harness = Harness::start().await;
    let zeros = (
        "traceparent",
        "00-00000000000000000000000000000000-1234567890123456-01",
    );
    for (headers, trace) in [
        (vec![VALID], Some(TRACE)),
        (vec![], None),
        (vec![zeros], None),
    ] {
        let carried = harness.call_back_times(3, &headers).await;
        let traces: BTreeSet<_> = carried.iter().map(|call| &call.trace_id).collect();
        let parents: BTreeSet<_> = carried.iter().map(|call| &call.parent_id).collect();
        assert_eq!(
            (traces.len(), parents.len()),
            (1, 3),
            "{headers:?}: {carried:?}"
        );
        if let Some(trace) = trace {
            assert_eq!(carried[0].trace_id, trace);
        }
        let bodies: Vec<_> = carried.iter().map(|call| call.body.as_str()).collect();
        assert_eq!(
            bodies,
            ["[0]", "[1]", "[2]"],
            "the arguments are what is posted"
        );
    }
}

#[tokio::test]
async fn the_reply_tells_what_came_of_each_call_and_which_trace_it_was() {
    let harness = Harness::start().await;
    let body = json!([
        { "url": harness.url(0), "arguments": [] },
        { "url": format!("{}/nowhere", harness.url(0)) },
        { "url": "http://127.0.0.1:1/" },
        { "url": "not an address" },
    ]);
    let reply = harness
        .post("/any/path?at=all", &[VALID], &body.to_string())
        .await;
    assert_eq!(reply.status, 200, "{reply:?}");
    assert!(
        reply.head.contains(&format!("traceresponse: 00-{TRACE}-")),
        "{reply:?}"
    );
    let outcomes: Value = serde_json::from_str(&reply.body).unwrap();
    assert_eq!(outcomes[0]["status"], 200, "{outcomes}");
    assert_eq!(outcomes[1]["status"], 404, "{outcomes}");
    assert!(outcomes[2]["error"].is_string(), "{outcomes}");
    assert!(outcomes[3]["error"].is_string(), "{outcomes}");
}

#[tokio::test]
async fn a_body_that_is_no_list_of_calls_is_refused_with_the_place() {
    let harness = Harness::start().await;
    for (body, status, place) in [
        ("[{\"url\": ", 400, "line 1"),
        ("[{\"address\": \"http://x\"}]", 422, "url"),
        ("null", 422, "sequence"),
    ] {
        let reply = harness.post("/", &[], body).await;
        assert_eq!(reply.status, status, "{body}: {reply:?}");
        assert!(reply.body.contains(place), "{body}: {reply:?}");
    }
}

async fn with_tracestates(harness: &Harness, tracestates: &[&str]) -> Vec<String> {
    let mut headers = vec![VALID];
    headers.extend(tracestates.iter().map(|value| ("tracestate", *value)));
    let carried = harness.call_back(&headers).await;
    assert_eq!(
        carried.trace_id, TRACE,
        "{tracestates:?} does not end the trace"
    );
    carried.tracestate
}

fn members(numbers: std::ops::RangeInclusive<u8>) -> String {
    let members: Vec<_> = numbers.map(|n| format!("bar{n:02}={n:02}")).collect();
    members.join(",")
}
