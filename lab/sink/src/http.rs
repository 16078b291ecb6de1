//! OTLP/HTTP.

use std::io;

use axum::{
    Router,
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderValue, Request as HttpRequest, StatusCode, header},
    response::{IntoResponse, Response},
    routing::post,
};
use http_body_util::{BodyExt, Limited};
use otlp::{Compression, Failure};
use prost::Message as _;
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::Code;

use crate::{
    Store, Taken, cors,
    gate::Gate,
    grpc::traces_answer,
    status::Status,
    store::Counters,
    take::{Request, Signal, take},
};

/// Serves the three signals until `shutdown` is cancelled.
pub(crate) async fn serve(
    listener: TcpListener,
    store: Store,
    gate: Gate,
    shutdown: CancellationToken,
) -> io::Result<()> {
    let cors = cors::layer(&store.config().cors);
    let service = router(Receiver { store, gate });
    let service = match cors {
        Some(cors) => service.layer(cors),
        None => service,
    };
    axum::serve(tcp::NoDelay::new(listener), service)
        .with_graceful_shutdown(shutdown.cancelled_owned())
        .await
}

#[derive(Clone)]
struct Receiver {
    store: Store,
    gate: Gate,
}

/// The encoding of a request, and so of its response.
#[derive(Clone, Copy, Debug)]
enum Encoding {
    Protobuf,
    Json,
}

/// The reason why a request was refused.
struct Refusal {
    http: StatusCode,
    code: Code,
    message: String,
}

fn router(receiver: Receiver) -> Router {
    let signal = |signal| {
        post(
            move |State(receiver): State<Receiver>, request: HttpRequest<Body>| async move {
                receive(&receiver, signal, request).await
            },
        )
        .fallback(not_post)
    };
    Router::new()
        .route("/v1/traces", signal(Signal::Traces))
        .route("/v1/logs", signal(Signal::Logs))
        .route("/v1/metrics", signal(Signal::Metrics))
        .fallback(unknown_path)
        .with_state(receiver)
}

async fn receive(receiver: &Receiver, signal: Signal, request: HttpRequest<Body>) -> Response {
    let Receiver { store, gate } = receiver;
    let headers = request.headers();
    let Some(encoding) = Encoding::of(headers) else {
        Counters::add(&store.counters().malformed, 1);
        return unsupported_type(headers);
    };
    let Some(_place) = gate.enter() else {
        Counters::add(&store.counters().overloaded, 1);
        let answer = encoding.status(
            StatusCode::TOO_MANY_REQUESTS,
            &Status::overloaded(gate.retry_after),
        );
        let seconds = gate.retry_after.as_nanos().div_ceil(1_000_000_000).max(1);
        return ([(header::RETRY_AFTER, seconds.to_string())], answer).into_response();
    };
    match read(receiver, encoding, signal, request).await {
        Ok(request) => encoding.answer(signal, &take(store, request)),
        Err(Refusal {
            http,
            code,
            message,
        }) => {
            Counters::add(&store.counters().malformed, 1);
            encoding.status(http, &Status::new(code, message))
        }
    }
}

/// Receives, decompresses and decodes a request.
async fn read(
    receiver: &Receiver,
    encoding: Encoding,
    signal: Signal,
    request: HttpRequest<Body>,
) -> Result<Request, Refusal> {
    let most = receiver.store.config().max_request_bytes;
    let compression = compression(request.headers())?;
    let body = Limited::new(request.into_body(), most).collect();
    let body = tokio::time::timeout(receiver.gate.request_timeout, body)
        .await
        .map_err(|_| Refusal::late(receiver.gate.request_timeout.as_secs_f64()))?
        .map_err(|error| Refusal::broken_off(error.as_ref(), most))?
        .to_bytes();
    let plain = compression
        .decompress(body, most)
        .map_err(|failure| match failure {
            Failure::TooLarge => Refusal::too_large(most),
            Failure::Malformed(error) => {
                Refusal::malformed(format!("the body is no {compression:?}: {error}"))
            }
        })?;
    decode(encoding, signal, &plain).map_err(|error| Refusal::malformed(error.to_string()))
}

fn decode(encoding: Encoding, signal: Signal, bytes: &[u8]) -> Result<Request, otlp::DecodeError> {
    Ok(match (signal, encoding) {
        (Signal::Traces, Encoding::Protobuf) => Request::Traces(otlp::traces_from_protobuf(bytes)?),
        (Signal::Traces, Encoding::Json) => Request::Traces(otlp::traces_from_json(bytes)?),
        (Signal::Logs, Encoding::Protobuf) => Request::Logs(otlp::logs_from_protobuf(bytes)?),
        (Signal::Logs, Encoding::Json) => Request::Logs(otlp::logs_from_json(bytes)?),
        (Signal::Metrics, Encoding::Protobuf) => {
            Request::Metrics(otlp::metrics_from_protobuf(bytes)?)
        }
        (Signal::Metrics, Encoding::Json) => Request::Metrics(otlp::metrics_from_json(bytes)?),
    })
}

