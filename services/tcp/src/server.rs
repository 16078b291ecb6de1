//! [`Server`]: serves HTTP on a listener, with limits on silence, until it is stopped.

use std::{convert::Infallible, pin::pin, sync::Arc, time::Duration};

use axum::{body::Body, response::Response};
use hyper::{
    Request, Version,
    body::Incoming,
    header::{CONNECTION, EXPECT, HeaderValue},
    service::service_fn,
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
};
use tokio::{
    net::{TcpListener, TcpStream},
    task::{JoinError, JoinSet},
    time::{Instant, interval, timeout_at},
};
use tokio_util::sync::CancellationToken;
use tower::{Service, ServiceExt};

use crate::{
    Limits, Listener, Place, Places,
    bodies::{Call, Going},
    progress::Verdict,
    watched::Watched,
};

/// The longest time between two looks at a connection while the server stops.
const STOPPING_LOOK: Duration = Duration::from_millis(100);

/// HTTP/2 knows no smaller bound of a frame (RFC 9113, section 6.5.2).
const LEAST_OF_A_FRAME: u32 = 16_384;
/// The bytes of the head of a frame of HTTP/2.
const HEAD_OF_A_FRAME: u32 = 9;

/// A server of HTTP/1 and HTTP/2, without TLS.
#[derive(Debug)]
pub struct Server {
    listener: Listener,
    is_http2_only: bool,
    limits: Limits,
    unread: Option<u32>,
}

/// What all connections of a server share.
struct Shared<S> {
    builder: Builder<TokioExecutor>,
    service: S,
    limits: Limits,
    stop: CancellationToken,
}

// === impl Server ===

impl Server {
    /// A server of the connections of `listener`, which take places of this process.
    pub fn new(listener: TcpListener) -> Server {
        Server::with(Listener::new(listener), Limits::default())
    }

    /// A server of the connections of `listener`, which take some of these places, and may be silent for these times.
    pub fn with_places(listener: TcpListener, places: Places, limits: Limits) -> Server {
        Server::with(Listener::with_places(listener, places), limits)
    }

    fn with(listener: Listener, limits: Limits) -> Server {
        Server {
            listener,
            is_http2_only: false,
            limits,
            unread: None,
        }
    }

    /// Bounds the bytes that a connection may have sent and its service has not read yet, which stand in memory: the
    /// window of HTTP/2, whose frames may have half as many, as the buffer of HTTP/1. At least 32 KiB.
    #[must_use]
    pub fn unread(self, bytes: usize) -> Server {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        Server {
            unread: Some(bytes.clamp(32 << 10, 1 << 20)),
            ..self
        }
    }

    /// Refuses HTTP/1. A gRPC service would answer it with 200, and the error in a header that its client does not
    /// know.
    #[must_use]
    pub fn http2_only(self) -> Server {
        Server {
            is_http2_only: true,
            ..self
        }
    }

    /// Answers requests until `stop` is cancelled; then ends within `patience`, and returns the number of connections
    /// that it had to cut off.
    ///
    /// After the stop no connection is accepted. Requests that have arrived are answered. A client that keeps back
    /// the rest of its request, or does not read its answer, is waited for as long as [`Limits::stopping`].
    pub async fn serve<S>(
        mut self,
        service: S,
        stop: CancellationToken,
        patience: Duration,
    ) -> usize
    where
        S: Service<Request<Body>, Response = Response, Error = Infallible>,
        S: Clone + Send + Sync + 'static,
        S::Future: Send,
    {
        let mut builder = Builder::new(TokioExecutor::new());
        // hyper's own limit on headers also ends connections that are idle, far too early for those.
        builder.http1().header_read_timeout(None);
        if let Some(bytes) = self.unread {
            builder.http1().max_buf_size(bytes as usize / 2);
            builder
                .http2()
                .initial_stream_window_size(bytes)
                .initial_connection_window_size(bytes)
                // With the head of a frame, this is the size of a buffer.
                .max_frame_size((bytes / 2 - HEAD_OF_A_FRAME).max(LEAST_OF_A_FRAME));
        }
        if self.is_http2_only {
            builder = builder.http2_only();
        }
        let shared = Arc::new(Shared {
            builder,
            service,
            limits: self.limits,
            stop: stop.clone(),
        });
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                (socket, place) = self.listener.accept() => {
                    connections.spawn(Arc::clone(&shared).attend(socket, place));
                }
                Some(ended) = connections.join_next() => report(ended),
                () = stop.cancelled() => break,
            }
        }
        // No connection waits in the system's queue for a server that has stopped.
        drop(self.listener);
        let until = Instant::now() + patience;
        let all = async {
            while let Some(ended) = connections.join_next().await {
                report(ended);
            }
        };
        let _ = timeout_at(until, all).await;
        let cut_off = connections.len();
        connections.shutdown().await;
        cut_off
    }
}

/// A panic in a connection's task ends that connection alone; the panic hook has printed it.
fn report(ended: Result<(), JoinError>) {
    if let Err(error) = ended {
        tracing::debug!("a connection failed: {error}");
    }
}

// === impl Shared ===

impl<S> Shared<S>
where
    S: Service<Request<Body>, Response = Response, Error = Infallible>,
    S: Clone + Send + Sync + 'static,
    S::Future: Send,
{
    /// Serves one connection to its end.
    async fn attend(self: Arc<Self>, socket: TcpStream, place: Place) {
        let progress = Arc::clone(place.progress());
        let socket = TokioIo::new(Watched::new(socket, Arc::clone(&progress)));
        let answer = service_fn(|request: Request<Incoming>| {
            let is_http1 = request.version() < Version::HTTP_2;
            let call = Call::begin(Arc::clone(&progress), is_http1);
            answer(self.service.clone(), call, request)
        });
        let mut connection = pin!(self.builder.serve_connection(socket, answer));
        let mut look = interval(self.limits.look);
        let mut is_stopping = false;
        let mut is_parting = false;
        loop {
            tokio::select! {
                biased;
                ended = connection.as_mut() => {
                    if let Err(error) = ended {
                        tracing::debug!("a connection ended: {error}");
                    }
                    return;
                }
                () = place.lost() => {
                    tracing::debug!("a silent connection was closed for another");
                    return;
                }
                () = self.stop.cancelled(), if !is_stopping => {
                    is_stopping = true;
                    look = interval(self.limits.look.min(STOPPING_LOOK));
                    connection.as_mut().graceful_shutdown();
                }
                _ = look.tick() => match progress.verdict(&self.limits, is_stopping) {
                    Verdict::Stay => {}
                    Verdict::Part if is_parting => {}
                    Verdict::Part => {
                        is_parting = true;
                        connection.as_mut().graceful_shutdown();
                    }
                    Verdict::Leave => return,
                }
            }
        }
    }
}

/// Answers one request.
async fn answer<S>(
    service: S,
    call: Call,
    request: Request<Incoming>,
) -> Result<hyper::Response<Going>, Infallible>
where
    S: Service<Request<Body>, Response = Response, Error = Infallible>,
{
    let is_http1 = request.version() < Version::HTTP_2;
    let waits_for_leave = request.headers().contains_key(EXPECT);
    let request = request.map(|body| Body::new(call.coming(body)));
    let mut response = match service.oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    };
    // A connection on which a body is still to come cannot be used again, and its client must know.
    if is_http1 && (waits_for_leave && !call.is_whole() || !call.has_come().await) {
        let headers = response.headers_mut();
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    Ok(response.map(|body| call.going(body)))
}
