//! Makes spans: by hand for pictures, at random for properties.

use std::sync::Arc;

use proptest::{collection::vec, prelude::*};
use trace::{
    Attributes, Event, Fidelity, Kind, Link, Resource, Scope, Span, SpanId, Status, StatusCode,
    Text, TraceId, Value,
};

/// The id of the traces that are made by hand.
pub fn trace_id() -> TraceId {
    "4bf92f3577b34da6a3ce929d0e0e4736".parse().unwrap()
}

/// The id of span `number`, which is not 0.
pub fn span_id(number: u64) -> SpanId {
    SpanId::from_bytes(number.to_be_bytes()).unwrap()
}

/// A span from one millisecond to another; parent 0 is none.
#[allow(clippy::too_many_arguments, reason = "it is a line of a table")]
pub fn span(
    id: u64,
    parent: u64,
    service: &str,
    kind: Kind,
    name: &str,
    from: u64,
    to: u64,
) -> Span {
    const EPOCH: u64 = 1_790_000_000_000_000_000;
    let parent = (parent != 0).then(|| span_id(parent));
    Span {
        flags: 0x101,
        start_ns: EPOCH + from * 1_000_000,
        end_ns: EPOCH + to * 1_000_000,
        resource: resource([("service.name", service)]),
        ..bare(trace_id(), span_id(id), parent, name, kind)
    }
}

/// A sampled span with these ids, name and kind, and nothing else: no time, no service.
pub fn bare(
    trace_id: TraceId,
    span_id: SpanId,
    parent_span_id: Option<SpanId>,
    name: &str,
    kind: Kind,
) -> Span {
    Span {
        trace_id,
        span_id,
        parent_span_id,
        trace_state: Text::default(),
        flags: 1,
        name: name.into(),
        kind,
        start_ns: 0,
        end_ns: 0,
        attributes: Attributes::default(),
        dropped_attributes: 0,
        events: Vec::new(),
        dropped_events: 0,
        links: Vec::new(),
        dropped_links: 0,
        status: Status::default(),
        resource: Arc::default(),
        scope: Arc::default(),
        fidelity: Fidelity::Exact,
    }
}

/// A resource with these attributes, to be shared by the spans of one process.
pub fn resource<const N: usize>(attributes: [(&str, &str); N]) -> Arc<Resource> {
    Arc::new(Resource {
        attributes: attributes.into_iter().collect(),
        ..Resource::default()
    })
}

/// An event at a time, in nanoseconds since the Unix epoch.
pub fn event<const N: usize>(time_ns: u64, name: &str, attributes: [(&str, &str); N]) -> Event {
    Event {
        time_ns,
        name: name.into(),
        attributes: attributes.into_iter().collect(),
        dropped_attributes: 0,
    }
}

/// A link to a span, with nothing else in it.
pub fn link_to(trace_id: TraceId, span_id: SpanId) -> Link {
    Link {
        trace_id,
        span_id,
        trace_state: Text::default(),
        flags: 0,
        attributes: Attributes::default(),
        dropped_attributes: 0,
    }
}

/// A link to the span `id` of a trace, with nothing else in it.
pub fn link(trace_id: TraceId, id: u64) -> Link {
    link_to(trace_id, span_id(id))
}

/// The trace that every user sees first.
pub fn healthy() -> Vec<Span> {
    use Kind::{Client, Consumer, Internal, Producer, Server};
    let (c, p, i, e) = ("checkout", "payment", "inventory", "email");
    let mut spans = vec![
        span(1, 0, c, Server, "POST /checkout", 0, 155),
        span(2, 1, c, Internal, "process_order", 1, 154),
        span(3, 2, c, Internal, "fetch_items", 1, 3),
        span(4, 3, c, Client, "SELECT cart_lines", 1, 2),
        span(5, 2, c, Internal, "validate cart", 3, 23),
        span(6, 5, c, Client, "GET", 3, 22),
        span(7, 6, i, Server, "GET /prices", 4, 22),
        span(8, 7, i, Client, "SELECT products", 4, 5),
        span(9, 5, c, Client, "GET", 3, 23),
        span(10, 9, i, Server, "GET /stock", 4, 22),
        span(11, 10, i, Client, "SELECT stock", 4, 5),
        span(12, 2, c, Internal, "charge_and_fulfill", 23, 154),
        span(13, 12, c, Internal, "charge payment", 23, 143),
        span(14, 13, c, Internal, "fraud check", 23, 43),
        span(15, 13, c, Client, "POST", 43, 143),
        span(16, 15, p, Server, "POST /charges", 44, 142),
        span(17, 16, p, Internal, "validate card", 44, 74),
        span(18, 16, p, Internal, "process charge", 75, 135),
        span(19, 18, p, Client, "POST", 76, 134),
        span(20, 12, c, Internal, "update inventory", 143, 152),
        span(21, 20, c, Client, "POST", 143, 152),
        span(22, 21, i, Server, "POST /reservations", 144, 151),
        span(23, 12, c, Internal, "send email", 152, 154),
        span(24, 23, c, Producer, "send shop:order.placed", 154, 156),
        span(
            25,
            24,
            e,
            Consumer,
            "process shop:order.placed:email",
            156,
            201,
        ),
        span(26, 25, e, Internal, "render", 156, 158),
        span(27, 25, e, Client, "send mail", 158, 200),
    ];
    spans[24].links.push(link(trace_id(), 24));
    spans
}

