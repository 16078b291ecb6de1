//! The third-party payment provider: deliberately not instrumented.
//!
//! The shop does not own it, so it makes no spans and knows nothing of tracing: a trace shows it only as the
//! time of payment's call. Otherwise it is a process like the others, with its own database, and keeps its
//! promise: it charges once for each `Idempotency-Key`, even if replies are lost.
//!
//! ```no_run
//! use chassis::{AllowedHosts, DatabaseArgs, FaultSwitch, Pace};
//! use telemetry::Telemetry;
//! use tokio_util::sync::CancellationToken;
//!
//! # async fn start() -> Result<(), chassis::Error> {
//! let args = DatabaseArgs {
//!     database: "sqlite:///tmp/provider.db".to_owned(),
//! };
//! let config = provider::Config {
//!     database: args.open(&provider::MIGRATIONS).await?.pool,
//!     pace: Pace::Textbook,
//!     faults: FaultSwitch::Ignored,
//!     hosts: AllowedHosts::default(),
//! };
//! let listener = chassis::listen("127.0.0.1:8083".parse().expect("it is an address")).await?;
//! provider::run(listener, config, Telemetry::none(), CancellationToken::new()).await
//! # }
//! ```

mod charge;
mod error;
mod faulty;
mod ledger;

use std::sync::LazyLock;

use axum::{Router, routing::post};
use chassis::{AllowedHosts, DatabaseArgs, FaultSwitch, Pace, ServiceArgs};
use faulty::Trouble;
use ledger::Ledger;
use sqlx::{AnyPool, migrate::Migrator};
use telemetry::Telemetry;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub use charge::{Cancellation, Charge, ChargeRequest};

/// The schema of the provider.
pub static MIGRATIONS: LazyLock<Migrator> = chassis::migrations!("0001_schema");

/// The payment provider: a third party, without spans.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// The arguments of every service.
    #[command(flatten)]
    pub service: ServiceArgs<8083>,
    /// The database that stores the charges.
    #[command(flatten)]
    pub database: DatabaseArgs,
}

/// The configuration of the provider.
#[derive(Clone, Debug)]
pub struct Config {
    /// Its database, with [`MIGRATIONS`] applied.
    pub database: AnyPool,
    /// Whether the card network takes its simulated time.
    pub pace: Pace,
    /// Whether the provider honours the faults that a request asks for.
    pub faults: FaultSwitch,
    /// The names by which it may be reached, besides addresses and `localhost`.
    pub hosts: AllowedHosts,
}

/// The state that the handlers share.
#[derive(Clone, Debug)]
struct Provider {
    ledger: Ledger,
    pace: Pace,
    trouble: Trouble,
}

/// Runs the process: sets it up from the arguments, and serves until it is told to stop.
///
/// # Errors
///
/// When its address or its database cannot be used, and when serving fails.
pub async fn main(args: Args) -> Result<(), chassis::Error> {
    let listener = chassis::listen(args.service.listen).await?;
    let config = Config {
        database: args.database.open(&MIGRATIONS).await?.pool,
        pace: args.service.pace,
        faults: args.service.fault_switch(),
        hosts: args.service.hosts(),
    };
    let stop = chassis::stop_signal(args.service.exit_with_parent)?;
    run(listener, config, Telemetry::none(), stop).await
}

/// Runs the provider: answers requests until `shutdown`. It is not instrumented, as a third party is not:
/// its telemetry is [`Telemetry::none`].
///
/// # Errors
///
/// When the operating system closes the listener.
pub async fn run(
    listener: TcpListener,
    config: Config,
    telemetry: Telemetry,
    shutdown: CancellationToken,
) -> Result<(), chassis::Error> {
    let provider = Provider {
        ledger: Ledger::new(config.database),
        pace: config.pace,
        trouble: Trouble::new(config.faults),
    };
    chassis::serve(
        listener,
        router(provider),
        config.hosts,
        telemetry,
        shutdown,
    )
    .await
}

fn router(provider: Provider) -> Router {
    Router::new()
        .route("/v1/charges", post(charge::charge))
        .route("/v1/charges/{charge_id}/refund", post(charge::refund))
        .route("/v1/cancellations", post(charge::cancel))
        .with_state(provider)
}
