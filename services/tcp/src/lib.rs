//! Serves TCP. Every listener of the product accepts its connections here.
//!
//! - **At once.** TCP_NODELAY is set on each connection. Without it the operating system holds a small write back
//!   until the peer has acknowledged the write before it (Nagle's algorithm, RFC 896), and the peer delays that
//!   acknowledgement by up to 40 ms. A gRPC reply is two writes, so one connection would carry some 25 calls a
//!   second. Clients need nothing of this crate: those of reqwest, tonic and lapin set the option on their own.
//! - **Bounded.** Each connection holds a [`Place`], and there are [`Places`] for half of the files that the process
//!   may open. When all are taken, the connection that has been silent the longest, and for which nothing is being
//!   worked on, is closed for the new one: silent clients cannot shut out others.
//! - **In time.** [`Server`] closes a connection that does not send its request, or is idle for long ([`Limits`]).
//! - **Stopped.** [`Server::serve`] ends within a given time after its stop: requests that are worked on are
//!   finished, and clients that keep half a request back are not waited for.
//!
//! A failure to accept is logged, once in a while for each kind, and tried again.
//!
//! ```
//! # async fn serve(listener: tokio::net::TcpListener) {
//! use std::time::Duration;
//! use tokio_util::sync::CancellationToken;
//!
//! let stop = CancellationToken::new();
//! let router = axum::Router::new();
//! tcp::Server::new(listener).serve(router, stop, Duration::from_secs(5)).await;
//! # }
//! ```
#![warn(
    clippy::missing_errors_doc,
    reason = "callers in other crates must know when a call fails"
)]

mod bodies;
mod limits;
mod listener;
mod open_files;
mod places;
mod progress;
mod server;
mod watched;

pub use limits::Limits;
pub use listener::{Listener, bind};
pub use open_files::raise_open_files;
pub use places::{Place, Places};
pub use progress::Progress;
pub use server::Server;
