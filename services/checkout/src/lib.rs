//! The checkout service: carts, orders, and the path of an order through the shop.
//!
//! Start with `process_order`: it shows how an order is processed. `routes` is the shop's API; `outbox` and
//! `recovery` ensure that no order and no message is lost.
//!
//! ```no_run
//! use chassis::{AllowedHosts, DatabaseArgs, FaultSwitch, Pace};
//! use telemetry::Telemetry;
//! use tokio_util::sync::CancellationToken;
//!
//! # async fn start() -> Result<(), chassis::Error> {
//! let args = DatabaseArgs {
//!     database: "sqlite:///tmp/checkout.db".to_owned(),
//! };
//! let config = checkout::Config {
//!     database: args.open(&checkout::MIGRATIONS).await?,
//!     inventory_url: "http://127.0.0.1:8084".to_owned(),
//!     payment_url: "http://127.0.0.1:8082".to_owned(),
//!     amqp_url: "amqp://guest:guest@127.0.0.1:5672/%2f".to_owned(),
//!     pace: Pace::Textbook,
//!     faults: FaultSwitch::Ignored,
//!     hosts: AllowedHosts::default(),
//! };
//! let listener = chassis::listen("127.0.0.1:8081".parse().expect("it is an address")).await?;
//! checkout::run(listener, config, Telemetry::none(), CancellationToken::new()).await
//! # }
//! ```

use std::{sync::LazyLock, time::Duration};

use chassis::{
    AllowedHosts, Claims, DatabaseArgs, FaultSwitch, Pace, ServiceArgs, StandingFaults,
    amqp::Broker,
};
use lapin::{Channel, ExchangeKind, options::ExchangeDeclareOptions, types::FieldTable};
use sqlx::migrate::Migrator;
use telemetry::{Telemetry, sql::Database};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{inventory::Inventory, outbox::Outbox, payment::Payment, shop::Shop};

mod carts;
mod discount;
mod error;
mod faulty;
mod inventory;
mod orders;
mod outbox;
mod payment;
mod process_order;
mod recovery;
mod routes;
mod shop;

const NAME: &str = "checkout";
/// The schema of the service.
pub static MIGRATIONS: LazyLock<Migrator> = chassis::migrations!("0001_shop");

/// How long checkout waits for a service that it calls.
pub const CALL_PATIENCE: Duration = Duration::from_secs(10);

/// The arguments of `tracelab service checkout`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    service: ServiceArgs<8081>,

    #[command(flatten)]
    database: DatabaseArgs,

    /// Where inventory listens.
    #[arg(
        long,
        env = "INVENTORY_URL",
        value_name = "URL",
        default_value = "http://127.0.0.1:8084"
    )]
    inventory_url: String,

    /// Where payment listens.
    #[arg(
        long,
        env = "PAYMENT_URL",
        value_name = "URL",
        default_value = "http://127.0.0.1:8082"
    )]
    payment_url: String,

    /// The broker.
    #[arg(
        long,
        env = "AMQP_URL",
        hide_env_values = true,
        value_name = "URL",
        default_value = "amqp://guest:guest@127.0.0.1:5672/%2f"
    )]
    amqp_url: String,
}

/// The configuration of the service.
#[derive(Clone, Debug)]
pub struct Config {
    /// Its database, with [`MIGRATIONS`] applied.
    pub database: Database,
    /// The URL of inventory, without a slash at the end.
    pub inventory_url: String,
    /// The URL of payment, without a slash at the end.
    pub payment_url: String,
    /// The URL of the broker.
    pub amqp_url: String,
    /// Whether the fraud check takes its simulated time.
    pub pace: Pace,
    /// Whether the service honours the faults that a request asks for.
    pub faults: FaultSwitch,
    /// The names by which it may be reached, besides addresses and `localhost`.
    pub hosts: AllowedHosts,
}

/// Runs the process: sets it up from the arguments, and serves until it is told to stop.
///
/// # Errors
///
/// When its address, its database or its telemetry cannot be used, and when serving fails.
pub async fn main(args: Args) -> Result<(), chassis::Error> {
    let faults = args.service.fault_switch();
    let telemetry = chassis::start_telemetry(NAME, env!("CARGO_PKG_VERSION"), faults)?;
    let listener = chassis::listen(args.service.listen).await?;
    let url = |url: &str| url.trim_end_matches('/').to_owned();
    let config = Config {
        database: args
            .database
            .open(&MIGRATIONS)
            .await?
            .behind(args.service.pace.network()),
        inventory_url: url(&args.inventory_url),
        payment_url: url(&args.payment_url),
        amqp_url: args.amqp_url,
        pace: args.service.pace,
        faults,
        hosts: args.service.hosts(),
    };
    let stop = chassis::stop_signal(args.service.exit_with_parent)?;
    run(listener, config, telemetry, stop).await
}

/// Runs the service until `shutdown`: answers requests, and completes orders and sends messages that were
/// left unfinished.
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
    let faults = config.faults;
    let hosts = config.hosts.clone();
    let shop = open_shop(config, shutdown.clone()).await;
    let relay = tokio::spawn(shop.outbox.clone().relay(shutdown.clone()));
    let recovery = tokio::spawn(recovery::run(shop.clone(), shutdown.clone()));
    let router = faults.guard(routes::router(shop));
    let served = match faults {
        FaultSwitch::Ignored => chassis::serve(listener, router, hosts, telemetry, shutdown).await,
        FaultSwitch::Honoured => {
            let standing = StandingFaults::default();
            chassis::serve_behind(standing, listener, router, hosts, telemetry, shutdown).await
        }
    };
    // Both tasks end at `shutdown`; a panic in one was reported when it happened.
    let _ = tokio::join!(relay, recovery);
    served
}

/// Makes the state that the handlers share; waits a short time for the broker.
async fn open_shop(config: Config, shutdown: CancellationToken) -> Shop {
    let http = telemetry::http_client::traced(http_client::with(|it| it.timeout(CALL_PATIENCE)));
    let broker = Broker::connect(config.amqp_url, NAME, declare_exchange, shutdown);
    broker.started().await;
    Shop {
        inventory: Inventory {
            http: http.clone(),
            url: config.inventory_url,
        },
        payment: Payment {
            http,
            url: config.payment_url,
        },
        outbox: Outbox::new(config.database.clone(), broker),
        db: config.database,
        pace: config.pace,
        faults: config.faults,
        in_hand: Claims::default(),
    }
}

async fn declare_exchange(channel: Channel) -> lapin::Result<()> {
    let options = ExchangeDeclareOptions {
        durable: true,
        ..ExchangeDeclareOptions::default()
    };
    channel
        .exchange_declare(
            outbox::EXCHANGE.into(),
            ExchangeKind::Topic,
            options,
            FieldTable::default(),
        )
        .await
}
