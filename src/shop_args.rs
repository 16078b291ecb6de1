//! [`ShopArgs`]: the arguments for the behaviour of a lab's shop.

use std::time::{Duration, Instant};

use anyhow::Context;
use protocol::Pace;
use supervisor::{Config, Relation};

use crate::exit::WrongInput;

/// The longest time for which a broker may still count consumers of a lab that has ended.
const PATIENCE: Duration = Duration::from_secs(5);
/// The time between two checks of the number of consumers.
const LOOK: Duration = Duration::from_millis(100);

/// The reply code of a connection that is closed without an error.
const REPLY_SUCCESS: u16 = 200;

/// The behaviour of a lab's shop: the arguments that `up` and `run` share.
#[derive(Debug, clap::Args)]
pub(crate) struct ShopArgs {
    /// Whether steps that a demo cannot really do take a simulated time.
    ///
    /// At the pace none, wants of a scenario about such times cannot be judged: they are unsupported.
    #[arg(long, value_enum, default_value_t)]
    pace: chassis::Pace,

    /// Whether the consumer of a message continues the producer's trace, or starts a new trace with a link.
    #[arg(long, value_enum, default_value_t)]
    messaging_relation: email::Relation,

    /// Use this PostgreSQL server, such as postgres://USER:PASSWORD@HOST:PORT, and not SQLite files.
    ///
    /// Each service gets its own database there, which is dropped at the end unless --data keeps it.
    #[arg(long, value_name = "URL", value_parser = postgres_url)]
    database: Option<String>,

    /// Use this broker, such as amqp://guest:guest@127.0.0.1:5672/%2f, and not the embedded one.
    #[arg(long, value_name = "URL", value_parser = amqp_url)]
    amqp: Option<String>,
}

// === impl ShopArgs ===

impl ShopArgs {
    /// Whether the shop has the pace that the scenarios are written for.
    pub(crate) fn is_textbook(&self) -> bool {
        self.pace == chassis::Pace::Textbook
    }

    /// The configuration of a lab whose shop behaves as these arguments say, with this program for its
    /// children.
    ///
    /// An external broker is checked first.
    pub(crate) async fn config(&self) -> anyhow::Result<Config> {
        if let Some(url) = &self.amqp {
            check_broker(url).await?;
        }
        let program = std::env::current_exe().context("the path of this program is not known")?;
        Ok(Config {
            pace: of_lab(self.pace),
            messaging_relation: match self.messaging_relation {
                email::Relation::Parent => Relation::Parent,
                email::Relation::Link => Relation::Link,
            },
            database: self.database.clone(),
            amqp: self.amqp.clone(),
            ..Config::new(program)
        })
    }
}

/// Converts the pace of a service into the pace of a lab.
pub(crate) fn of_lab(pace: chassis::Pace) -> Pace {
    match pace {
        chassis::Pace::Textbook => Pace::Textbook,
        chassis::Pace::None => Pace::None,
    }
}

/// Connects to the broker, and declares the queues and exchanges of the shop. The services retry for ever,
/// since a broker may come back; this check reports a wrong address before anything is started.
async fn check_broker(url: &str) -> anyhow::Result<()> {
    let setup = email::topology::declare;
    let (connection, channel) = chassis::amqp::open(url, "tracelab", setup)
        .await
        .context("--amqp names a broker that the shop cannot use")?;
    let mut consumers = email::topology::consumers(&channel).await?;
    let asked = Instant::now();
    // A broker forgets the consumers of a lab that has just ended after a moment.
    while consumers > 0 && asked.elapsed() < PATIENCE {
        tokio::time::sleep(LOOK).await;
        consumers = email::topology::consumers(&channel).await?;
    }
    let _ = connection.close(REPLY_SUCCESS, "checked".into()).await;
    anyhow::ensure!(
        consumers == 0,
        "--amqp names a broker where another shop consumes from the queue {queue:?}, and would take the \
         messages of this one; stop it, or name a virtual host of its own, such as \
         amqp://guest:guest@127.0.0.1:5672/lab2 (rabbitmqctl add_vhost lab2 makes it)",
        queue = email::topology::QUEUE,
    );
    Ok(())
}

fn postgres_url(text: &str) -> Result<String, WrongInput> {
    let scheme = text.split_once("://").map(|(scheme, _)| scheme);
    match scheme {
        Some("postgres" | "postgresql") => Ok(text.to_owned()),
        _ => Err(WrongInput(
            "a server's address is postgres://USER:PASSWORD@HOST:PORT".to_owned(),
        )),
    }
}

fn amqp_url(text: &str) -> Result<String, WrongInput> {
    match text.strip_prefix("amqp://") {
        Some(rest) if !rest.is_empty() => Ok(text.to_owned()),
        _ => Err(WrongInput(
            "a broker's address is amqp://USER:PASSWORD@HOST:PORT/VHOST, such as \
             amqp://guest:guest@127.0.0.1:5672/%2f"
                .to_owned(),
        )),
    }
}
