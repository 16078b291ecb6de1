//! The inventory service: catalogue, prices, stock and reservations.
//!
//! [`main`] is the process, [`run`] the service: it takes its listener and its stop signal from the caller.
//! `catalogue` serves products, prices and stock; `reservation` reserves stock for an order. The number of
//! statements of a request does not depend on its number of lines.
//!
//! ```no_run
//! use chassis::{AllowedHosts, DatabaseArgs, FaultSwitch, Pace};
//! use telemetry::Telemetry;
//! use tokio_util::sync::CancellationToken;
//!
//! # async fn start() -> Result<(), chassis::Error> {
//! let args = DatabaseArgs {
//!     database: "sqlite:///tmp/inventory.db".to_owned(),
//! };
//! let config = inventory::Config {
//!     database: args.open(&inventory::MIGRATIONS).await?,
//!     pace: Pace::Textbook,
//!     faults: FaultSwitch::Ignored,
//!     hosts: AllowedHosts::default(),
//! };
//! let listener = chassis::listen("127.0.0.1:8084".parse().expect("it is an address")).await?;
//! inventory::run(listener, config, Telemetry::none(), CancellationToken::new()).await
//! # }
//! ```

mod calibration;
mod catalogue;
mod error;
mod faulty;
mod reservation;
mod skus;

use std::sync::LazyLock;

use axum::{
    Router,
    routing::{delete, get, post},
};
use chassis::{AllowedHosts, DatabaseArgs, FaultSwitch, Pace, ServiceArgs};
use sqlx::migrate::Migrator;
use telemetry::{Telemetry, sql::Database};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::calibration::Calibration;

/// The schema of the service and its catalogue.
pub static MIGRATIONS: LazyLock<Migrator> = chassis::migrations!("0001_schema", "0002_catalogue");

/// Stores the catalogue, the stock and the reservations.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// The arguments of every service.
    #[command(flatten)]
    pub service: ServiceArgs<8084>,
    /// The database of the catalogue, the stock and the reservations.
    #[command(flatten)]
    pub database: DatabaseArgs,
}

/// The configuration of the service.
#[derive(Clone, Debug)]
pub struct Config {
    /// Its database, with [`MIGRATIONS`] applied.
    pub database: Database,
    /// Whether its three paced steps take their simulated time.
    pub pace: Pace,
    /// Whether the service honours the faults that a request asks for.
    pub faults: FaultSwitch,
    /// The names by which it may be reached, besides addresses and `localhost`.
    pub hosts: AllowedHosts,
}

/// The state that the handlers share.
#[derive(Clone, Debug)]
struct Inventory {
    database: Database,
    pace: Pace,
    faults: FaultSwitch,
    calibration: Calibration,
}

/// Runs the process: sets it up from the arguments, and serves until it is told to stop.
///
/// # Errors
///
/// When its address, its database or its telemetry cannot be used, and when serving fails.
pub async fn main(args: Args) -> Result<(), chassis::Error> {
    let faults = args.service.fault_switch();
    let telemetry = chassis::start_telemetry("inventory", env!("CARGO_PKG_VERSION"), faults)?;
    let listener = chassis::listen(args.service.listen).await?;
    let config = Config {
        database: args
            .database
            .open(&MIGRATIONS)
            .await?
            .behind(args.service.pace.network()),
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
    let Config {
        database,
        pace,
        faults,
        hosts,
    } = config;
    let calibration = Calibration::default();
    if faults == FaultSwitch::Honoured
        && let Err(error) = calibration.measure(&database).await
    {
        tracing::warn!("the speed of the database is measured later: {error}");
    }
    let router = faults.guard(router(Inventory {
        database,
        pace,
        faults,
        calibration,
    }));
    chassis::serve(listener, router, hosts, telemetry, shutdown).await
}

fn router(inventory: Inventory) -> Router {
    Router::new()
        .route("/products", get(catalogue::products))
        .route("/prices", get(catalogue::prices))
        .route("/stock", get(catalogue::stock))
        .route("/reservations", post(reservation::reserve))
        .route("/reservations/{order_id}", delete(reservation::release))
        .with_state(inventory)
}
