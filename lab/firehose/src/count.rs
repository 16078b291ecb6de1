//! [`count`]: a receiver that reads requests, counts them, and accepts all. It decodes nothing, so it takes what the
//! machine can send, and shows the limit of a sender.

use std::{
    convert::Infallible,
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, header};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

/// What a counting receiver has received.
#[derive(Debug, Default)]
pub struct Counter {
    requests: AtomicU64,
    bytes: AtomicU64,
}

/// The size of HTTP/2 frames that it takes: 64 times the size that every peer must take.
const FRAME: u32 = 1 << 20;
/// How much may be on its way to it, on a stream and on a connection.
const STREAM_WINDOW: u32 = 4 << 20;
const CONNECTION_WINDOW: u32 = 64 << 20;

/// The prefix of the empty message that answers a gRPC call.
const EMPTY: Bytes = Bytes::from_static(&[0; 5]);

/// Receives OTLP/gRPC, and OTLP/HTTP by HTTP/1.1 and HTTP/2, on one listener until `shutdown` is cancelled.
///
/// # Errors
///
/// When the listener cannot accept connections any more.
pub async fn count(
    listener: TcpListener,
    counter: Arc<Counter>,
    shutdown: CancellationToken,
) -> io::Result<()> {
    let mut connections = JoinSet::new();
    let accepting = async {
        loop {
            let (stream, _) = listener.accept().await?;
            // The option cannot be set only where the peer has closed the connection already.
            let _ = stream.set_nodelay(true);
            connections.spawn(serve(stream, Arc::clone(&counter)));
            // Those that ended are forgotten.
            while connections.try_join_next().is_some() {}
        }
    };
    tokio::select! {
        () = shutdown.cancelled() => Ok(()),
        failed = accepting => failed,
    }
}

/// Serves a connection, until the peer ends it or breaks the protocol.
async fn serve(stream: TcpStream, counter: Arc<Counter>) -> Result<(), Ended> {
    if speaks_http2(&stream).await? {
        serve_http2(stream, counter).await
    } else {
        let service = service_fn(|request| answer_http1(request, Arc::clone(&counter)));
        let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        Ok(connection.await?)
    }
}

/// Any end of a connection is its peer's affair: what was received until then is counted.
type Ended = Box<dyn std::error::Error + Send + Sync>;

/// Whether the peer begins with the preface of HTTP/2 (RFC 9113, section 3.4).
async fn speaks_http2(stream: &TcpStream) -> io::Result<bool> {
    const PREFACE: &[u8] = b"PRI";
    let mut begin = [0; PREFACE.len()];
    loop {
        let there = stream.peek(&mut begin).await?;
        if there == 0 || !PREFACE.starts_with(&begin[..there]) {
            return Ok(false);
        }
        if there == begin.len() {
            return Ok(true);
        }
        // A part of the preface stays readable, so only time brings the rest.
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

async fn serve_http2(stream: TcpStream, counter: Arc<Counter>) -> Result<(), Ended> {
    let mut connection = h2::server::Builder::new()
        .max_frame_size(FRAME)
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .handshake(stream)
        .await?;
    let mut calls = JoinSet::new();
    while let Some(call) = connection.accept().await {
        let (request, respond) = call?;
        calls.spawn(answer_http2(request, respond, Arc::clone(&counter)));
        while calls.try_join_next().is_some() {}
    }
    Ok(())
}

async fn answer_http2(
    request: Request<h2::RecvStream>,
    mut respond: h2::server::SendResponse<Bytes>,
    counter: Arc<Counter>,
) -> Result<(), h2::Error> {
    let content_type = content_type(request.headers());
    let mut body = request.into_body();
    let mut bytes = 0;
    while let Some(data) = body.data().await {
        let data = data?;
        bytes += data.len();
        body.flow_control().release_capacity(data.len())?;
    }
    counter.add(bytes);
    let is_grpc = content_type == "application/grpc";
    let body = answer_body(&content_type);
    let mut stream = respond.send_response(answer_head(content_type, ()), false)?;
    if is_grpc {
        stream.send_data(EMPTY, false)?;
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", HeaderValue::from_static("0"));
        stream.send_trailers(trailers)
    } else {
        stream.send_data(body, true)
    }
}

async fn answer_http1(
    request: Request<Incoming>,
    counter: Arc<Counter>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let content_type = content_type(request.headers());
    let mut body = request.into_body();
    let mut bytes = 0;
    while let Some(Ok(frame)) = body.frame().await {
        bytes += frame.data_ref().map_or(0, Bytes::len);
    }
    counter.add(bytes);
    let body = Full::new(answer_body(&content_type));
    Ok(answer_head(content_type, body))
}

/// The empty response of OTLP/HTTP: no bytes in protobuf.
fn answer_body(content_type: &HeaderValue) -> Bytes {
    match content_type.as_bytes() {
        b"application/json" => Bytes::from_static(b"{}"),
        _ => Bytes::new(),
    }
}

fn answer_head<B>(content_type: HeaderValue, body: B) -> Response<B> {
    let mut response = Response::new(body);
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, content_type);
    response
}

fn content_type(headers: &HeaderMap) -> HeaderValue {
    let found = headers.get(header::CONTENT_TYPE).cloned();
    found.unwrap_or(HeaderValue::from_static("application/x-protobuf"))
}

// === impl Counter ===

impl Counter {
    /// The requests that have arrived completely.
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// The bytes of their bodies, with the prefix of gRPC.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    fn add(&self, bytes: usize) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}
