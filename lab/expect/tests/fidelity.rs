//! Traces of a format that has names in lower case and every value as text: Zipkin's.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use expect::{Mark, Report, Verdict, check};
use serde_json::{Value as Json, json};
use trace::tree;

/// The order of a shop, as Zipkin returns what the Collector's exporter sent: the name was `POST /Checkout`,
/// the service `Checkout`, the attributes had types.
fn zipkin() -> Json {
    json!([
        {
            "traceId": "4bf92f3577b34da6a3ce929d0e0e4736", "id": "0000000000000001",
            "name": "post /checkout", "kind": "SERVER", "timestamp": 1_790_000_000_000_000_u64,
            "duration": 5_000, "localEndpoint": { "serviceName": "checkout" },
            "tags": {
                "http.response.status_code": "201", "cache.hit": "true", "share": "0.25",
                "http.route": "/Checkout", "skus": "[\"a\",\"b\"]", "service.version": "1.2",
            },
        },
        {
            "traceId": "4bf92f3577b34da6a3ce929d0e0e4736", "id": "0000000000000002",
            "parentId": "0000000000000001", "name": "send mail",
            "timestamp": 1_790_000_000_001_000_u64, "duration": 1_000,
            "localEndpoint": { "serviceName": "checkout" },
        },
    ])
}

/// The report on the root, with this more about its node.
fn report(more: &str) -> Report {
    let spans = formats::read(zipkin().to_string().as_bytes())
        .unwrap()
        .spans;
    let traces = tree::group(spans);
    let text = format!(
        "expect:\n  tree:\n    - span: {{ service: Checkout, name: POST /Checkout, kind: server, as: root }}\n      \
         {more}\n"
    );
    let scenario = scenario::parse("x.yaml", &text).unwrap_or_else(|error| panic!("{error}"));
    check(&scenario.expect, &traces[0], &[])
}

fn verdict(more: &str) -> Verdict {
    report(more).verdict
}

#[test]
fn names_and_services_are_compared_without_case() {
    assert_eq!(verdict("status: unset"), Verdict::Pass);
    let children = |span: &str| verdict(&format!("children: [{{ span: {{ {span} }} }}]"));
    assert_eq!(
        children("service: \"~Check.*\", name: \"~SEND (Mail|Letter)\""),
        Verdict::Pass
    );
    assert_eq!(children("name: \"~SEND Letter\""), Verdict::Fail);
    // The format has no internal spans, and so no way to tell these two from each other.
    assert_eq!(children("name: send mail, kind: internal"), Verdict::Pass);
    assert_eq!(
        children("name: send mail, kind: unspecified"),
        Verdict::Pass
    );
    assert_eq!(children("name: send mail, kind: client"), Verdict::Fail);
    // Values keep their case.
    assert_eq!(
        verdict("attributes: { http.route: /Checkout }"),
        Verdict::Pass
    );
    assert_eq!(
        verdict("attributes: { http.route: /checkout }"),
        Verdict::Fail
    );
    assert_eq!(
        verdict("resource: { service.name: Checkout }"),
        Verdict::Pass
    );
}

#[test]
fn a_text_that_says_the_value_cannot_be_judged_and_another_fails() {
    for (want, verdict) in [
        ("http.response.status_code: 201", Verdict::Unsupported),
        (
            "http.response.status_code: { int: 201 }",
            Verdict::Unsupported,
        ),
        (
            "http.response.status_code: { int: 200..299 }",
            Verdict::Unsupported,
        ),
        (
            "http.response.status_code: [200, 201]",
            Verdict::Unsupported,
        ),
        ("http.response.status_code: { int: 200 }", Verdict::Fail),
        ("http.response.status_code: 500", Verdict::Fail),
        (
            "http.response.status_code: { string: \"201\" }",
            Verdict::Pass,
        ),
        ("cache.hit: true", Verdict::Unsupported),
        ("cache.hit: false", Verdict::Fail),
        ("share: { double: 0.2..0.3 }", Verdict::Unsupported),
        ("share: 0.5", Verdict::Fail),
        ("skus: { array: [a, b] }", Verdict::Unsupported),
        ("skus: { array: [a] }", Verdict::Fail),
        ("nothing: 1", Verdict::Fail),
        ("share: present", Verdict::Pass),
    ] {
        assert_eq!(
            self::verdict(&format!("attributes: {{ {want} }}")),
            verdict,
            "{want}"
        );
    }
    let report = report("attributes: { http.response.status_code: 201 }");
    assert_eq!(report.tree[0].mark, Mark::Unsupported);
    let difference = &report.tree[0].differences[0];
    assert_eq!(difference.got, "string \"201\"");
    let why = "cannot be known: the format of the trace holds every value as text";
    assert_eq!(difference.unknown.as_deref(), Some(why));
}

#[test]
fn what_the_format_has_no_place_for_cannot_be_judged() {
    assert_eq!(
        verdict("resource: { service.version: \"1.2\" }"),
        Verdict::Unsupported
    );
    assert_eq!(verdict("scope: { a: 1 }"), Verdict::Unsupported);
    let why = "cannot be known: the format of the trace has no such attributes";
    let difference = &report("scope: { a: 1 }").tree[0].differences[0];
    assert_eq!(difference.unknown.as_deref(), Some(why));
    // A condition on a typed value is not taken for false.
    let when = |condition: &str| {
        verdict(&format!(
            "children: [{{ span: {{ name: nothing }}, when: \"{condition}\" }}]"
        ))
    };
    assert_eq!(when("$root.cache.hit == true"), Verdict::Unsupported);
    assert_eq!(when("$root.http.route == '/Checkout'"), Verdict::Fail);
}
