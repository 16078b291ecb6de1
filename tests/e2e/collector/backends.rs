//! The back ends: each file sends the format that its back end takes, to the right path and with the right
//! headers. A local receiver takes the place of the back end; no data leaves the machine.

use std::sync::{Arc, Mutex};

use axum::{
    Router,
    body::Bytes,
    http::{HeaderMap, Uri},
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
    trace_service_server::{TraceService, TraceServiceServer},
};
use prost::Message as _;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status, codec::CompressionEncoding};
use trace::Span;

use super::rig::{there_is_a_collector, three_orders};

/// A request that a back end received.
#[derive(Debug)]
struct Sent {
    /// `None` for gRPC, whose service has one path only.
    path: Option<String>,
    headers: HeaderMap,
    spans: Vec<Span>,
}

/// A receiver that takes the place of a back end.
#[derive(Clone, Default)]
struct BackEnd(Arc<Mutex<Vec<Sent>>>);

// === impl BackEnd ===

impl BackEnd {
    /// Starts a back end for HTTP; returns its address.
    async fn http(&self) -> String {
        let sent = Arc::clone(&self.0);
        let take = move |uri: Uri, headers: HeaderMap, body: Bytes| async move {
            let spans = formats::read(&body).expect("the body holds spans").spans;
            let path = Some(uri.path().to_owned());
            sent.lock().unwrap().push(Sent {
                path,
                headers,
                spans,
            });
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let serving = axum::serve(listener, Router::new().fallback(take));
        tokio::spawn(async move { serving.await.unwrap() });
        address
    }

    /// Starts a back end for OTLP/gRPC; returns its address.
    async fn grpc(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let service =
            TraceServiceServer::new(self.clone()).accept_compressed(CompressionEncoding::Gzip);
        let serving = tonic::transport::Server::builder()
            .add_service(service)
            .serve_with_incoming(TcpListenerStream::new(listener));
        tokio::spawn(async move { serving.await.unwrap() });
        address
    }

    /// Checks each request, and returns the number of spans that were received.
    fn spans(&self, path: Option<&str>, headers: &[(&str, &str)]) -> usize {
        let sent = self.0.lock().unwrap();
        for request in sent.iter() {
            assert_eq!(request.path.as_deref(), path);
            for (name, value) in headers {
                let got = request.headers.get(*name).map(|got| got.to_str().unwrap());
                assert_eq!(got, Some(*value), "{name}: {:?}", request.headers);
            }
        }
        sent.iter().map(|request| request.spans.len()).sum()
    }
}

#[tonic::async_trait]
impl TraceService for BackEnd {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let headers = request.metadata().clone().into_headers();
        let spans = trace::otlp::from_protobuf(&request.into_inner().encode_to_vec())
            .expect("it was decoded before")
            .spans;
        let path = None;
        self.0.lock().unwrap().push(Sent {
            path,
            headers,
            spans,
        });
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

/// Runs the shop through a set-up: the lab gets what it should, and the back end gets as many spans.
async fn feed(file: &str, env: &[(&str, &str)], sent: impl Fn() -> usize) {
    let judged: usize = three_orders(file, env).await.values().sum();
    assert!(judged >= 3 * 40, "{file}: {judged} spans were judged");
    // The Collector has stopped, so everything is sent. The traces of carts and of the catalogue are extra.
    assert!(
        sent() >= judged,
        "{file}: {} of {judged} spans and more",
        sent()
    );
}

#[tokio::test]
async fn back_ends_that_take_otlp_over_grpc_get_it_with_their_headers() {
    if !there_is_a_collector() {
        return;
    }
    for (file, variable, headers) in [
        ("jaeger.yaml", "JAEGER_OTLP_GRPC", &[][..]),
        (
            "tempo.yaml",
            "TEMPO_OTLP_GRPC",
            &[("x-scope-orgid", "tracelab")],
        ),
        ("datadog.yaml", "DATADOG_OTLP_GRPC", &[]),
        (
            "lightstep.yaml",
            "LIGHTSTEP_ENDPOINT",
            &[("lightstep-access-token", "a token")],
        ),
    ] {
        let back_end = BackEnd::default();
        let address = back_end.grpc().await;
        let env = [
            (variable, address.as_str()),
            ("LIGHTSTEP_ACCESS_TOKEN", "a token"),
            ("LIGHTSTEP_INSECURE", "true"),
        ];
        feed(file, &env, || back_end.spans(None, headers)).await;
    }
}

#[tokio::test]
async fn back_ends_that_take_http_get_it_at_their_path_with_their_headers() {
    if !there_is_a_collector() {
        return;
    }
    const OTLP: (&str, &str) = ("content-type", "application/x-protobuf");
    for (file, variable, at, path, headers) in [
        (
            "honeycomb.yaml",
            "HONEYCOMB_ENDPOINT",
            "",
            "/v1/traces",
            &[OTLP, ("x-honeycomb-team", "a key")][..],
        ),
        ("xray.yaml", "XRAY_ENDPOINT", "", "/v1/traces", &[OTLP]),
        (
            "zipkin.yaml",
            "ZIPKIN_ENDPOINT",
            "/api/v2/spans",
            "/api/v2/spans",
            &[("content-type", "application/json")],
        ),
    ] {
        let back_end = BackEnd::default();
        let url = format!("http://{}{at}", back_end.http().await);
        let env = [(variable, url.as_str()), ("HONEYCOMB_API_KEY", "a key")];
        feed(file, &env, || back_end.spans(Some(path), headers)).await;
    }
}
