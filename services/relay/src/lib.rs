//! A service that only passes context on: the subject of the W3C trace-context test suite.
//!
//! The suite (<https://github.com/w3c/trace-context/tree/main/test>) asks a service to call it back and
//! checks the headers of the call. The relay therefore has no propagation code of its own: it uses the
//! boundaries of the shop, [`telemetry::http_server`] and [`telemetry::http_client`].
//!
//! It calls any address that a request names, so it must not listen where strangers can reach it.
//!
//! ```no_run
//! use chassis::AllowedHosts;
//! use telemetry::Telemetry;
//! use tokio_util::sync::CancellationToken;
//!
//! # async fn start(telemetry: Telemetry) -> Result<(), chassis::Error> {
//! let listener = chassis::listen("127.0.0.1:8086".parse().expect("it is an address")).await?;
//! relay::run(listener, AllowedHosts::default(), telemetry, CancellationToken::new()).await
//! # }
//! ```

mod call;

use axum::{Router, routing::post};
use chassis::{AllowedHosts, FaultSwitch, ServiceArgs};
use telemetry::Telemetry;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// The arguments of `tracelab service relay`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// The arguments of every service.
    #[command(flatten)]
    pub service: ServiceArgs<8086>,
}

/// Runs the process: sets it up from the arguments, and serves until it is told to stop.
///
/// # Errors
///
/// When its address or its telemetry cannot be used, and when serving fails.
pub async fn main(args: Args) -> Result<(), chassis::Error> {
    let telemetry =
        chassis::start_telemetry("relay", env!("CARGO_PKG_VERSION"), FaultSwitch::Ignored)?;
    let listener = chassis::listen(args.service.listen).await?;
    let stop = chassis::stop_signal(args.service.exit_with_parent)?;
    run(listener, args.service.hosts(), telemetry, stop).await
}

/// Runs the service: answers requests until `shutdown`. `hosts` are its names; it has no other configuration.
///
/// # Errors
///
/// When the operating system closes the listener.
pub async fn run(
    listener: TcpListener,
    hosts: AllowedHosts,
    telemetry: Telemetry,
    shutdown: CancellationToken,
) -> Result<(), chassis::Error> {
    chassis::serve(listener, router(), hosts, telemetry, shutdown).await
}

/// The suite gets one address and may request any path below it.
fn router() -> Router {
    Router::new()
        .route("/", post(call::each))
        .route("/{*path}", post(call::each))
        .with_state(telemetry::http_client::client())
}
