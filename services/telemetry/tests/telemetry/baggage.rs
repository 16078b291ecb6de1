//! W3C baggage, rule by rule: <https://www.w3.org/TR/baggage/>.

use std::collections::BTreeMap;

use http::{HeaderMap, HeaderValue};
use opentelemetry::{Context, baggage::BaggageExt, propagation::TextMapPropagator};
use proptest::prelude::*;
use telemetry::propagation::baggage::{Dropped, StrictBaggagePropagator, Why, dropped};

use crate::carrier::Headers;

#[test]
fn members_are_taken_from_all_headers() {
    assert_eq!(
        received(&["a=1,b=2", "c=3"]),
        entries([("a", "1"), ("b", "2"), ("c", "3")])
    );
}

#[test]
fn blanks_around_keys_values_and_members_are_no_part_of_them() {
    assert_eq!(
        received(&[" a \t=\t 1 , b= 2 "]),
        entries([("a", "1"), ("b", "2")])
    );
}

#[test]
fn a_value_may_be_empty_and_may_hold_equal_signs() {
    assert_eq!(
        received(&["a=,b=x=y="]),
        entries([("a", ""), ("b", "x=y=")])
    );
}

#[test]
fn values_are_percent_decoded() {
    assert_eq!(
        received(&["a=caf%C3%A9%20%2c%3B%25", "b=%E2%9C%93"]),
        entries([("a", "caf\u{e9} ,;%"), ("b", "\u{2713}")])
    );
}

#[test]
fn a_percent_sign_that_encodes_nothing_stands_for_itself() {
    assert_eq!(
        received(&["a=100%,b=%zz,c=%4,d=%%34"]),
        entries([("a", "100%"), ("b", "%zz"), ("c", "%4"), ("d", "%4")])
    );
}

#[test]
fn bytes_that_are_no_utf_8_become_replacement_characters() {
    assert_eq!(received(&["a=%ff%41"]), entries([("a", "\u{fffd}A")]));
}

#[test]
fn keys_are_tokens_and_not_decoded() {
    assert_eq!(
        received(&["!#$%&'*+-.^_`|~aZ09=1,a%20b=2"]),
        entries([("!#$%&'*+-.^_`|~aZ09", "1"), ("a%20b", "2")])
    );
}

#[test]
fn a_malformed_member_is_left_out_and_the_others_stay() {
    for member in [
        "",
        " ",
        "=",
        "=1",
        "key",
        "a key=1",
        "k\u{e9}y=1",
        "ke/y=1",
        "ke\"y=1",
        "key=a value",
        "key=\"quoted\"",
        "key=back\\slash",
        "key=caf\u{e9}",
        "key=\u{7f}",
        ";",
        "key;p=1",
        "key=1;a property",
        "key=1;=",
        "key=1;p=a b",
    ] {
        let header = format!("before=1,{member},after=2");
        assert_eq!(
            received(&[&header]),
            entries([("before", "1"), ("after", "2")]),
            "{member:?}"
        );
    }
}

#[test]
fn properties_are_kept_and_passed_on_as_they_came() {
    let fault = "lab.fault.slow-provider=on;latency_ms=800;flag";
    assert_eq!(passed_on(&[fault]).as_deref(), Some(fault));
    assert_eq!(
        passed_on(&["a=1 ; p = 2 ;; q;"]).as_deref(),
        Some("a=1;p = 2;q")
    );
}

#[test]
fn properties_are_no_part_of_the_value() {
    assert_eq!(received(&["a=1;p=2"]), entries([("a", "1")]));
}

#[test]
fn of_a_key_that_comes_twice_the_last_value_stays() {
    assert_eq!(received(&["a=1,a=2", "a=3"]), entries([("a", "3")]));
}

#[test]
fn members_beyond_64_are_left_out() {
    let members: Vec<_> = (0..70).map(|n| format!("k{n}={n}")).collect();
    let kept = received(&[&members.join(",")]);
    let first: BTreeMap<_, _> = (0..64).map(|n| (format!("k{n}"), n.to_string())).collect();
    assert_eq!(kept, first);
}

#[test]
fn members_that_do_not_fit_into_8192_bytes_are_left_out() {
    let (fits, too_long) = ("x".repeat(8_000), "y".repeat(400));
    let kept = received(&[&format!("a={fits},b={too_long},c=3")]);
    assert_eq!(kept, entries([("a", fits.as_str()), ("c", "3")]));
}

#[test]
fn of_8192_bytes_in_all_headers_everything_is_kept_and_of_one_more_the_last_is_dropped() {
    let (a, b) = (format!("a={}", "x".repeat(4_000)), "b=2;p=3");
    let rest = 8_192 - a.len() - b.len() - "c=".len() - 2;
    let c = format!("c={}", "z".repeat(rest));
    let kept = received(&[&a, b, &c]);
    assert_eq!(kept.keys().collect::<Vec<_>>(), ["a", "b", "c"]);
    let sent = passed_on(&[&a, b, &c]).unwrap();
    assert_eq!(sent.len(), 8_192);
    assert_eq!(received(&[&sent]), kept, "the next hop takes it too");

    let too_long = format!("{c}z");
    let kept = received(&[&a, b, &too_long]);
    assert_eq!(kept.keys().collect::<Vec<_>>(), ["a", "b"]);
}

