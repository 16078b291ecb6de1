//! A connection to the receiver, by HTTP/2 or HTTP/1.1, whose bodies are sent without a copy.

use std::{future::poll_fn, io, time::Duration};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use thiserror::Error;
use tokio::net::TcpStream;

use crate::{Answer, Encoding, Packing, Protocol, Target, answer};

/// A connection whose requests differ in their bodies alone.
pub(crate) struct Connection {
    head: Request<()>,
    protocol: Protocol,
    encoding: Encoding,
    sender: Sender,
}

enum Sender {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(h2::client::SendRequest<Bytes>),
}

/// Why there is no connection.
#[derive(Debug, Error)]
#[error("cannot connect to {to}: {why}")]
pub struct ConnectError {
    to: String,
    why: Broken,
}

/// What broke a connection, or an exchange on it.
#[derive(Debug, Error)]
pub(crate) enum Broken {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Http2(#[from] h2::Error),
    #[error("{}", with_cause(.0))]
    Http1(#[from] hyper::Error),
    #[error("the response: {0}")]
    Response(Box<dyn std::error::Error + Send + Sync>),
    /// The connection did not take the request: nothing of it was sent.
    #[error(transparent)]
    Unsent(h2::Error),
    #[error("no answer after {0:?}")]
    Late(Duration),
}

/// The most bytes of a response.
const MOST: usize = 64 << 10;

// === impl Connection ===

impl Connection {
    pub(crate) async fn open(
        target: &Target,
        encoding: Encoding,
        packing: Packing,
    ) -> Result<Connection, ConnectError> {
        let sender = Sender::open(target).await;
        let sender = sender.map_err(|why| ConnectError::new(target, why))?;
        Ok(Connection {
            head: target.head(encoding, packing),
            protocol: target.protocol,
            encoding,
            sender,
        })
    }

    /// Another handle on the same connection, with requests of its own. HTTP/1.1 has one request at a time.
    pub(crate) fn again(&self) -> Option<Connection> {
        let Sender::Http2(sender) = &self.sender else {
            return None;
        };
        Some(Connection {
            head: self.head.clone(),
            protocol: self.protocol,
            encoding: self.encoding,
            sender: Sender::Http2(sender.clone()),
        })
    }

    /// Waits until the connection takes a request.
    pub(crate) async fn ready(&mut self) -> Result<(), Broken> {
        match &mut self.sender {
            Sender::Http1(sender) => sender.ready().await?,
            Sender::Http2(sender) => poll_fn(|context| sender.poll_ready(context)).await?,
        }
        Ok(())
    }

    /// Sends a request, and reads its answer.
    pub(crate) async fn exchange(&mut self, body: Bytes) -> Result<Answer, Broken> {
        let head = self.head.clone();
        match &mut self.sender {
            Sender::Http1(sender) => {
                let request = head.map(|()| Full::new(body));
                let response = sender.send_request(request).await?;
                self.read_http1(response).await
            }
            Sender::Http2(sender) => {
                let (response, mut stream) =
                    sender.send_request(head, false).map_err(Broken::Unsent)?;
                stream.send_data(body, true)?;
                let response = response.await?;
                self.read_http2(response).await
            }
        }
    }

    async fn read_http1(&self, response: Response<Incoming>) -> Result<Answer, Broken> {
        let (head, body) = response.into_parts();
        let body = Limited::new(body, MOST).collect().await;
        let body = body.map_err(Broken::Response)?.to_bytes();
        Ok(answer::of_http(
            self.encoding,
            head.status,
            body,
            &head.headers,
        ))
    }

    async fn read_http2(&self, response: Response<h2::RecvStream>) -> Result<Answer, Broken> {
        let (head, mut stream) = response.into_parts();
        let mut body = BytesMut::new();
        while let Some(data) = stream.data().await {
            let data = match data {
                Ok(data) => data,
                // The answer is complete, and the rest of the request is not wanted (RFC 9113, section 8.1).
                Err(error) if error.reason() == Some(h2::Reason::NO_ERROR) => break,
                Err(error) => return Err(error.into()),
            };
            stream.flow_control().release_capacity(data.len())?;
            if body.len() + data.len() > MOST {
                return Err(Broken::Response(format!("longer than {MOST} bytes").into()));
            }
            body.extend_from_slice(&data);
        }
        let body = body.freeze();
        if self.protocol == Protocol::Http2 {
            return Ok(answer::of_http(
                self.encoding,
                head.status,
                body,
                &head.headers,
            ));
        }
        // A response without a body has its status in the headers.
        let trailers: HeaderMap = stream.trailers().await?.unwrap_or(head.headers);
        Ok(answer::of_grpc(head.status, &body, &trailers))
    }
}

// === impl ConnectError ===

impl ConnectError {
    pub(crate) fn new(to: &Target, why: Broken) -> ConnectError {
        ConnectError {
            to: to.authority.to_string(),
            why,
        }
    }
}

// === impl Broken ===

impl Broken {
    /// Whether nothing of the request was sent.
    pub(crate) fn is_unsent(&self) -> bool {
        match self {
            Broken::Unsent(_) => true,
            // hyper says so of requests that were still waiting for the connection.
            Broken::Http1(error) => error.is_canceled(),
            _ => false,
        }
    }
}

// === impl Sender ===

impl Sender {
    async fn open(target: &Target) -> Result<Sender, Broken> {
        let stream = TcpStream::connect(target.authority.as_str()).await?;
        stream.set_nodelay(true)?;
        // The tasks end with the senders, or with the connection: what is wrong is seen at the senders.
        Ok(match target.protocol {
            Protocol::Http1 => {
                let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
                tokio::spawn(connection);
                Sender::Http1(sender)
            }
            Protocol::Grpc | Protocol::Http2 => {
                let (sender, connection) = h2::client::handshake(stream).await?;
                tokio::spawn(connection);
                Sender::Http2(sender)
            }
        })
    }
}

/// hyper's errors have what happened in their sources.
fn with_cause(error: &hyper::Error) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}
