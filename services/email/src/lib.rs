//! The email service: consumes `order.placed` and sends the confirmation.
//!
//! [`topology`] declares the queues, [`consume`] takes deliveries and decides what becomes of each,
//! [`confirmation`] does the work for one, and claims it first; [`mail`] writes and sends the mail.

use std::path::PathBuf;

use axum::Router;
use chassis::{DatabaseArgs, FaultSwitch, Pace, ServiceArgs, amqp::Broker};
use sqlx::migrate::Migrator;
use telemetry::{Telemetry, amqp::MessagingRelation, sql::Database};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{consume::Consumer, mail::Mailer};

mod batch;
pub mod confirmation;
pub mod consume;
mod faulty;
pub mod mail;
pub mod topology;

const NAME: &str = "email";
static MIGRATIONS: Migrator = sqlx::migrate!();

/// The arguments of `tracelab service email`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    service: ServiceArgs<8085>,

    #[command(flatten)]
    database: DatabaseArgs,

    /// The broker.
    #[arg(
        long,
        env = "AMQP_URL",
        hide_env_values = true,
        value_name = "URL",
        default_value = "amqp://guest:guest@127.0.0.1:5672/%2f"
    )]
    amqp_url: String,

    /// The folder into which mails are written, as .eml files.
    #[arg(
        long,
        env = "MAIL_DIR",
        value_name = "FOLDER",
        conflicts_with = "smtp_url"
    )]
    mail_dir: Option<PathBuf>,

    /// The mail server that mails are sent through, such as smtp://127.0.0.1:1025.
    #[arg(long, env = "SMTP_URL", hide_env_values = true, value_name = "URL")]
    smtp_url: Option<String>,

    /// How the span of a consumer stands to that of the producer.
    #[arg(long, env = "MESSAGING_RELATION", value_enum, default_value_t)]
    messaging_relation: Relation,
}

/// How the span of a consumer stands to that of the producer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Relation {
    /// The consumer goes on in the producer's trace.
    #[default]
    Parent,
    /// The consumer starts a trace of its own that links to the producer's span.
    Link,
}

/// What the service works with.
#[derive(Clone, Debug)]
pub struct Config {
    /// Which messages were answered with a mail.
    pub db: Database,
    /// How mails are sent.
    pub mailer: Mailer,
    /// How long the steps take that a demo cannot do for real.
    pub pace: Pace,
    /// Whether the faults are honoured that a request asks for.
    pub faults: FaultSwitch,
    /// How the consumer's span stands to the producer's.
    pub relation: MessagingRelation,
    /// The broker.
    pub amqp_url: String,
}

/// Runs the service until the process is asked to stop.
pub async fn main(args: Args) -> anyhow::Result<()> {
    let mailer = Mailer::new(args.mail_dir, args.smtp_url.as_deref())?;
    let faults = args.service.fault_switch();
    let telemetry = chassis::start_telemetry(NAME, env!("CARGO_PKG_VERSION"), faults)?;
    let listener = chassis::listen(args.service.listen).await?;
    let config = Config {
        db: args
            .database
            .open(&MIGRATIONS)
            .await?
            .behind(args.service.pace.network()),
        mailer,
        pace: args.service.pace,
        faults,
        relation: match args.messaging_relation {
            Relation::Parent => MessagingRelation::Parent,
            Relation::Link => MessagingRelation::Link,
        },
        amqp_url: args.amqp_url,
    };
    let stop = chassis::stop_signal(args.service.exit_with_parent)?;
    run(listener, config, telemetry, stop).await?;
    Ok(())
}

/// Consumes messages, and answers on HTTP how it is, until `stop`.
pub async fn run(
    listener: TcpListener,
    config: Config,
    telemetry: Telemetry,
    stop: CancellationToken,
) -> Result<(), chassis::Error> {
    let broker = Broker::connect(
        config.amqp_url.clone(),
        NAME,
        topology::declare,
        stop.clone(),
    );
    broker.started().await;
    let consuming = tokio::spawn(Consumer::new(config).run(broker, stop.clone()));
    let served = chassis::serve(listener, Router::new(), telemetry, stop).await;
    // It ends at `stop`; if it panicked it has said so already.
    let _ = consuming.await;
    Ok(served?)
}