#[test]
fn one_member_of_8192_bytes_is_kept_and_one_of_8193_is_dropped() {
    let longest = format!("a={}", "x".repeat(8_190));
    assert_eq!(passed_on(&[&longest]).as_deref(), Some(longest.as_str()));
    assert_eq!(passed_on(&[&format!("{longest}x")]), None);
    let kept = received(&[&longest, "b=1"]);
    assert_eq!(
        kept.keys().collect::<Vec<_>>(),
        ["a"],
        "there is no room for another"
    );
}

#[test]
fn what_is_sent_on_is_not_longer_than_what_came() {
    let header = "url=https://example.org/a?b=c&d=(e),t=12:30,p=a%20b;q=1";
    assert_eq!(passed_on(&[header]).unwrap().len(), header.len());
}

#[test]
fn what_is_dropped_is_named_with_the_reason() {
    let of = |headers: &[&[u8]]| {
        let mut map = HeaderMap::new();
        for header in headers {
            map.append("baggage", HeaderValue::from_bytes(header).unwrap());
        }
        let dropped = dropped(&map).into_iter();
        dropped
            .map(|Dropped { member, why }| (member, why))
            .collect::<Vec<_>>()
    };
    assert_eq!(of(&[b"a=1, ,b=2;p", b"c=3,"]), []);
    assert_eq!(
        of(&[b"a=1, b ,c=\"x\"", b"d=caf\xc3\xa9,e=1"]),
        [
            ("b".to_owned(), Why::Malformed),
            ("c=\"x\"".to_owned(), Why::Malformed),
            ("d=caf\u{e9}".to_owned(), Why::NotAscii),
            ("e=1".to_owned(), Why::NotAscii),
        ]
    );
    let members: Vec<_> = (0..65).map(|n| format!("k{n}={n}")).collect();
    let full = members.join(",");
    // A key that exists already does not count as another member.
    assert_eq!(
        of(&[full.as_bytes(), b"k0=again"]),
        [("k64=64".to_owned(), Why::TooMany)]
    );
    let long = format!("a={}", "x".repeat(8_191));
    let why = Why::TooLong { bytes: 8_193 };
    assert_eq!(of(&[long.as_bytes(), b"b=1"]), [(long.clone(), why)]);
}

#[test]
fn values_are_sent_percent_encoded() {
    let context = Context::new().with_baggage([opentelemetry::KeyValue::new("a", "caf\u{e9}, ;%")]);
    let mut headers = Headers::default();
    StrictBaggagePropagator::default().inject_context(&context, &mut headers);
    assert_eq!(headers.get("baggage"), Some("a=caf%C3%A9%2C%20%3B%25"));
}

#[test]
fn no_baggage_is_no_header() {
    assert_eq!(passed_on(&[]), None);
    assert_eq!(passed_on(&["not a member"]), None);
}

proptest! {
    #[test]
    fn what_was_received_is_received_again_one_hop_on(
        members in proptest::collection::btree_map("[a-zA-Z0-9!#$%&'*+.^_`|~-]{1,12}", ".{0,20}", 0..20)
    ) {
        let header: Vec<_> = members
            .iter()
            .map(|(key, value)| {
                let encoded: String = value.bytes().map(|byte| format!("%{byte:02x}")).collect();
                format!("{key}={encoded}")
            })
            .collect();
        let first = received(&[&header.join(",")]);
        prop_assert_eq!(&first, &members);
        let second = passed_on(&[&header.join(",")]).unwrap_or_default();
        prop_assert_eq!(received(&[&second]), first);
    }

    #[test]
    fn no_header_makes_it_panic_or_send_what_it_would_not_take(
        headers in proptest::collection::vec(
            prop_oneof![".*", "([a-c%=;, ]{0,4}[=;,%][0-9a-f\u{e9}]{0,3}){0,6}"],
            0..4,
        )
    ) {
        let headers: Vec<_> = headers.iter().map(String::as_str).collect();
        let sent = passed_on(&headers).unwrap_or_default();
        prop_assert_eq!(received(&[&sent]), received(&headers));
    }
}

fn received(headers: &[&str]) -> BTreeMap<String, String> {
    extract(headers)
        .baggage()
        .iter()
        .map(|(key, (value, _))| (key.to_string(), value.to_string()))
        .collect()
}

fn passed_on(headers: &[&str]) -> Option<String> {
    let mut sent = Headers::default();
    StrictBaggagePropagator::default().inject_context(&extract(headers), &mut sent);
    sent.get("baggage").map(ToOwned::to_owned)
}

fn extract(headers: &[&str]) -> Context {
    let headers: Vec<_> = headers.iter().map(|value| ("baggage", *value)).collect();
    StrictBaggagePropagator::default().extract_with_context(&Context::new(), &Headers::of(&headers))
}

fn entries<const N: usize>(entries: [(&str, &str); N]) -> BTreeMap<String, String> {
    entries
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}
