//! [`typical`]: an order of a shop, as a template where nothing was recorded: 12 spans of 5 services, 8 attributes a
//! span, about 400 bytes a span in protobuf.

use std::sync::Arc;

use trace::{
    Attributes, Event, Fidelity, Kind, Link, Resource, Scope, Span, SpanId, Status, StatusCode,
    TraceId, Value,
};

/// The beginning of the order, in nanoseconds since the Unix epoch.
const BEGIN: u64 = 1_764_000_000_000_000_000;

const SERVICES: [&str; 5] = ["checkout", "inventory", "payment", "provider", "email"];

/// A span of the order: its parent by number (0 is none), its service, its times in microseconds.
struct Row(usize, &'static str, Kind, &'static str, (u64, u64), Is);

/// What a span is about, which chooses its attributes.
enum Is {
    Http(&'static str),
    Sql(&'static str, &'static str),
    Message(&'static str),
    Step(&'static str),
}

use Is::{Http, Message, Sql, Step};
use Kind::{Client, Consumer, Internal, Producer, Server};

#[rustfmt::skip]
const ORDER: [Row; 12] = [
    Row(0, "checkout", Server, "POST /checkout", (0, 48_000), Http("/checkout")),
    Row(1, "checkout", Internal, "process_order", (500, 47_000), Step("paid")),
    Row(2, "checkout", Client, "GET", (1_000, 9_000), Http("/items/TRK-1042")),
    Row(3, "inventory", Server, "GET /items/{sku}", (1_500, 8_500), Http("/items/TRK-1042")),
    Row(4, "inventory", Client, "SELECT items", (2_000, 6_000), Sql("SELECT", "SELECT sku, price_cents, stock FROM items WHERE sku = $1")),
    Row(2, "checkout", Client, "POST", (10_000, 32_000), Http("/charges")),
    Row(6, "payment", Server, "POST /charges", (10_500, 31_500), Http("/charges")),
    Row(7, "payment", Client, "POST", (11_000, 30_000), Http("/v1/charges")),
    Row(8, "provider", Server, "POST /v1/charges", (11_500, 29_500), Http("/v1/charges")),
    Row(2, "checkout", Client, "INSERT orders", (33_000, 38_000), Sql("INSERT", "INSERT INTO orders (id, status, total_cents) VALUES ($1, $2, $3)")),
    Row(2, "checkout", Producer, "send order.placed", (39_000, 41_000), Message("send")),
    Row(11, "email", Consumer, "process order.placed", (43_000, 61_000), Message("process")),
];

/// The spans of an order. The one that consumes the message has a link to the one that sent it, and an event.
pub fn typical() -> Vec<Span> {
    let scope = Arc::new(Scope {
        name: "shop".to_owned(),
        version: "1.4.2".to_owned(),
        ..Scope::default()
    });
    let resources = SERVICES.map(|service| (service, resource(service)));
    let mut spans: Vec<Span> = (1..)
        .zip(&ORDER)
        .map(
            |(number, Row(parent, service, kind, name, (from, to), is))| {
                let of = resources.iter().find(|(name, _)| name == service);
                Span {
                    trace_id: trace_id(),
                    span_id: span_id(number),
                    parent_span_id: (*parent > 0).then(|| span_id(*parent)),
                    trace_state: "".into(),
                    flags: 0x101,
                    name: (*name).into(),
                    kind: *kind,
                    start_ns: BEGIN + from * 1_000,
                    end_ns: BEGIN + to * 1_000,
                    attributes: is.attributes(service),
                    dropped_attributes: 0,
                    events: Vec::new(),
                    dropped_events: 0,
                    links: Vec::new(),
                    dropped_links: 0,
                    status: Status {
                        code: StatusCode::Unset,
                        message: "".into(),
                    },
                    resource: Arc::clone(&of.expect("SERVICES has those of ORDER").1),
                    scope: Arc::clone(&scope),
                    fidelity: Fidelity::Exact,
                }
            },
        )
        .collect();
    let sent = span_id(ORDER.len() - 1);
    let consumer = spans.last_mut().expect("ORDER has spans");
    consumer.events.push(Event {
        time_ns: BEGIN + 44_000_000,
        name: "mail.rendered".into(),
        attributes: Attributes::default(),
        dropped_attributes: 0,
    });
    consumer.links.push(Link {
        trace_id: trace_id(),
        span_id: sent,
        trace_state: "".into(),
        flags: 0x101,
        attributes: Attributes::default(),
        dropped_attributes: 0,
    });
    spans
}

fn trace_id() -> TraceId {
    TraceId::from_bytes([0x4b; 16]).expect("it is not zero")
}

/// The id of a span by its number, from 1 on.
fn span_id(number: usize) -> SpanId {
    SpanId::from_bytes((number as u64).to_be_bytes()).expect("numbers begin at 1")
}

fn resource(service: &str) -> Arc<Resource> {
    Arc::new(Resource {
        attributes: attributes([
            ("service.name", service.into()),
            ("service.version", "1.4.2".into()),
            ("service.instance.id", format!("{service}-7d9c").into()),
        ]),
        ..Resource::default()
    })
}

fn attributes<const N: usize>(all: [(&str, Value); N]) -> Attributes {
    Attributes(all.map(|(key, value)| (key.into(), value)).into())
}

impl Is {
    fn attributes(&self, service: &str) -> Attributes {
        match self {
            Http(path) => attributes([
                (
                    "http.request.method",
                    if *path == "/items/TRK-1042" {
                        "GET"
                    } else {
                        "POST"
                    }
                    .into(),
                ),
                (
                    "url.full",
                    format!("http://{service}.shop:8080{path}").into(),
                ),
                ("url.path", (*path).into()),
                ("http.response.status_code", Value::Int(200)),
                ("url.scheme", "http".into()),
                ("server.address", format!("{service}.shop").into()),
                ("server.port", Value::Int(8080)),
                ("network.protocol.version", "1.1".into()),
            ]),
            Sql(operation, text) => attributes([
                ("db.system.name", "postgresql".into()),
                ("db.namespace", "shop".into()),
                ("db.operation.name", (*operation).into()),
                ("db.query.text", (*text).into()),
                ("db.response.returned_rows", Value::Int(1)),
                ("server.address", "db.shop".into()),
                ("server.port", Value::Int(5432)),
                ("network.transport", "tcp".into()),
            ]),
            Message(operation) => attributes([
                ("messaging.system", "rabbitmq".into()),
                ("messaging.operation.name", (*operation).into()),
                ("messaging.operation.type", (*operation).into()),
                ("messaging.destination.name", "order.placed".into()),
                (
                    "messaging.message.id",
                    "8a1ee0f4-52b0-4a6c-9d5e-1be6b5f0a7c2".into(),
                ),
                ("messaging.message.body.size", Value::Int(412)),
                ("server.address", "broker.shop".into()),
                ("server.port", Value::Int(5672)),
            ]),
            Step(status) => attributes([
                ("order.id", "1f0c9a52-6f7e-4f43-8d0a-53c1be7b9e11".into()),
                ("order.status", (*status).into()),
                ("order.lines", Value::Int(3)),
                ("order.total_cents", Value::Int(12_480)),
                ("order.currency", "EUR".into()),
                ("order.gift", false.into()),
                ("customer.tier", "gold".into()),
                ("code.function.name", "process_order".into()),
            ]),
        }
    }
}
