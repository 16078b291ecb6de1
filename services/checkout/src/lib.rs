//! The checkout service: carts, orders, and the path of an order through the shop.
//!
//! Start with [`process_order`]: it shows the order being processed. [`routes`] is the shop's API;
//! [`outbox`] and [`recovery`] see to it that nothing is lost.

use std::time::Duration;

use chassis::{Claims, DatabaseArgs, FaultSwitch, ServiceArgs, StandingFaults, amqp::Broker};
use lapin::{Channel, ExchangeKind, options::ExchangeDeclareOptions, types::FieldTable};
use sqlx::migrate::Migrator;
use telemetry::Telemetry;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{inventory::Inventory, outbox::Outbox, payment::Payment, shop::Shop};

pub mod carts;
pub mod discount;
pub mod error;
mod faulty;
pub mod inventory;
pub mod orders;
pub mod outbox;
pub mod payment;
pub mod process_order;
pub mod recovery;
pub mod routes;
pub mod shop;

const NAME: &str = "checkout";
static MIGRATIONS: Migrator = sqlx::migrate!();

/// How long checkout waits for a service that it calls.
const CALL_PATIENCE: Duration = Duration::from_secs(10);

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

/// Runs the service until the process is asked to stop.
pub async fn main(args: Args) -> Result<(), chassis::Error> {
    let faults = args.service.fault_switch();
    let telemetry = chassis::start_telemetry(NAME, env!("CARGO_PKG_VERSION"), faults)?;
    let listener = chassis::listen(args.service.listen).await?;
    let db = args
        .database
        .open(&MIGRATIONS)
        .await?
        .behind(args.service.pace.network());
    let stop = chassis::stop_signal(args.service.exit_with_parent)?;

    let http = telemetry::http_client::traced(http_client::with(|it| it.timeout(CALL_PATIENCE)));
    let url = |url: &str| url.trim_end_matches('/').to_owned();
    let broker = Broker::connect(args.amqp_url, NAME, declare_exchange, stop.clone());
    broker.started().await;
    let shop = Shop {
        inventory: Inventory {
            http: http.clone(),
            url: url(&args.inventory_url),
        },
        payment: Payment {
            http,
            url: url(&args.payment_url),
        },
        outbox: Outbox::new(db.clone(), broker),
        db,
        pace: args.service.pace,
        faults,
        in_hand: Claims::default(),
    };
    run(listener, shop, telemetry, stop).await
}

/// Serves the shop's API, and sees to what was left behind, until `stop`.
pub async fn run(
    listener: TcpListener,
    shop: Shop,
    telemetry: Telemetry,
    stop: CancellationToken,
) -> Result<(), chassis::Error> {
    let relay = tokio::spawn(shop.outbox.clone().relay(stop.clone()));
    let recovery = tokio::spawn(recovery::run(shop.clone(), stop.clone()));
    let faults = shop.faults;
    let router = faults.guard(routes::router(shop));
    let served = match faults {
        FaultSwitch::Ignored => chassis::serve(listener, router, telemetry, stop).await,
        FaultSwitch::Honoured => {
            let standing = StandingFaults::default();
            chassis::serve_behind(standing, listener, router, telemetry, stop).await
        }
    };
    // Both end at `stop`; one that panicked has said so already.
    let _ = tokio::join!(relay, recovery);
    Ok(served?)
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