/// Any value, `NaN` and empty ones among them.
pub fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Empty),
        any::<String>().prop_map(Value::from),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        proptest::num::f64::ANY.prop_map(Value::Double),
        vec(any::<u8>(), 0..20).prop_map(Value::Bytes),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::Array),
            vec((any_text(), inner), 0..4).prop_map(|pairs| Value::Map(Attributes(pairs))),
        ]
    })
}

fn any_text() -> impl Strategy<Value = Text> {
    any::<String>().prop_map(Text::from)
}

fn any_attributes() -> impl Strategy<Value = Attributes> {
    vec((any_text(), any_value()), 0..4).prop_map(Attributes)
}

fn any_span_id() -> impl Strategy<Value = SpanId> {
    (1..u64::MAX).prop_map(span_id)
}

fn any_trace_id() -> impl Strategy<Value = TraceId> {
    (1..u128::MAX).prop_map(|number| TraceId::from_bytes(number.to_be_bytes()).unwrap())
}

fn any_link() -> impl Strategy<Value = Link> {
    (
        any_trace_id(),
        any_span_id(),
        any::<String>(),
        any::<u32>(),
        any_attributes(),
        any::<u32>(),
    )
        .prop_map(
            |(trace_id, span_id, trace_state, flags, attributes, dropped_attributes)| Link {
                trace_id,
                span_id,
                trace_state: trace_state.into(),
                flags,
                attributes,
                dropped_attributes,
            },
        )
}

fn any_event() -> impl Strategy<Value = Event> {
    (
        any::<u64>(),
        any::<String>(),
        any_attributes(),
        any::<u32>(),
    )
        .prop_map(|(time_ns, name, attributes, dropped_attributes)| Event {
            time_ns,
            name: name.into(),
            attributes,
            dropped_attributes,
        })
}

fn any_status() -> impl Strategy<Value = Status> {
    let code = prop_oneof![
        Just(StatusCode::Unset),
        Just(StatusCode::Ok),
        Just(StatusCode::Error),
        (3..i32::MAX).prop_map(StatusCode::Unknown),
    ];
    (code, any::<String>()).prop_map(|(code, message)| Status {
        code,
        message: message.into(),
    })
}

fn any_kind() -> impl Strategy<Value = Kind> {
    use Kind::{Client, Consumer, Internal, Producer, Server, Unknown, Unspecified};
    proptest::sample::select(vec![
        Unspecified,
        Internal,
        Server,
        Client,
        Producer,
        Consumer,
        Unknown(99),
        Unknown(-1),
    ])
}

/// One of three resources: so that spans share some, by address or by what they hold.
fn any_resource() -> impl Strategy<Value = Arc<Resource>> {
    (0..3_i64).prop_map(|number| {
        Arc::new(Resource {
            attributes: Attributes(vec![
                ("n".into(), Value::Int(number)),
                ("nan".into(), f64::NAN.into()),
            ]),
            dropped_attributes: 0,
            schema_url: "https://opentelemetry.io/schemas/1.37.0".to_owned(),
        })
    })
}

fn any_scope() -> impl Strategy<Value = Arc<Scope>> {
    (0..2_u32, any_attributes()).prop_map(|(dropped_attributes, attributes)| {
        Arc::new(Scope {
            name: "a scope".to_owned(),
            version: "1".to_owned(),
            attributes,
            dropped_attributes,
            schema_url: String::new(),
        })
    })
}

/// Any span at all, with ids that are valid.
pub fn any_span() -> impl Strategy<Value = Span> {
    let who = (
        any_trace_id(),
        any_span_id(),
        proptest::option::of(any_span_id()),
        any_resource(),
        any_scope(),
    );
    let what = (
        any::<String>(),
        any::<String>(),
        any::<u32>(),
        any_kind(),
        any::<u64>(),
        any::<u64>(),
        any_status(),
    );
    let more = (
        any_attributes(),
        vec(any_event(), 0..3),
        vec(any_link(), 0..3),
        any::<[u32; 3]>(),
    );
    (who, what, more).prop_map(|(who, what, more)| {
        let (trace_id, span_id, parent_span_id, resource, scope) = who;
        let (name, trace_state, flags, kind, start_ns, end_ns, status) = what;
        let (attributes, events, links, [dropped_attributes, dropped_events, dropped_links]) = more;
        Span {
            trace_id,
            span_id,
            parent_span_id,
            trace_state: trace_state.into(),
            flags,
            name: name.into(),
            kind,
            start_ns,
            end_ns,
            attributes,
            dropped_attributes,
            events,
            dropped_events,
            links,
            dropped_links,
            status,
            resource,
            scope,
            fidelity: Fidelity::Exact,
        }
    })
}
