//! A proxy of OTLP/HTTP that does one thing to the spans that pass through it.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use axum::{Router, extract::State, http::StatusCode, routing};
use bytes::Bytes;
use http_body_util::Full;
use hyper_util::rt::TokioIo;
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{AnyValue, KeyValue, any_value::Value},
    trace::v1::Span,
};
use prost::Message;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

/// What the proxy does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    LoseOne,
    SendOneTwice,
    FlipOneByte,
    LoseOneResource,
    AddAttributes,
    WriteDefaults,
    KeepErrors,
}

struct Proxy {
    to: String,
    change: Change,
    requests: AtomicU64,
}

/// Starts a proxy before `to`. It changes its 100th request, or each.
pub(crate) async fn start(to: String, change: Change) -> (String, CancellationToken) {
    let proxy = Proxy {
        to,
        change,
        requests: AtomicU64::new(0),
    };
    let routes = Router::new()
        .route("/v1/traces", routing::post(pass))
        .layer(axum::extract::DefaultBodyLimit::disable())
        .with_state(Arc::new(proxy));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let stop = CancellationToken::new();
    let server = tcp::Server::new(listener);
    let stopped = stop.clone();
    tokio::spawn(async move {
        server
            .serve(routes, stopped, std::time::Duration::ZERO)
            .await;
    });
    (address, stop)
}

async fn pass(State(proxy): State<Arc<Proxy>>, body: Bytes) -> StatusCode {
    let mut request = ExportTraceServiceRequest::decode(body).unwrap();
    let number = proxy.requests.fetch_add(1, Ordering::Relaxed);
    change(&mut request, proxy.change, number == 100);
    let status = post(&proxy.to, request.encode_to_vec().into()).await;
    StatusCode::from_u16(status).unwrap()
}

fn change(request: &mut ExportTraceServiceRequest, change: Change, is_the_one: bool) {
    let spans = |request: &mut ExportTraceServiceRequest, change: &dyn Fn(&mut Vec<Span>)| {
        let resources = request.resource_spans.iter_mut();
        for of in resources.flat_map(|of| &mut of.scope_spans) {
            change(&mut of.spans);
        }
    };
    let first = &mut request.resource_spans[0];
    match change {
        Change::LoseOne if is_the_one => drop(first.scope_spans[0].spans.pop()),
        Change::SendOneTwice if is_the_one => {
            let span = first.scope_spans[0].spans[0].clone();
            first.scope_spans[0].spans.push(span);
        }
        Change::FlipOneByte if is_the_one => {
            let attribute = &mut first.scope_spans[0].spans[0].attributes[0];
            let Some(Value::StringValue(text)) = attribute.value.as_mut().unwrap().value.as_mut()
            else {
                panic!("the first attribute is text");
            };
            text.replace_range(0..1, "~");
        }
        Change::LoseOneResource if is_the_one => first.resource = None,
        Change::AddAttributes => spans(request, &|spans| {
            for span in spans {
                let value = Value::StringValue("gateway-1".to_owned());
                span.attributes.insert(
                    0,
                    KeyValue {
                        key: "seen.by".to_owned(),
                        value: Some(AnyValue { value: Some(value) }),
                        ..KeyValue::default()
                    },
                );
            }
        }),
        // As the Collector writes it: all fields that have a message, and attributes in another order.
        Change::WriteDefaults => spans(request, &|spans| {
            for span in spans {
                span.status.get_or_insert_default();
                span.attributes.reverse();
            }
        }),
        // Whole traces are in a request here but at its ends.
        Change::KeepErrors => {
            let mut kept = std::collections::HashSet::new();
            for span in request
                .resource_spans
                .iter()
                .flat_map(|of| &of.scope_spans)
                .flat_map(|of| &of.spans)
            {
                let id =
                    firehose::TraceSlot::of(trace::TraceId::from_slice(&span.trace_id).unwrap());
                // The lowest bit of the variant.
                if id.unwrap().template & 1 == 1 {
                    kept.insert(span.trace_id.clone());
                }
            }
            spans(request, &|spans| {
                spans.retain(|span| kept.contains(&span.trace_id))
            });
        }
        _ => {}
    }
}

/// Posts a request of OTLP/HTTP, and returns the status.
pub(crate) async fn post(to: &str, body: Bytes) -> u16 {
    let stream = TcpStream::connect(to).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    let request = http::Request::post("/v1/traces")
        .header("host", to)
        .header("content-type", "application/x-protobuf")
        .body(Full::new(body))
        .unwrap();
    sender
        .send_request(request)
        .await
        .unwrap()
        .status()
        .as_u16()
}
