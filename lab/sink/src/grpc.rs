//! OTLP/gRPC: unary calls of the three collector services.
//!
//! A call is read here and not by tonic, which would read a whole message before its length is looked at, and decode
//! it into a tree of messages.

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header},
    response::IntoResponse as _,
    routing::post,
};
use bytes::{BufMut as _, Bytes, BytesMut};
use http_body_util::{BodyExt as _, Full};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceResponse,
};
use otlp::Compression;
use prost::Message as _;
use tonic::Status as GrpcStatus;

use crate::{
    Store, Taken,
    body::{Intake, NotReceived, PREFIX},
    status::Status,
    store::{Counters, NotCut},
    take::{Signal, take},
    taken::Lost,
};

/// The routes of the three collector services.
pub(crate) fn routes(store: Store, intake: Intake) -> Router {
    let export = |signal| {
        post(
            move |State((store, intake)): State<(Store, Intake)>, request: Request| async move {
                match export(&store, &intake, signal, request).await {
                    Ok(answer) => answer,
                    Err(status) => status.into_http(),
                }
            },
        )
    };
    Router::new()
        .route(&path("trace", "Trace"), export(Signal::Traces))
        .route(&path("logs", "Logs"), export(Signal::Logs))
        .route(&path("metrics", "Metrics"), export(Signal::Metrics))
        .fallback(unknown)
        .with_state((store, intake))
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

fn path(package: &str, service: &str) -> String {
    format!("/opentelemetry.proto.collector.{package}.v1.{service}Service/Export")
}

async fn unknown(request: Request) -> Response<Body> {
    let path = request.uri().path();
    let status = GrpcStatus::unimplemented(format!(
        "{path} is not served; Export of opentelemetry.proto.collector's trace, logs and metrics services is"
    ));
    status.into_http()
}

async fn export(
    store: &Store,
    intake: &Intake,
    signal: Signal,
    request: Request,
) -> Result<Response<Body>, GrpcStatus> {
    let counters = store.counters();
    if !is_grpc(request.headers()) {
        Counters::add(&counters.malformed, 1);
        return Ok(StatusCode::UNSUPPORTED_MEDIA_TYPE.into_response());
    }
    let read = read(store, intake, signal, request).await;
    let taken = read.inspect_err(|status| {
        // A request that may be sent again says when.
        let counter = match status.details() {
            [] => &counters.malformed,
            _ => &counters.overloaded,
        };
        Counters::add(counter, 1);
    })?;
    let message = match signal {
        Signal::Traces => traces_answer(&taken).encode_to_vec(),
        Signal::Logs | Signal::Metrics => Vec::new(),
    };
    Ok(answer(&message))
}

/// Receives, unpacks and takes a request.
async fn read(
    store: &Store,
    intake: &Intake,
    signal: Signal,
    request: Request,
) -> Result<Taken, GrpcStatus> {
    let encoding = compression(request.headers())?;
    let mut incoming = intake
        .open(request.into_body(), None)
        .map_err(|error| refusal(error, intake))?;
    let received = intake.in_time(async {
        let prefix = incoming.first::<PREFIX>().await?;
        let [_, a, b, c, d] = prefix.map_err(|there| cut_off(there, PREFIX))?;
        let length = u32::from_be_bytes([a, b, c, d]);
        intake.admit(Some(u64::from(length)))?;
        let end = PREFIX + length as usize;
        let (bytes, share) = incoming.all(Some(end)).await?;
        match bytes.len() {
            there if there < end => Err(cut_off(there, end)),
            there if there > end => {
                let more = "there is more than one message in the call".to_owned();
                Err(NotReceived::BrokenOff(more))
            }
            _ => Ok((bytes, share)),
        }
    });
    let (bytes, mut share) = received.await.map_err(|error| refusal(error, intake))?;
    let compression = match (bytes[0], encoding) {
        (0, _) => Compression::None,
        (1, Some(compression)) => compression,
        (1, None) => {
            return Err(GrpcStatus::invalid_argument(
                "the message is packed, and there is no grpc-encoding",
            ));
        }
        _ => {
            return Err(GrpcStatus::invalid_argument(
                "the first byte of a message is 0 or 1: whether it is packed",
            ));
        }
    };
    let plain = intake
        .unpack(compression, bytes.slice(PREFIX..), &mut share)
        .map_err(|error| refusal(error, intake))?;
    drop(bytes);
    take(store, signal, &plain, Lost::default(), &mut share).map_err(|error| match error {
        NotCut::Decode(error) => GrpcStatus::invalid_argument(error.to_string()),
        NotCut::NoRoom => overloaded(intake),
    })
}

fn cut_off(there: usize, end: usize) -> NotReceived {
    NotReceived::BrokenOff(format!("the call ended after {there} of {end} bytes"))
}

fn refusal(error: NotReceived, intake: &Intake) -> GrpcStatus {
    match error {
        NotReceived::NoRoom => overloaded(intake),
        // Without RetryInfo, an OTLP client does not send it again.
        NotReceived::TooLarge(most) => {
            GrpcStatus::resource_exhausted(format!("the message is larger than {most} bytes"))
        }
        NotReceived::Late(most) => GrpcStatus::deadline_exceeded(format!(
            "the request did not arrive within {} s",
            most.as_secs_f64()
        )),
        NotReceived::BrokenOff(error) | NotReceived::Packed(error) => {
            GrpcStatus::invalid_argument(error)
        }
    }
}

fn overloaded(intake: &Intake) -> GrpcStatus {
    Status::overloaded(intake.retry_after).into_grpc()
}

fn is_grpc(headers: &HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE);
    content_type.is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"))
}

const ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");
const ACCEPTED: &str = "grpc-accept-encoding";

/// How packed messages of a call are packed.
fn compression(headers: &HeaderMap) -> Result<Option<Compression>, GrpcStatus> {
    let Some(value) = headers.get(ENCODING) else {
        return Ok(None);
    };
    let known = value.to_str().ok().and_then(Compression::from_name);
    known.map(Some).ok_or_else(|| {
        let mut status = GrpcStatus::unimplemented(format!(
            "grpc-encoding {value:?} is not taken; gzip, zstd and identity are"
        ));
        let accepted = tonic::metadata::MetadataValue::from_static("identity,gzip,zstd");
        status.metadata_mut().insert(ACCEPTED, accepted);
        status
    })
}

/// A message, and the status that all is well.
fn answer(message: &[u8]) -> Response<Body> {
    let mut framed = BytesMut::with_capacity(PREFIX + message.len());
    framed.put_u8(0);
    framed.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
    framed.extend_from_slice(message);
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    let body =
        Full::<Bytes>::new(framed.freeze()).with_trailers(std::future::ready(Some(Ok(trailers))));
    let mut response = Response::new(Body::new(body));
    let grpc = HeaderValue::from_static("application/grpc");
    response.headers_mut().insert(header::CONTENT_TYPE, grpc);
    response
}
