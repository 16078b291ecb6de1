//! OTLP/HTTP.

use axum::{
    Router,
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderValue, Request as HttpRequest, StatusCode, header},
    response::{IntoResponse, Response},
    routing::post,
};
use bytes::Bytes;
use otlp::Compression;
use prost::Message as _;
use serde_json::json;
use tonic::Code;

use crate::{
    Store, Taken,
    body::{Intake, NotReceived},
    cors,
    grpc::traces_answer,
    room::Share,
    status::Status,
    store::{Counters, NotCut},
    take::{Signal, take},
    taken::Lost,
};

/// The routes of the three signals.
pub(crate) fn routes(store: Store, intake: Intake) -> Router {
    let cors = cors::layer(&store.config().cors);
    let routes = router(Receiver { store, intake });
    match cors {
        Some(cors) => routes.layer(cors),
        None => routes,
    }
}

#[derive(Clone)]
struct Receiver {
    store: Store,
    intake: Intake,
}

/// The encoding of a request, and so of its response.
#[derive(Clone, Copy, Debug)]
enum Encoding {
    Protobuf,
    Json,
}

/// The reason why a request was refused.
enum Refusal {
    /// There is no room for it now; it may be sent again.
    NoRoom,
    /// It can never be taken.
    Final {
        http: StatusCode,
        code: Code,
        message: String,
    },
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
    let Receiver { store, intake } = receiver;
    let headers = request.headers();
    let Some(encoding) = Encoding::of(headers) else {
        Counters::add(&store.counters().malformed, 1);
        return unsupported_type(headers);
    };
    match read(receiver, encoding, signal, request).await {
        Ok(taken) => encoding.answer(signal, &taken),
        Err(Refusal::NoRoom) => {
            Counters::add(&store.counters().overloaded, 1);
            let answer = encoding.status(
                StatusCode::TOO_MANY_REQUESTS,
                &Status::overloaded(intake.retry_after),
            );
            let seconds = intake.retry_after.as_nanos().div_ceil(1_000_000_000).max(1);
            // The rest of the body is not read, so the connection cannot be used again.
            let headers = [
                (header::RETRY_AFTER, seconds.to_string()),
                (header::CONNECTION, "close".to_owned()),
            ];
            (headers, answer).into_response()
        }
        Err(Refusal::Final {
            http,
            code,
            message,
        }) => {
            Counters::add(&store.counters().malformed, 1);
            encoding.status(http, &Status::new(code, message))
        }
    }
}

/// Receives, unpacks and takes a request.
async fn read(
    receiver: &Receiver,
    encoding: Encoding,
    signal: Signal,
    request: HttpRequest<Body>,
) -> Result<Taken, Refusal> {
    let Receiver { store, intake } = receiver;
    let compression = compression(request.headers())?;
    let declared = axum::body::HttpBody::size_hint(request.body()).exact();
    let expected = declared.and_then(|bytes| usize::try_from(bytes).ok());
    let incoming = intake.open(request.into_body(), declared)?;
    let (body, mut share) = intake.in_time(incoming.all(expected)).await?;
    let plain = intake.unpack(compression, body, &mut share)?;
    let (bytes, lost) = match encoding {
        Encoding::Protobuf => (plain, Lost::default()),
        Encoding::Json => transcode(signal, plain, &mut share)?,
    };
    Ok(take(store, signal, &bytes, lost, &mut share)?)
}

/// Writes JSON over into protobuf. What it says is shorter than its text.
fn transcode(signal: Signal, text: Bytes, share: &mut Share) -> Result<(Bytes, Lost), Refusal> {
    share.grow(text.len()).map_err(NotReceived::from)?;
    let read = match signal {
        Signal::Traces => otlp::traces_from_json(&text),
        Signal::Logs => otlp::logs_from_json(&text),
        Signal::Metrics => otlp::metrics_from_json(&text),
    };
    let read = read.map_err(NotCut::from)?;
    let lost = Lost {
        replaced: read.replaced,
        library_spans: read.library_spans,
    };
    Ok((read.bytes.into(), lost))
}

fn compression(headers: &HeaderMap) -> Result<Compression, Refusal> {
    let Some(value) = headers.get(header::CONTENT_ENCODING) else {
        return Ok(Compression::None);
    };
    value
        .to_str()
        .ok()
        .and_then(Compression::from_name)
        .ok_or_else(|| Refusal::Final {
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
        Refusal::Final {
            http: StatusCode::BAD_REQUEST,
            code: Code::InvalidArgument,
            message,
        }
    }
}

impl From<NotReceived> for Refusal {
    fn from(error: NotReceived) -> Refusal {
        match error {
            NotReceived::NoRoom => Refusal::NoRoom,
            NotReceived::TooLarge(most) => Refusal::Final {
                http: StatusCode::PAYLOAD_TOO_LARGE,
                code: Code::ResourceExhausted,
                message: format!("the request is larger than {most} bytes"),
            },
            NotReceived::Late(most) => Refusal::Final {
                http: StatusCode::REQUEST_TIMEOUT,
                code: Code::DeadlineExceeded,
                message: format!("the request did not arrive within {} s", most.as_secs_f64()),
            },
            NotReceived::BrokenOff(error) | NotReceived::Packed(error) => Refusal::malformed(error),
        }
    }
}

impl From<NotCut> for Refusal {
    fn from(error: NotCut) -> Refusal {
        match error {
            NotCut::NoRoom => Refusal::NoRoom,
            NotCut::Decode(error) => Refusal::malformed(error.to_string()),
        }
    }
}
