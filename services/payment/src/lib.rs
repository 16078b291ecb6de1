//! The payment service: validates cards and charges them through the provider.
//!
//! Start with `charge`: it shows how a charge is made. `void` undoes a charge, or prevents it. `ledger`
//! stores the charges, `provider` is the client of the provider.
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use chassis::{AllowedHosts, DatabaseArgs, FaultSwitch, Pace};
//! use telemetry::Telemetry;
//! use tokio_util::sync::CancellationToken;
//!
//! # async fn start() -> Result<(), chassis::Error> {
//! let args = DatabaseArgs {
//!     database: "sqlite:///tmp/payment.db".to_owned(),
//! };
//! let config = payment::Config {
//!     database: args.open(&payment::MIGRATIONS).await?,
//!     provider_url: "http://127.0.0.1:8083".to_owned(),
//!     provider_deadline: Duration::from_secs(5),
//!     pace: Pace::Textbook,
//!     faults: FaultSwitch::Ignored,
//!     hosts: AllowedHosts::default(),
//! };
//! let listener = chassis::listen("127.0.0.1:8082".parse().expect("it is an address")).await?;
//! payment::run(listener, config, Telemetry::none(), CancellationToken::new()).await
//! # }
//! ```

mod card;
mod charge;
mod error;
mod faulty;
mod ledger;
mod provider;
mod void;

use std::{sync::LazyLock, time::Duration};

use axum::{
    Router,
    routing::{get, post},
};
use chassis::{AllowedHosts, DatabaseArgs, FaultSwitch, Pace, ServiceArgs};
use ledger::Ledger;
use provider::Provider;
use sqlx::migrate::Migrator;
use telemetry::{Telemetry, sql::Database};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// The schema of the service.
pub static MIGRATIONS: LazyLock<Migrator> = chassis::migrations!("0001_schema");

/// How long a call to the provider may take. It is shorter than checkout's own limit, so that checkout gets
/// a reply.
const PROVIDER_DEADLINE: Duration = Duration::from_secs(5);

/// Validates cards and charges them through the provider.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// The arguments of every service.
    #[command(flatten)]
    pub service: ServiceArgs<8082>,
    /// The database that stores the charges.
    #[command(flatten)]
    pub database: DatabaseArgs,
    /// Where the payment provider listens.
    #[arg(
        long,
        env = "PROVIDER_URL",
        value_name = "URL",
        value_parser = chassis::service_url,
        default_value = "http://127.0.0.1:8083"
    )]
    pub provider_url: String,
}

/// The configuration of the service.
#[derive(Clone, Debug)]
pub struct Config {
    /// Its database, with [`MIGRATIONS`] applied.
    pub database: Database,
    /// The URL of the provider, without a slash at the end.
    pub provider_url: String,
    /// How long a call to the provider may take.
    pub provider_deadline: Duration,
    /// Whether the validation of a card takes its simulated time.
    pub pace: Pace,
    /// Whether the service honours the faults that a request asks for.
    pub faults: FaultSwitch,
    /// The names by which it may be reached, besides addresses and `localhost`.
    pub hosts: AllowedHosts,
}

/// The state that the handlers share.
#[derive(Clone, Debug)]
struct Payment {
    ledger: Ledger,
    provider: Provider,
    pace: Pace,
    faults: FaultSwitch,
}

/// Runs the process: sets it up from the arguments, and serves until it is told to stop.
///
/// # Errors
///
/// When its address, its database or its telemetry cannot be used, and when serving fails.
pub async fn main(args: Args) -> Result<(), chassis::Error> {
    let faults = args.service.fault_switch();
    let telemetry = chassis::start_telemetry("payment", env!("CARGO_PKG_VERSION"), faults)?;
    let listener = chassis::listen(args.service.listen).await?;
    let config = Config {
        database: args
            .database
            .open(&MIGRATIONS)
            .await?
            .behind(args.service.pace.network()),
        provider_url: args.provider_url,
        provider_deadline: PROVIDER_DEADLINE,
        pace: args.service.pace,
        faults,
        hosts: args.service.hosts(),
    };
    let stop = chassis::stop_signal(args.service.exit_with_parent)?;
    run(listener, config, telemetry, stop).await
}

/// Runs the service: answers requests until `shutdown`.
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
    let payment = Payment {
        ledger: Ledger::new(config.database),
        provider: Provider::new(config.provider_url, config.provider_deadline, config.faults),
        pace: config.pace,
        faults: config.faults,
    };
    let router = config.faults.guard(router(payment));
    chassis::serve(listener, router, config.hosts, telemetry, shutdown).await
}

fn router(payment: Payment) -> Router {
    Router::new()
        .route("/charges", post(charge::charge))
        .route("/charges/{order_id}", get(charge::find))
        .route("/charges/{order_id}/void", post(void::void))
        .with_state(payment)
}
