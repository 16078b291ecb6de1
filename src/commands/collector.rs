//! `tracelab collector`: runs an OpenTelemetry Collector with one of the set-ups, as an ordinary process.

use std::{io::Write, net::SocketAddr, path::PathBuf, time::Duration};

use ::collector::{CollectorRun, Program};

use plain::Plain;

use crate::{exit::Outcome, stop};

/// The time within which the command ends after the first signal.
const PATIENCE: Duration = Duration::from_secs(5);

/// Run an OpenTelemetry Collector with a set-up, in the foreground.
///
/// The program is searched on PATH (otelcol-contrib or otelcol) and where scripts/parts builds it. Set-ups
/// are in collector-config/; each takes its addresses from the environment, as the README.md there lists
/// them.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tracelab collector collector-config/base.yaml
  tracelab collector collector-config/tail-sampling.yaml --collector ./otelcol-contrib
  tracelab up --otlp http://127.0.0.1:14317   and the shop sends to it")]
pub(crate) struct Args {
    /// The set-up file.
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// The program of the Collector, instead of a search.
    #[arg(long, value_name = "BIN")]
    collector: Option<PathBuf>,

    /// The address for OTLP/gRPC. Port 0 takes a free port. With this option, all other addresses that the
    /// environment does not set get free ports; they are printed on standard output.
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,

    /// Stop when standard input is closed, which happens when the process at its other end dies.
    #[arg(long)]
    exit_with_parent: bool,
}

pub(crate) async fn main(args: Args) -> anyhow::Result<Outcome> {
    let program = Program::find(args.collector.as_deref())?;
    if let Err(source) = std::fs::File::open(&args.file) {
        let file = args.file;
        return Err(::collector::Error::Unreadable { file, source }.into());
    }
    // Less than the lab gives a child.
    let stop = stop::on_signals_within(PATIENCE)?;
    if args.exit_with_parent {
        stop.with_parent()?;
    }
    let run = CollectorRun {
        program,
        file: args.file,
        listen: args.listen,
    };
    let ready = |ready| {
        // The parent process learns the ports here. Without a reader the write fails, and the Collector runs on.
        let _ = writeln!(std::io::stdout(), "{}", serde_json::json!(ready));
    };
    let say = |line: &_| stderr::say(Plain(line));
    ::collector::run(run, ready, say, stop.token().clone()).await?;
    Ok(Outcome::Passed)
}
