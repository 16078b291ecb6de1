//! Zipkin's JSON v2: what it says is kept, what it leaves out is made up for, and spans that two
//! services share are taken apart.

use proptest::{prelude::*, sample};
use serde_json::{Value as Json, json};
use trace::{Kind, Span, StatusCode, Trace, Value, tree};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
/// Microseconds.
const EPOCH: u64 = 1_790_000_000_000_000;

/// Two traces as `/api/v2/traces` answers them. The first is of services with B3, which share the
/// spans of their calls: `web` calls `shop`, and `shop` a database and `stock`, which has a step.
pub(crate) fn answer() -> Json {
    let span = |id: &str, parent: Json, kind: Json, service: &str, from: u64, to: u64| {
        json!({
            "traceId": TRACE, "id": id, "parentId": parent, "kind": kind, "name": "get",
            "timestamp": EPOCH + from, "duration": to - from,
            "localEndpoint": { "serviceName": service, "ipv4": "10.0.0.1", "port": 8080 },
        })
    };
    let shared = |mut span: Json| {
        span["shared"] = true.into();
        span
    };
    json!([
        [
            span("000000000000000a", Json::Null, json!("CLIENT"), "web", 0, 100),
            shared(span("000000000000000a", Json::Null, json!("SERVER"), "shop", 10, 90)),
            span("000000000000000b", json!("000000000000000a"), json!("CLIENT"), "shop", 20, 30),
            span("000000000000000c", json!("000000000000000a"), json!("CLIENT"), "shop", 40, 80),
            shared(span("000000000000000c", json!("000000000000000a"), json!("SERVER"), "stock", 45, 75)),
            span("000000000000000d", json!("000000000000000c"), Json::Null, "stock", 50, 60),
            span("000000000000000e", json!("000000000000000a"), Json::Null, "web", 1, 2),
        ],
        [{ "traceId": "4bf92f3577b34da6", "id": "1", "name": null, "tags": null, "shared": false }],
    ])
}

/// A span as OpenTelemetry's SDKs export it, and one as the collector does.
pub(crate) fn of_exporters() -> Json {
    json!([
        {
            "traceId": TRACE, "id": "00f067aa0ba902b7", "parentId": "0000000000000000",
            "kind": "SERVER", "name": "GET /cart", "timestamp": EPOCH, "duration": 1_500,
            "localEndpoint": { "serviceName": "cart" },
            "annotations": [
                { "timestamp": EPOCH + 7, "value": "\"exception\": {\"exception.type\":\"Full\",\"n\":3}" },
                { "timestamp": EPOCH + 8, "value": "retry: {\"ok\":true}" },
                { "timestamp": EPOCH + 9, "value": "{\"cached\": {\"keys\": [\"a\"]}}" },
                { "timestamp": EPOCH + 10, "value": "plain: {no} | text" },
            ],
            "tags": {
                "http.request.method": "GET", "otel.status_code": "ERROR", "error": "no room",
                "otel.scope.name": "axum", "otel.scope.version": "1.2",
                "otel.library.name": "axum", "otel.library.version": "1.2",
                "otel.dropped_attributes_count": "3", "otel.dropped_events_count": "2",
            },
        },
        {
            "traceId": TRACE, "id": "00f067aa0ba902b8", "parentId": "00f067aa0ba902b7",
            "name": "reserve", "timestamp": EPOCH + 100, "duration": 20,
            "localEndpoint": { "serviceName": "cart" },
            "annotations": [{ "timestamp": EPOCH + 101, "value": "locked|{\"rows\":2}|1" }],
            "tags": {
                "error": "true", "otel.status_code": "Error", "otel.status_description": "none left",
                "span.kind": "internal", "w3c.tracestate": "a=b",
                "otlp.link.0": format!("{TRACE}|00f067aa0ba902b7|c=d|{{\"why\":\"x|y\"}}|4"),
            },
        },
    ])
}

