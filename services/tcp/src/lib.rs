//! A listener whose connections send at once: TCP_NODELAY is set on each.
//!
//! Without the option the operating system holds a small write back until the peer has acknowledged the write
//! before it (Nagle's algorithm, RFC 896), and the peer delays that acknowledgement by up to 40 ms. A gRPC reply
//! is two writes, so one connection then carries some 25 to 40 calls a second, and a trace shows gaps without a
//! cause. Neither axum's nor tonic's server sets the option on a listener that it is given.
//!
//! [`NoDelay`] is a listener for axum, and a stream of connections for tonic. Clients need nothing of this crate:
//! those of reqwest, tonic and lapin set the option on their own.
//!
//! ```
//! # async fn serve(listener: tokio::net::TcpListener) -> std::io::Result<()> {
//! axum::serve(tcp::NoDelay::new(listener), axum::Router::new()).await
//! # }
//! ```

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll, ready},
};

use axum::serve::Listener;
use futures::Stream;
use tokio::net::{TcpListener, TcpStream};

/// A TCP listener that sets TCP_NODELAY on each connection that it accepts.
#[derive(Debug)]
pub struct NoDelay(TcpListener);

// === impl NoDelay ===

impl NoDelay {
    /// Accepts the connections of `listener`.
    pub fn new(listener: TcpListener) -> NoDelay {
        NoDelay(listener)
    }
}

impl Listener for NoDelay {
    type Io = TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        // axum's own implementation waits and tries again where accepting fails.
        let (connection, peer) = Listener::accept(&mut self.0).await;
        (at_once(connection), peer)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

impl Stream for NoDelay {
    type Item = io::Result<TcpStream>;

    fn poll_next(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<TcpStream>>> {
        let accepted = ready!(self.0.poll_accept(context));
        Poll::Ready(Some(accepted.map(|(connection, _)| at_once(connection))))
    }
}

fn at_once(connection: TcpStream) -> TcpStream {
    // The option cannot be set only where the peer has closed the connection already; the first read says so.
    let _ = connection.set_nodelay(true);
    connection
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    use futures::StreamExt;

    use super::*;

    #[tokio::test]
    async fn each_connection_sends_at_once_whichever_way_it_is_accepted() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut listener = NoDelay::new(listener);
        assert_eq!(Listener::local_addr(&listener).unwrap(), address);

        let client = TcpStream::connect(address).await.unwrap();
        let (accepted, peer) = Listener::accept(&mut listener).await;
        assert!(accepted.nodelay().unwrap());
        assert_eq!(peer, client.local_addr().unwrap());

        let _client = TcpStream::connect(address).await.unwrap();
        let accepted = listener.next().await.unwrap().unwrap();
        assert!(accepted.nodelay().unwrap());
    }
}
