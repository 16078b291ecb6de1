//! The email service: consumes `order.placed` and sends the confirmation.
//!
//! [`topology`] declares the queues, [`consume`] consumes deliveries and acknowledges or rejects each,
//! [`confirmation`] claims and processes one message; [`mail`] writes and sends the mail.
//!
//! ```no_run
//! use chassis::{AllowedHosts, DatabaseArgs, FaultSwitch, Pace};
//! use email::mail::Mailer;
//! use telemetry::{Telemetry, amqp::MessagingRelation};
//! use tokio_util::sync::CancellationToken;
//!
//! # async fn start() -> Result<(), chassis::Error> {
//! let args = DatabaseArgs {
//!     database: "sqlite:///tmp/email.db".to_owned(),
//! };
//! let config = email::Config {
//!     database: args.open(&email::MIGRATIONS).await?,
//!     mailer: Mailer::Folder("/tmp/mails".into()),
//!     relation: MessagingRelation::Parent,
//!     amqp_url: "amqp://guest:guest@127.0.0.1:5672/%2f".to_owned(),
//!     pace: Pace::Textbook,
//!     faults: FaultSwitch::Ignored,
//!     hosts: AllowedHosts::default(),
//! };
//! let listener = chassis::listen("127.0.0.1:8085".parse().expect("it is an address")).await?;
//! email::run(listener, config, Telemetry::none(), CancellationToken::new()).await
//! # }
//! ```

use std::{path::PathBuf, sync::LazyLock};

use axum::Router;
use chassis::{AllowedHosts, DatabaseArgs, FaultSwitch, Pace, ServiceArgs, amqp::Broker};
use sqlx::migrate::Migrator;
use telemetry::{Telemetry, amqp::MessagingRelation, sql::Database};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{
    consume::Consumer,
    mail::{MailError, Mailer},
};

mod batch;
pub mod confirmation;
pub mod consume;
mod faulty;
pub mod mail;
pub mod topology;

const NAME: &str = "email";
/// The schema of the service.
pub static MIGRATIONS: LazyLock<Migrator> = chassis::migrations!("0001_mails");

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

/// The relation of a consumer's span to the producer's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Relation {
    /// The consumer's span is in the producer's trace.
    #[default]
    Parent,
    /// The consumer's span starts a new trace and links to the producer's span.
    Link,
}

/// Why the service could not start, or had to stop.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An error that every service can have.
    #[error(transparent)]
    Chassis(#[from] chassis::Error),
    /// The way to send mails is missing or cannot be used.
    #[error(transparent)]
    Mail(#[from] MailError),
}

// === impl Error ===

impl Error {
    /// The exit code of the process: 2 if its input was wrong, 3 if its environment failed.
    pub fn exit_code(&self) -> u8 {
        match self {
            Error::Chassis(error) => error.exit_code(),
            Error::Mail(_) => 2,
        }
    }
}

/// The configuration of the service.
#[derive(Clone, Debug)]
pub struct Config {
    /// Its database, with [`MIGRATIONS`] applied; it stores which messages were answered with a mail.
    pub database: Database,
    /// The way in which mails are sent.
    pub mailer: Mailer,
    /// The time of the steps that a demo cannot do for real.
    pub pace: Pace,
    /// Whether the service honours the faults that a request asks for.
    pub faults: FaultSwitch,
    /// The names by which it may be reached, besides addresses and `localhost`.
    pub hosts: AllowedHosts,
    /// The relation of the consumer's span to the producer's.
    pub relation: MessagingRelation,
    /// The URL of the broker.
    pub amqp_url: String,
}

/// Runs the process: sets it up from the arguments, and serves until it is told to stop.
///
/// # Errors
///
/// When its address, its database, its telemetry or its way to send mails cannot be used, and when serving
/// fails.
pub async fn main(args: Args) -> Result<(), Error> {
    let mailer = Mailer::new(args.mail_dir.clone(), args.smtp_url.as_deref())?;
    Ok(start(args, mailer).await?)
}

async fn start(args: Args, mailer: Mailer) -> Result<(), chassis::Error> {
    let faults = args.service.fault_switch();
    let telemetry = chassis::start_telemetry(NAME, env!("CARGO_PKG_VERSION"), faults)?;
    let listener = chassis::listen(args.service.listen).await?;
    let config = Config {
        database: args
            .database
            .open(&MIGRATIONS)
            .await?
            .behind(args.service.pace.network()),
        mailer,
        pace: args.service.pace,
        faults,
        hosts: args.service.hosts(),
        relation: match args.messaging_relation {
            Relation::Parent => MessagingRelation::Parent,
            Relation::Link => MessagingRelation::Link,
        },
        amqp_url: args.amqp_url,
    };
    let stop = chassis::stop_signal(args.service.exit_with_parent)?;
    run(listener, config, telemetry, stop).await
}

/// Runs the service until `shutdown`: consumes messages, and answers health checks over HTTP.
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
    let broker = Broker::connect(
        config.amqp_url.clone(),
        NAME,
        topology::declare,
        shutdown.clone(),
    );
    broker.started().await;
    let hosts = config.hosts.clone();
    let consuming = tokio::spawn(Consumer::new(config).run(broker, shutdown.clone()));
    let served = chassis::serve(listener, Router::new(), hosts, telemetry, shutdown).await;
    // The task ends at `shutdown`; a panic in it was reported when it happened.
    let _ = consuming.await;
    served
}