#[test]
fn a_span_is_read() {
    let span = one(json!({
        "traceId": TRACE, "id": "00f067aa0ba902b7", "parentId": "a3ce929d0e0e4736",
        "kind": "CLIENT", "name": "select", "timestamp": EPOCH, "duration": 1_500,
        "localEndpoint": { "serviceName": "cart", "ipv4": "10.0.0.1" },
        "remoteEndpoint": { "serviceName": "mysql", "ipv4": "10.0.0.2", "port": 3306 },
        "annotations": [{ "timestamp": EPOCH + 7, "value": "ws" }],
        "tags": { "sql.query": "SELECT 1", "peer": "a" },
        "debug": true,
    }));
    assert_eq!(span.trace_id.to_string(), TRACE);
    assert_eq!(span.span_id.to_string(), "00f067aa0ba902b7");
    assert_eq!(span.parent_span_id.unwrap().to_string(), "a3ce929d0e0e4736");
    assert_eq!((span.name.as_str(), span.kind), ("select", Kind::Client));
    assert_eq!(span.service(), "cart");
    assert_eq!(span.start_ns, EPOCH * 1_000);
    assert_eq!(span.end_ns, (EPOCH + 1_500) * 1_000);
    assert_eq!(span.events[0].name, "ws");
    assert_eq!(span.events[0].time_ns, (EPOCH + 7) * 1_000);
    assert_eq!(span.status.code, StatusCode::Unset);
    assert_eq!(
        attributes(&span),
        [
            ("sql.query", "\"SELECT 1\""),
            ("peer", "\"a\""),
            ("service.peer.name", "\"mysql\""),
            ("server.address", "\"10.0.0.2\""),
            ("server.port", "3306"),
            ("db.query.text", "\"SELECT 1\""),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
    );
}

#[test]
fn the_other_side_is_not_said_twice_and_is_a_client_to_a_server() {
    let fields = |kind: &str| {
        json!({
            "kind": kind, "remoteEndpoint": { "serviceName": "b", "ipv6": "::1", "port": 1 },
            "tags": { "server.address": "db.example", "service.peer.name": "a", "server.port": "2",
                      "sql.query": "SELECT 1", "db.query.text": "SELECT ?" },
        })
    };
    let span = with(fields("CLIENT"));
    assert_eq!(span.attributes.len(), 5, "{:?}", span.attributes);
    assert_eq!(text(&span, "server.address"), Some("db.example"));
    assert_eq!(text(&span, "db.query.text"), Some("SELECT ?"));
    let span = with(fields("SERVER"));
    assert_eq!(text(&span, "client.address"), Some("::1"));
    assert_eq!(span.attributes.get("client.port"), Some(&Value::Int(1)));
}

#[test]
fn short_ids_have_zeros_at_the_front() {
    let span = with(json!({ "traceId": "a3ce929d0e0e4736" }));
    assert_eq!(
        span.trace_id.to_string(),
        "0000000000000000a3ce929d0e0e4736"
    );
    let span = with(json!({ "id": "b7", "parentId": "" }));
    assert_eq!(span.span_id.to_string(), "00000000000000b7");
    assert_eq!(span.parent_span_id, None);
}

#[test]
fn what_is_not_said_of_a_span_is_made_up_for() {
    let spans = read(&json!([
        { "traceId": TRACE, "id": "1" },
        { "traceId": TRACE, "id": "2", "timestamp": EPOCH, "duration": null },
        { "traceId": TRACE, "id": "3", "timestamp": 0, "annotations": [
            { "timestamp": EPOCH + 5, "value": "a" }, { "timestamp": EPOCH + 9, "value": "b" },
        ] },
        { "traceId": TRACE, "id": "4", "timestamp": format!("{EPOCH}"), "duration": 2.0 },
    ]));
    let times = |span: &Span| {
        let since = |ns: u64| ns / 1_000 - EPOCH;
        (since(span.start_ns), since(span.end_ns))
    };
    assert_eq!(times(&spans[0]), (0, 0), "the earliest of the trace");
    assert_eq!(times(&spans[1]), (0, 0));
    assert_eq!(times(&spans[2]), (5, 9), "from its annotations");
    assert_eq!(times(&spans[3]), (0, 2));
    assert_eq!(spans[0].kind, Kind::Internal);
    assert_eq!(spans[0].service(), "unknown_service");
}

#[test]
fn a_tag_says_that_a_span_failed() {
    let status = |tags: Json| {
        let span = with(json!({ "tags": tags }));
        let kept = text(&span, "error").map(str::to_owned);
        (span.status.code, span.status.message.to_string(), kept)
    };
    let none = String::new;
    let (error, unset) = (StatusCode::Error, StatusCode::Unset);
    for (tags, expected) in [
        (json!({}), (unset, none(), None)),
        (json!({ "error": "" }), (error, none(), None)),
        (json!({ "error": "true" }), (error, none(), None)),
        (json!({ "error": true }), (error, none(), None)),
        (json!({ "error": "500" }), (error, "500".to_owned(), None)),
        (
            json!({ "error": "false" }),
            (unset, none(), Some("false".to_owned())),
        ),
        (
            json!({ "otel.status_code": "ERROR" }),
            (error, none(), None),
        ),
        (
            json!({ "error": "a", "otel.status_description": "b" }),
            (error, "b".to_owned(), Some("a".to_owned())),
        ),
        (
            json!({ "error": "a", "otel.status_code": "OK" }),
            (StatusCode::Ok, none(), Some("a".to_owned())),
        ),
    ] {
        assert_eq!(status(tags.clone()), expected, "{tags}");
    }
}

#[test]
fn a_span_of_an_exporter_is_what_it_was() {
    let spans = read(&of_exporters());
    let of_sdk = &spans[0];
    assert_eq!(of_sdk.parent_span_id, None);
    assert_eq!(
        (of_sdk.status.code, of_sdk.status.message.as_str()),
        (StatusCode::Error, "no room")
    );
    let scope = &of_sdk.scope;
    assert_eq!(
        (scope.name.as_str(), scope.version.as_str()),
        ("axum", "1.2")
    );
    assert_eq!((of_sdk.dropped_attributes, of_sdk.dropped_events), (3, 2));
    assert_eq!(of_sdk.attributes.len(), 1, "{:?}", of_sdk.attributes);
    let events: Vec<_> = of_sdk.events.iter().map(|e| e.name.as_str()).collect();
    assert_eq!(
        events,
        ["exception", "retry", "cached", "plain: {no} | text"]
    );
    let exception = &of_sdk.events[0].attributes;
    assert_eq!(exception.get("exception.type"), Some(&Value::from("Full")));
    assert_eq!(exception.get("n"), Some(&Value::Int(3)));

    let of_collector = &spans[1];
    assert_eq!(of_collector.kind, Kind::Internal);
    assert_eq!(of_collector.status.message, "none left");
    assert_eq!(of_collector.trace_state, "a=b");
    assert_eq!(of_collector.attributes.len(), 0);
    let event = &of_collector.events[0];
    assert_eq!(
        (event.name.as_str(), event.dropped_attributes),
        ("locked", 1)
    );
    let [link] = &of_collector.links[..] else {
        panic!("one link: {:?}", of_collector.links)
    };
    assert_eq!(link.span_id, of_sdk.span_id);
    assert_eq!(
        (link.trace_state.as_str(), link.dropped_attributes),
        ("c=d", 4)
    );
    assert_eq!(link.attributes.get("why"), Some(&Value::from("x|y")));
}

#[test]
fn a_shared_span_is_a_client_and_its_server() {
    let traces = tree::group(read(&answer()));
    assert_eq!(traces.len(), 2);
    let shop = traces
        .iter()
        .find(|trace| trace.spans().len() == 7)
        .unwrap();
    assert_eq!(
        drawn(shop),
        [
            "web client",
            ". web internal",
            ". shop server",
            ". . shop client",
            ". . shop client",
            ". . . stock server",
            ". . . . stock internal",
        ]
    );
    assert_eq!(
        read(&answer()),
        read(&answer()),
        "the ids are always the same"
    );
}

/// Each service reports its own half, and a file may hold the reports as they came.
#[test]
fn the_halves_of_a_shared_span_may_be_in_two_documents() {
    let answer = answer();
    let spans = answer[0].as_array().unwrap();
    let lines: Vec<String> = spans.iter().map(|span| json!([span]).to_string()).collect();
    let spans = formats::read(lines.join("\n").as_bytes()).unwrap().spans;
    let [trace] = &tree::group(spans)[..] else {
        panic!("one trace")
    };
    assert_eq!(drawn(trace)[2..4], [". shop server", ". . shop client"]);
}

#[test]
fn a_server_is_told_by_its_kind_if_sharing_is_not_said() {
    let spans = read(&json!([
        { "traceId": TRACE, "id": "1", "kind": "SERVER", "localEndpoint": { "serviceName": "b" } },
        { "traceId": TRACE, "id": "1", "kind": "CLIENT", "localEndpoint": { "serviceName": "a" } },
    ]));
    assert_eq!(spans[0].parent_span_id, Some(spans[1].span_id));
    assert_ne!(spans[0].span_id, spans[1].span_id);
}

#[test]
fn a_server_without_its_client_keeps_its_id() {
    let spans = read(&json!([
        { "traceId": TRACE, "id": "2", "parentId": "1", "kind": "SERVER", "shared": true },
        { "traceId": TRACE, "id": "3", "parentId": "2" },
        { "traceId": TRACE.replace('4', "5"), "id": "2", "kind": "CLIENT" },
    ]));
    assert_eq!(spans[0].span_id.to_string(), "0000000000000002");
    assert_eq!(
        spans[0].parent_span_id.unwrap().to_string(),
        "0000000000000001"
    );
    assert_eq!(spans[1].parent_span_id, Some(spans[0].span_id));
}

/// Two servers answered one call. A child goes to the one of its service, to the client if it is
/// of the client's, and if it is of neither it stays where it was.
#[test]
fn children_go_to_the_server_of_their_service() {
    let of = |id: &str, parent: Json, kind: Json, service: &str| {
        json!({ "traceId": TRACE, "id": id, "parentId": parent, "kind": kind,
                "localEndpoint": { "serviceName": service } })
    };
    let (client, server) = (json!("CLIENT"), json!("SERVER"));
    let call = [
        of("1", Json::Null, client, "a"),
        of("1", Json::Null, server.clone(), "b"),
    ];
    let children = [
        of("2", json!("1"), Json::Null, "a"),
        of("3", json!("1"), Json::Null, "b"),
        of("4", json!("1"), Json::Null, "c"),
        of("5", json!("1"), Json::Null, "d"),
    ];
    let parents = |spans: Vec<Json>| {
        let spans = read(&Json::Array(spans));
        let parent = |id: u64| {
            let is_it = |span: &&Span| span.span_id.as_bytes() == &id.to_be_bytes();
            let parent = spans.iter().find(is_it).unwrap().parent_span_id;
            let parent = spans.iter().find(|span| Some(span.span_id) == parent);
            parent.unwrap().service().to_owned()
        };
        (2..=5).map(parent).collect::<Vec<_>>()
    };
    let one = [&call[..], &children].concat();
    assert_eq!(parents(one), ["a", "b", "b", "b"]);
    let second = [of("1", Json::Null, server, "c")];
    let two = [&call[..], &second, &children].concat();
    assert_eq!(parents(two), ["a", "b", "c", "a"]);
}

#[test]
fn an_error_names_the_document_and_the_field() {
    let good = json!({ "traceId": TRACE, "id": "1" });
    let refused = |fields: Json| {
        let mut span = good.clone();
        span.as_object_mut()
            .unwrap()
            .extend(fields.as_object().unwrap().clone());
        let lines = format!("[]\n{}", json!([[good, span]]));
        let read = formats::read(lines.as_bytes()).unwrap();
        assert_eq!(read.spans.len(), 1, "the other is read");
        read.notes[0].to_string()
    };
    for (fields, words) in [
        (
            json!({ "traceId": "xyz" }),
            "[0][1].traceId: \"xyz\": 'x' is no hexadecimal digit",
        ),
        (
            json!({ "traceId": format!("{TRACE}0") }),
            "[0][1].traceId: \"4bf92f3577b34da6a3ce929d0e0e47360\": 33 digits where 32 are needed",
        ),
        (json!({ "id": "0" }), "[0][1].id: \"0\": all zero"),
        (json!({ "id": 1 }), "[0][1].id: invalid type: integer `1`"),
        (
            json!({ "parentId": "00000000000000001" }),
            "[0][1].parentId: \"00000000000000001\": 17 digits",
        ),
        (
            json!({ "kind": "INTERNAL" }),
            "[0][1].kind: unknown variant `INTERNAL`, expected one of `CLIENT`, `SERVER`",
        ),
        (
            json!({ "timestamp": 1.5 }),
            "[0][1].timestamp: a whole number of microseconds is needed, not 1.5",
        ),
        (json!({ "duration": -1 }), "[0][1].duration: a whole number"),
        (
            json!({ "localEndpoint": { "port": 70_000 } }),
            "[0][1].localEndpoint.port: invalid value: integer `70000`",
        ),
        (
            json!({ "annotations": [{ "timestamp": 1 }] }),
            "[0][1].annotations[0]: missing field `value`",
        ),
        (json!({ "tags": [] }), "[0][1].tags: invalid type"),
    ] {
        let words = format!("document 2: {words}");
        let refused = refused(fields);
        assert!(refused.starts_with(&words), "{refused} is not {words}");
    }
    let refused = |text: String| formats::read(text.as_bytes()).unwrap_err().to_string();
    let without = refused(format!("[{{\"traceId\": \"{TRACE}\"}}]"));
    assert!(without.contains("[0]: missing field `id`"), "{without}");
    let old = refused(format!(
        "[{{\"traceId\": \"{TRACE}\", \"id\": \"1\", \"binaryAnnotations\": []}}]"
    ));
    let words = "document 1: no Zipkin JSON v2: it is of version 1";
    assert!(old.starts_with(words), "{old}");
}

/// A trace as lines of service and kind, indented by depth.
fn drawn(trace: &Trace) -> Vec<String> {
    fn draw(trace: &Trace, index: usize, depth: usize, lines: &mut Vec<String>) {
        let span = trace.span(index);
        let indent = ". ".repeat(depth);
        lines.push(format!("{indent}{} {}", span.service(), span.kind));
        for child in trace.children(index) {
            draw(trace, *child, depth + 1, lines);
        }
    }
    let mut lines = Vec::new();
    for top in trace.tops() {
        draw(trace, *top, 0, &mut lines);
    }
    lines
}

/// A span with these fields more.
fn with(fields: Json) -> Span {
    let mut span = json!({ "traceId": TRACE, "id": "00f067aa0ba902b7", "timestamp": EPOCH });
    span.as_object_mut()
        .unwrap()
        .extend(fields.as_object().unwrap().clone());
    one(span)
}

fn one(span: Json) -> Span {
    read(&json!([span])).into_iter().next().unwrap()
}

fn read(json: &Json) -> Vec<Span> {
    let read = formats::read(json.to_string().as_bytes());
    read.unwrap_or_else(|error| panic!("it is Zipkin's: {error}: {json}"))
        .spans
}

fn text<'a>(span: &'a Span, key: &str) -> Option<&'a str> {
    span.attributes.get(key).and_then(Value::as_str)
}

