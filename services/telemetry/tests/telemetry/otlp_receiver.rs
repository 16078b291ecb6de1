//! A small real receiver of OTLP, over gRPC and over HTTP.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use axum::{Router, body::Bytes, extract::State, http::StatusCode, routing::post};
use opentelemetry_proto::tonic::{
    collector::trace::v1::{
        ExportTraceServiceRequest, ExportTraceServiceResponse,
        trace_service_server::{TraceService, TraceServiceServer},
    },
    trace::v1::ResourceSpans,
};
use prost::Message;
use tokio::net::TcpListener;
use tonic::{Request, Response, Status, transport::server::TcpIncoming};

pub(crate) struct Receiver {
    pub(crate) grpc: SocketAddr,
    pub(crate) http: SocketAddr,
    desk: Arc<Desk>,
}

/// The behaviour of a receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It accepts everything.
    Take,
    /// It refuses everything, with an error that must not be retried.
    Refuse,
    /// It fails each time with an error that it has no name for, which must not be retried either.
    Fail,
    /// It is too busy for the first request, and accepts the others.
    TooBusyAtFirst,
    /// It never answers the first request, and accepts the others.
    SilentAtFirst,
}

struct Desk {
    answer: Answer,
    asked: AtomicU64,
    taken: Mutex<Vec<ResourceSpans>>,
}

// === impl Receiver ===

impl Receiver {
    pub(crate) async fn start(answer: Answer) -> Self {
        let bind = async || TcpListener::bind("127.0.0.1:0").await.unwrap();
        Receiver::serve(bind().await, bind().await, answer)
    }

    /// Serves gRPC and HTTP on listeners of the test.
    pub(crate) fn serve(on_grpc: TcpListener, on_http: TcpListener, answer: Answer) -> Self {
        let desk = Arc::new(Desk {
            answer,
            asked: AtomicU64::new(0),
            taken: Mutex::default(),
        });
        let router = Router::new()
            .route("/v1/traces", post(take_http))
            .with_state(Arc::clone(&desk));
        let http = on_http.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(on_http, router).await });

        let grpc = on_grpc.local_addr().unwrap();
        let service = TraceServiceServer::from_arc(Arc::clone(&desk));
        tokio::spawn(
            tonic::transport::Server::builder()
                .add_service(service)
                .serve_with_incoming(TcpIncoming::from(on_grpc)),
        );
        Receiver { grpc, http, desk }
    }

    pub(crate) fn taken(&self) -> Vec<ResourceSpans> {
        self.desk.taken.lock().unwrap().clone()
    }

    /// The number of exports that came, with those that were refused.
    pub(crate) fn asked(&self) -> u64 {
        self.desk.asked.load(Ordering::Relaxed)
    }
}

// === impl Desk ===

impl Desk {
    async fn take(&self, request: ExportTraceServiceRequest) -> Result<(), (StatusCode, Status)> {
        let first = self.asked.fetch_add(1, Ordering::Relaxed) == 0;
        match self.answer {
            Answer::SilentAtFirst if first => std::future::pending().await,
            Answer::Refuse => Err((StatusCode::BAD_REQUEST, Status::invalid_argument("no"))),
            Answer::Fail => Err((
                StatusCode::INTERNAL_SERVER_ERROR,
                Status::unknown("something broke"),
            )),
            Answer::TooBusyAtFirst if first => Err((
                StatusCode::SERVICE_UNAVAILABLE,
                Status::unavailable("later"),
            )),
            Answer::Take | Answer::TooBusyAtFirst | Answer::SilentAtFirst => {
                self.taken.lock().unwrap().extend(request.resource_spans);
                Ok(())
            }
        }
    }
}

async fn take_http(State(desk): State<Arc<Desk>>, body: Bytes) -> StatusCode {
    let Ok(request) = ExportTraceServiceRequest::decode(body) else {
        return StatusCode::UNSUPPORTED_MEDIA_TYPE;
    };
    match desk.take(request).await {
        Ok(()) => StatusCode::OK,
        Err((status, _)) => status,
    }
}

#[tonic::async_trait]
impl TraceService for Desk {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        match self.take(request.into_inner()).await {
            Ok(()) => Ok(Response::new(ExportTraceServiceResponse::default())),
            Err((_, status)) => Err(status),
        }
    }
}
