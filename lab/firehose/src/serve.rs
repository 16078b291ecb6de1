//! A receiver of OTLP/gRPC, and of OTLP/HTTP by HTTP/1.1 and HTTP/2, on one listener: the way of a request to what
//! takes it, near the limit of the machine.

use std::{convert::Infallible, io, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

/// What takes requests.
pub(crate) trait Receive: Send + Sync + 'static {
    /// What is kept of the body of a request until it is complete.
    type Body: Default + Send;

    /// Adds a piece of a body.
    fn piece(body: &mut Self::Body, piece: Bytes);

    /// Takes a request whose body has come. A gRPC message has its prefix.
    fn receive(&self, request: Request<'_>, body: Self::Body) -> Reply;
}

/// The head of a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request<'a> {
    pub(crate) is_grpc: bool,
    pub(crate) headers: &'a HeaderMap,
}

/// The answer to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    Accepted,
    /// It is no OTLP.
    Malformed(String),
}

/// The size of HTTP/2 frames that it takes: 64 times the size that every peer must take.
const FRAME: u32 = 1 << 20;
/// How much may be on its way to it, on a stream and on a connection.
const STREAM_WINDOW: u32 = 4 << 20;
const CONNECTION_WINDOW: u32 = 64 << 20;

/// The prefix of the empty message that answers a gRPC call.
const EMPTY: Bytes = Bytes::from_static(&[0; 5]);

/// Receives until `shutdown` is cancelled.
///
/// # Errors
///
/// When the listener cannot accept connections any more.
pub(crate) async fn serve<R: Receive>(
    listener: TcpListener,
    receiver: Arc<R>,
    shutdown: CancellationToken,
) -> io::Result<()> {
    let mut connections = JoinSet::new();
    let accepting = async {
        loop {
            let (stream, _) = listener.accept().await?;
            // The option cannot be set only where the peer has closed the connection already.
            let _ = stream.set_nodelay(true);
            connections.spawn(serve_connection(stream, Arc::clone(&receiver)));
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
async fn serve_connection<R: Receive>(stream: TcpStream, receiver: Arc<R>) -> Result<(), Ended> {
    if speaks_http2(&stream).await? {
        serve_http2(stream, receiver).await
    } else {
        let service = service_fn(|request| answer_http1(request, Arc::clone(&receiver)));
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

async fn serve_http2<R: Receive>(stream: TcpStream, receiver: Arc<R>) -> Result<(), Ended> {
    let mut connection = h2::server::Builder::new()
        .max_frame_size(FRAME)
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .handshake(stream)
        .await?;
    let mut calls = JoinSet::new();
    while let Some(call) = connection.accept().await {
        let (request, respond) = call?;
        calls.spawn(answer_http2(request, respond, Arc::clone(&receiver)));
        while calls.try_join_next().is_some() {}
    }
    Ok(())
}

async fn answer_http2<R: Receive>(
    request: http::Request<h2::RecvStream>,
    mut respond: h2::server::SendResponse<Bytes>,
    receiver: Arc<R>,
) -> Result<(), h2::Error> {
    let (head, mut stream) = request.into_parts();
    let mut body = R::Body::default();
    while let Some(data) = stream.data().await {
        let data = data?;
        let length = data.len();
        R::piece(&mut body, data);
        stream.flow_control().release_capacity(length)?;
    }
    let content_type = content_type(&head.headers);
    let is_grpc = content_type.as_bytes().starts_with(b"application/grpc");
    let request = Request {
        is_grpc,
        headers: &head.headers,
    };
    let reply = receiver.receive(request, body);
    if !is_grpc {
        let (head, body) = http_answer(reply, content_type).into_parts();
        let mut stream = respond.send_response(Response::from_parts(head, ()), false)?;
        return stream.send_data(body, true);
    }
    let mut stream = respond.send_response(typed(content_type, ()), false)?;
    let mut trailers = HeaderMap::new();
    match reply {
        Reply::Accepted => {
            stream.send_data(EMPTY, false)?;
            trailers.insert("grpc-status", HeaderValue::from_static("0"));
        }
        Reply::Malformed(why) => {
            let status = tonic::Status::invalid_argument(why);
            // A message with bytes that no header takes is left out; the status is there then.
            let _ = status.add_header(&mut trailers);
        }
    }
    stream.send_trailers(trailers)
}

async fn answer_http1<R: Receive>(
    request: http::Request<Incoming>,
    receiver: Arc<R>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, mut incoming) = request.into_parts();
    let mut body = R::Body::default();
    while let Some(Ok(frame)) = incoming.frame().await {
        if let Ok(data) = frame.into_data() {
            R::piece(&mut body, data);
        }
    }
    let request = Request {
        is_grpc: false,
        headers: &head.headers,
    };
    let reply = receiver.receive(request, body);
    Ok(http_answer(reply, content_type(&head.headers)).map(Full::new))
}

/// The answer of OTLP/HTTP: an empty message, or the reason.
fn http_answer(reply: Reply, content_type: HeaderValue) -> Response<Bytes> {
    match reply {
        Reply::Accepted if content_type == "application/json" => {
            typed(content_type, Bytes::from_static(b"{}"))
        }
        // An empty message has no bytes in protobuf.
        Reply::Accepted => typed(content_type, Bytes::new()),
        Reply::Malformed(why) => {
            let mut response = typed(HeaderValue::from_static("text/plain"), Bytes::from(why));
            *response.status_mut() = StatusCode::BAD_REQUEST;
            response
        }
    }
}

fn typed<B>(content_type: HeaderValue, body: B) -> Response<B> {
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