fn attributes(span: &Span) -> Vec<(String, String)> {
    let pairs = span.attributes.iter();
    pairs
        .map(|(key, value)| (key.to_owned(), value.to_string()))
        .collect()
}

/// Spans of few ids, so that they share them, name themselves and each other as parents.
fn any_sharing() -> impl Strategy<Value = Json> {
    let kinds = vec![
        json!("CLIENT"),
        json!("SERVER"),
        json!("CONSUMER"),
        Json::Null,
    ];
    let ids = || (1..5_u64).prop_map(|id| format!("{id:016x}"));
    (
        ids(),
        proptest::option::of(ids()),
        sample::select(kinds),
        any::<Option<bool>>(),
        proptest::option::of(sample::select(vec!["a", "b"])),
    )
        .prop_map(|(id, parent, kind, shared, service)| {
            json!({
                "traceId": TRACE, "id": id, "parentId": parent, "kind": kind, "shared": shared,
                "localEndpoint": { "serviceName": service },
            })
        })
}

proptest! {
    /// No span is lost, each new id is unique, and each span that had a parent still has one.
    #[test]
    fn shared_spans_are_taken_apart(mut spans in proptest::collection::vec(any_sharing(), 0..12)) {
        // Each with a time of its own: none is a piece of another.
        for (time, span) in (1_u64..).zip(&mut spans) {
            span["timestamp"] = time.into();
        }
        let read = read(&Json::Array(spans.clone()));
        prop_assert_eq!(read.len(), spans.len());
        let id = |span: &Span| span.span_id.to_string();
        for (before, after) in spans.iter().zip(&read) {
            if before["id"] != id(after) {
                prop_assert_eq!(read.iter().filter(|other| id(other) == id(after)).count(), 1);
                let client = after.parent_span_id.unwrap().to_string();
                prop_assert_eq!(&before["id"], &client);
                prop_assert!(read.iter().any(|other| id(other) == client));
            }
            prop_assert!(before["parentId"].is_null() || after.parent_span_id.is_some());
        }
    }
}
