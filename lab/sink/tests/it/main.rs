//! The sink over the real wire: OTLP/gRPC through the generated client, OTLP/HTTP through reqwest.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
#![expect(clippy::disallowed_methods, reason = "the bans are for what users run")]

mod cors;
mod fuzz;
mod grpc;
mod http;
mod overload;
mod store;
mod strange;
mod unchanged;

use std::io;

use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{AnyValue, KeyValue, any_value},
    resource::v1::Resource,
    trace::v1::{ResourceSpans, ScopeSpans, Span},
};
use reqwest::Client;
use sink::{Config, Spans, Store};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::{CancellationToken, DropGuard};

/// A running sink on ports of its own; it stops when this is dropped.
struct Sink {
    grpc: String,
    http: String,
    store: Store,
    client: Client,
    task: JoinHandle<io::Result<()>>,
    stop: DropGuard,
}

impl Sink {
    async fn start(config: Config) -> Sink {
        let bind = || TcpListener::bind("127.0.0.1:0");
        let (grpc, http) = (bind().await.unwrap(), bind().await.unwrap());
        let url = |listener: &TcpListener| format!("http://{}", listener.local_addr().unwrap());
        let (grpc_url, http_url) = (url(&grpc), url(&http));
        let store = Store::new(config);
        let stop = CancellationToken::new();
        let task = tokio::spawn(sink::run(grpc, http, store.clone(), stop.clone()));
        Sink {
            grpc: grpc_url,
            http: http_url,
            store,
            client: Client::new(),
            task,
            stop: stop.drop_guard(),
        }
    }

    /// The counts of spans, which must add up whenever they are read.
    fn spans(&self) -> Spans {
        let spans = self.store.stats().spans;
        assert_eq!(
            spans.received,
            spans.stored + spans.evicted + spans.refused,
            "{spans:?}"
        );
        spans
    }
}

/// A request with one span of each of these traces.
fn request(traces: impl IntoIterator<Item = u8>) -> ExportTraceServiceRequest {
    request_of(traces.into_iter().map(|trace| span(trace, 1)).collect())
}

fn request_of(spans: Vec<Span>) -> ExportTraceServiceRequest {
    let service = AnyValue {
        value: Some(any_value::Value::StringValue("shop".to_owned())),
    };
    let attributes = vec![KeyValue {
        key: "service.name".to_owned(),
        value: Some(service),
        key_strindex: 0,
    }];
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: Some(Resource {
                attributes,
                ..Resource::default()
            }),
            scope_spans: vec![ScopeSpans {
                spans,
                ..ScopeSpans::default()
            }],
            schema_url: String::new(),
        }],
    }
}

/// A span of the trace whose id has this byte sixteen times; zero makes an id that is none.
fn span(trace: u8, id: u8) -> Span {
    Span {
        trace_id: vec![trace; 16],
        span_id: vec![id; 8],
        name: "a span".to_owned(),
        start_time_unix_nano: 1,
        end_time_unix_nano: 2,
        ..Span::default()
    }
}

fn trace_id(trace: u8) -> trace::TraceId {
    trace::TraceId::from_bytes([trace; 16]).unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 3).unwrap()
}