fn compression(headers: &HeaderMap) -> Result<Compression, Refusal> {
    let Some(value) = headers.get(header::CONTENT_ENCODING) else {
        return Ok(Compression::None);
    };
    value
        .to_str()
        .ok()
        .and_then(Compression::from_name)
        .ok_or_else(|| Refusal {
            http: StatusCode::UNSUPPORTED_MEDIA_TYPE,
            code: Code::InvalidArgument,
            message: format!(
                "Content-Encoding {value:?} is not taken; gzip, zstd and identity are"
            ),
        })
}

async fn not_post() -> Response {
    let status = Status::new(Code::Unimplemented, "OTLP/HTTP is sent with POST");
    let answer = Encoding::Json.status(StatusCode::METHOD_NOT_ALLOWED, &status);
    ([(header::ALLOW, "POST")], answer).into_response()
}

async fn unknown_path() -> Response {
    let status = Status::new(
        Code::NotFound,
        "OTLP/HTTP is sent to /v1/traces, /v1/logs or /v1/metrics",
    );
    Encoding::Json.status(StatusCode::NOT_FOUND, &status)
}

fn unsupported_type(headers: &HeaderMap) -> Response {
    let named = match headers.get(header::CONTENT_TYPE) {
        Some(name) => format!("Content-Type {name:?} is not taken"),
        None => "there is no Content-Type".to_owned(),
    };
    let status = Status::new(
        Code::InvalidArgument,
        format!("{named}; application/x-protobuf and application/json are"),
    );
    Encoding::Json.status(StatusCode::UNSUPPORTED_MEDIA_TYPE, &status)
}

// === impl Encoding ===

impl Encoding {
    /// The encoding that the `Content-Type` names; its parameters do not matter.
    fn of(headers: &HeaderMap) -> Option<Encoding> {
        let name = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
        let name = name.split(';').next().unwrap_or_default().trim();
        if name.eq_ignore_ascii_case("application/x-protobuf") {
            Some(Encoding::Protobuf)
        } else if name.eq_ignore_ascii_case("application/json") {
            Some(Encoding::Json)
        } else {
            None
        }
    }

    fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Encoding::Protobuf => "application/x-protobuf",
            Encoding::Json => "application/json",
        })
    }

    fn answer(self, signal: Signal, taken: &Taken) -> Response {
        let body = match (signal, self) {
            (Signal::Traces, Encoding::Protobuf) => traces_answer(taken).encode_to_vec(),
            (Signal::Traces, Encoding::Json) if !taken.message().is_empty() => {
                let partial = json!({ "rejectedSpans": taken.refused.to_string(), "errorMessage": taken.message() });
                json!({ "partialSuccess": partial })
                    .to_string()
                    .into_bytes()
            }
            // A response without refused spans and without a warning is the empty message.
            (_, Encoding::Protobuf) => Vec::new(),
            (_, Encoding::Json) => b"{}".to_vec(),
        };
        ([(header::CONTENT_TYPE, self.content_type())], body).into_response()
    }

    fn status(self, http: StatusCode, status: &Status) -> Response {
        let body = match self {
            Encoding::Protobuf => status.to_protobuf(),
            Encoding::Json => status.to_json(),
        };
        (http, [(header::CONTENT_TYPE, self.content_type())], body).into_response()
    }
}

// === impl Refusal ===

impl Refusal {
    fn malformed(message: String) -> Refusal {
        Refusal {
            http: StatusCode::BAD_REQUEST,
            code: Code::InvalidArgument,
            message,
        }
    }

    fn too_large(most: usize) -> Refusal {
        Refusal {
            http: StatusCode::PAYLOAD_TOO_LARGE,
            code: Code::ResourceExhausted,
            message: format!("the request is larger than {most} bytes"),
        }
    }

    fn late(seconds: f64) -> Refusal {
        Refusal {
            http: StatusCode::REQUEST_TIMEOUT,
            code: Code::DeadlineExceeded,
            message: format!("the request did not arrive within {seconds} s"),
        }
    }

    fn broken_off(error: &(dyn std::error::Error + 'static), most: usize) -> Refusal {
        if error.is::<http_body_util::LengthLimitError>() {
            Refusal::too_large(most)
        } else {
            Refusal::malformed(format!("the body ended too early: {error}"))
        }
    }
}
