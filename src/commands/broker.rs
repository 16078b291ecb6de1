//! `tracelab broker`: the embedded AMQP broker, as an ordinary process.

use std::{
    io::Write,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
};

use crate::{exit::Outcome, log};

/// Run the embedded AMQP 0-9-1 broker, in the foreground.
///
/// One node. It accepts any user and password. Without --store it loses all its data when it stops.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tracelab broker
  tracelab broker --listen 127.0.0.1:0      take a free port, printed on standard output
  tracelab broker --store broker.db         durable queues and persistent messages survive")]
pub(crate) struct Args {
    /// The address to listen on. Port 0 takes a free port; the address is printed on standard output.
    #[arg(
        long,
        value_name = "ADDRESS:PORT",
        default_value_t = SocketAddr::from((Ipv4Addr::LOCALHOST, 5672))
    )]
    listen: SocketAddr,

    /// How many MiB of messages the broker holds before it blocks publishers.
    #[arg(long, value_name = "MIB", default_value_t = 64)]
    memory: usize,

    /// Keep durable exchanges, durable queues and persistent messages in this file. They survive the process;
    /// a message is confirmed only after it is in the file.
    #[arg(long, value_name = "FILE")]
    store: Option<PathBuf>,

    /// Confirm a message only after it is on the disk (fsync), so that it survives a crash of the machine
    /// too.
    #[arg(long, requires = "store")]
    fsync: bool,

    /// Stop when standard input is closed, which happens when the process at its other end dies.
    #[arg(long)]
    exit_with_parent: bool,
}

pub(crate) async fn main(args: Args) -> anyhow::Result<Outcome> {
    log::start();
    let listener = chassis::listen(args.listen)
        .await
        .map_err(chassis::Error::from)?;
    let stop = chassis::stop_signal(args.exit_with_parent)?;
    let address = listener.local_addr()?;
    // The parent process learns the port here. Without a reader the write fails, and the broker runs on.
    let _ = writeln!(
        std::io::stdout(),
        "{}",
        serde_json::json!({ "listening": address.to_string() })
    );
    let config = broker::Config {
        memory_limit: args.memory << 20,
        store: args.store,
        sync: if args.fsync {
            broker::Sync::Machine
        } else {
            broker::Sync::Process
        },
        ..broker::Config::default()
    };
    broker::run(listener, config, stop).await?;
    Ok(Outcome::Passed)
}
