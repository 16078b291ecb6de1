//! [`ShopArgs`]: how the shop of a lab behaves, as the command line says it.

use std::time::{Duration, Instant};

use anyhow::Context;
use protocol::Pace;
use supervisor::{Config, Relation};

use crate::exit::WrongInput;

/// How long a broker may still have consumers of a lab that is gone.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often it is asked meanwhile.
const LOOK: Duration = Duration::from_millis(100);

/// The reply code of a connection that ends in order.
const REPLY_SUCCESS: u16 = 200;

/// How the shop of a lab behaves: the arguments that `up` and `run` have in common.
#[derive(Debug, clap::Args)]
pub(crate) struct ShopArgs {
    /// Whether steps that a demo cannot do for real take a simulated time.
    ///
    /// What a scenario says of such times cannot be judged at the pace none: it is unsupported there.
    #[arg(long, value_enum, default_value_t)]
    pace: chassis::Pace,

    /// Whether the consumer of a message goes on in the producer's trace, or starts one with a link.
    #[arg(long, value_enum, default_value_t)]
    messaging_relation: email::Relation,

    /// Use this PostgreSQL server, such as postgres://USER:PASSWORD@HOST:PORT, and not SQLite files.
    ///
    /// Each service gets a database of its own there, which is dropped at the end unless --data keeps
    /// it.
    #[arg(long, value_name = "URL", value_parser = postgres_url)]
    database: Option<String>,

    /// Use this broker, such as amqp://guest:guest@127.0.0.1:5672/%2f, and not the embedded one.
    #[arg(long, value_name = "URL", value_parser = amqp_url)]
    amqp: Option<String>,
}

// === impl ShopArgs ===

impl ShopArgs {
    /// Whether the shop takes its time as the scenarios are written for.
    pub(crate) fn is_textbook(&self) -> bool {
        self.pace == chassis::Pace::Textbook
    }

    /// A lab of this very program whose shop behaves like this.
    ///
    /// A broker that is named is asked first whether the shop can use it.
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

/// A pace of a service as the pace of a lab.
pub(crate) fn of_lab(pace: chassis::Pace) -> Pace {
    match pace {
        chassis::Pace::Textbook => Pace::Textbook,
        chassis::Pace::None => Pace::None,
    }
}

/// Connects, and declares what the shop needs. The services try again and again, since a broker may come
/// back; what is wrong from the start is said before anything runs.
async fn check_broker(url: &str) -> anyhow::Result<()> {
    let setup = email::topology::declare;
    let (connection, channel) = chassis::amqp::open(url, "tracelab", setup)
        .await
        .context("--amqp names a broker that the shop cannot use")?;
    let mut consumers = email::topology::consumers(&channel).await?;
    let asked = Instant::now();
    // Those of a lab that has just ended are forgotten in a moment.
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
