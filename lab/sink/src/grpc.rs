//! OTLP/gRPC.

mod traces;

use std::{io, sync::Arc};

use axum::{
    extract::{Request as HttpRequest, State},
    middleware::{self, Next},
    response::Response as HttpResponse,
};
use opentelemetry_proto::tonic::collector::{
    logs::v1::{
        ExportLogsServiceRequest, ExportLogsServiceResponse,
        logs_service_server::{LogsService, LogsServiceServer},
    },
    metrics::v1::{
        ExportMetricsServiceRequest, ExportMetricsServiceResponse,
        metrics_service_server::{MetricsService, MetricsServiceServer},
    },
    trace::v1::{ExportTracePartialSuccess, ExportTraceServiceResponse},
};
use otlp::Read;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::{
    Code, Request, Response, Status as GrpcStatus, codec::CompressionEncoding, service::Routes,
};

use self::traces::TraceService;
use crate::{
    Store, Taken,
    gate::Gate,
    status::Status,
    store::Counters,
    take::{self, take},
};

/// Serves the three collector services until `shutdown` is cancelled.
pub(crate) async fn serve(
    listener: TcpListener,
    store: Store,
    gate: Gate,
    shutdown: CancellationToken,
) -> io::Result<()> {
    let server = tcp::Server::new(listener).http2_only();
    let service = routes(store, gate).into_axum_router();
    server.serve(service, shutdown, crate::DRAIN).await;
    Ok(())
}

/// The response to an export of spans, the same in both protocols.
pub(crate) fn traces_answer(taken: &Taken) -> ExportTraceServiceResponse {
    let message = taken.message();
    // A message without refused spans is a warning (OTLP, "Partial Success").
    let partial_success = (!message.is_empty()).then(|| ExportTracePartialSuccess {
        rejected_spans: i64::try_from(taken.refused).unwrap_or(i64::MAX),
        error_message: message,
    });
    ExportTraceServiceResponse { partial_success }
}

fn routes(store: Store, gate: Gate) -> Routes {
    let most = store.config().max_request_bytes;
    let receiver = Arc::new(Receiver(store.clone()));
    macro_rules! service {
        ($server:ident) => {
            $server::from_arc(Arc::clone(&receiver))
                .accept_compressed(CompressionEncoding::Gzip)
                .accept_compressed(CompressionEncoding::Zstd)
                .max_decoding_message_size(most)
        };
    }
    let services = Routes::new(TraceService::new(store.clone(), most))
        .add_service(service!(LogsServiceServer))
        .add_service(service!(MetricsServiceServer));
    services
        .into_axum_router()
        .layer(middleware::from_fn_with_state((store, gate), guard))
        .into()
}

/// Runs before the decoder of every call: limits the number of calls, and translates the errors of the
/// decoder into the codes of OTLP.
async fn guard(
    State((store, gate)): State<(Store, Gate)>,
    request: HttpRequest,
    next: Next,
) -> HttpResponse {
    let Some(_place) = gate.enter() else {
        Counters::add(&store.counters().overloaded, 1);
        return Status::overloaded(gate.retry_after).into_grpc().into_http();
    };
    let Ok(response) = tokio::time::timeout(gate.request_timeout, next.run(request)).await else {
        Counters::add(&store.counters().malformed, 1);
        let seconds = gate.request_timeout.as_secs_f64();
        return GrpcStatus::deadline_exceeded(format!(
            "the request did not arrive within {seconds} s"
        ))
        .into_http();
    };
    match GrpcStatus::from_header_map(response.headers()) {
        None => response,
        Some(status) if status.code() == Code::Ok => response,
        Some(status) => {
            Counters::add(&store.counters().malformed, 1);
            as_otlp_says(status).into_http()
        }
    }
}

/// Translates a decoder error into an OTLP code. The decoder's own codes would make an OTLP client send the
/// same request again, or blame the server.
fn as_otlp_says(status: GrpcStatus) -> GrpcStatus {
    match status.code() {
        // The request is too large. Without RetryInfo, an OTLP client does not send it again.
        Code::OutOfRange | Code::ResourceExhausted => {
            GrpcStatus::resource_exhausted(status.message())
        }
        Code::Internal | Code::Unknown | Code::DataLoss => {
            GrpcStatus::invalid_argument(status.message())
        }
        _ => status,
    }
}

struct Receiver(Store);

/// A request that prost has decoded as it is.
fn whole<M: Default>(request: Request<M>) -> Read<M> {
    Read {
        request: request.into_inner(),
        ..Read::default()
    }
}

#[tonic::async_trait]
impl LogsService for Receiver {
    async fn export(
        &self,
        request: Request<ExportLogsServiceRequest>,
    ) -> Result<Response<ExportLogsServiceResponse>, GrpcStatus> {
        take(&self.0, take::Request::Logs(whole(request)));
        Ok(Response::new(ExportLogsServiceResponse::default()))
    }
}

#[tonic::async_trait]
impl MetricsService for Receiver {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, GrpcStatus> {
        take(&self.0, take::Request::Metrics(whole(request)));
        Ok(Response::new(ExportMetricsServiceResponse::default()))
    }
}
