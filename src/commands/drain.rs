//! `tracelab drain`: receives the spans of a workload, and writes the arrival of each into a ledger.

use std::{
    io::Write,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::Arc,
};

use anyhow::Context;
use firehose::{Content, Drain, LedgerReader, Stream};
use plain::Plain;

use crate::{exit::Outcome, stop, workload_args::read_workload};

/// Receive the spans of a workload, and write the arrival of each into a ledger.
///
/// It is the receiving end of `tracelab bench`, for a machine of its own: it knows each span by its ids, and compares the
/// content of some with what was sent. OTLP/gRPC and OTLP/HTTP come on the same port. It accepts everything, so what it
/// takes is the limit of the machine. `tracelab bench merge` makes the accounts.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tracelab blast --to grpc://collector:4317 --rate 50000/s --write-workload w.json --books sent.json
  tracelab drain --workload w.json --ledger received.ledger --listen 0.0.0.0:4317
  tracelab bench merge w.json sent.json received.ledger")]
pub(crate) struct Args {
    /// The file of the workload, which `tracelab blast --write-workload` writes.
    #[arg(long, value_name = "FILE")]
    workload: PathBuf,

    /// The file of the ledger. If it is there, it is continued.
    #[arg(long, value_name = "FILE")]
    ledger: PathBuf,

    /// The address to listen on; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS:PORT", default_value_t = SocketAddr::from((Ipv4Addr::LOCALHOST, 4317)))]
    listen: SocketAddr,

    /// What of the content of spans must be as it was sent.
    #[arg(long, value_enum, default_value_t)]
    content: ContentArg,

    /// Stay on this core, counted from 0.
    #[arg(long, value_name = "CORE")]
    cpu: Option<usize>,

    /// Stop when standard input is closed, which happens when the process at its other end dies.
    #[arg(long)]
    exit_with_parent: bool,
}

/// What of the content of spans must be as it was sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum ContentArg {
    /// All of it, with resource and scope.
    #[default]
    Same,
    /// All that was sent is still there; attributes may have been added.
    Kept,
    /// Only ids are looked at.
    Any,
}

// === impl ContentArg ===

impl From<ContentArg> for Content {
    fn from(content: ContentArg) -> Content {
        match content {
            ContentArg::Same => Content::Same,
            ContentArg::Kept => Content::Kept,
            ContentArg::Any => Content::Any,
        }
    }
}

pub(crate) async fn main(args: Args) -> anyhow::Result<Outcome> {
    let workload = read_workload(&args.workload)?;
    let stream = Arc::new(Stream::new(&workload)?);
    let drain = Drain::open(stream, workload.digest(), args.content.into(), &args.ledger)?;
    if let Some(core) = args.cpu {
        ::bench::cores::pin_this_process(core)
            .with_context(|| format!("--cpu: this process cannot stay on core {core}"))?;
    }
    let listener = chassis::listen(args.listen)
        .await
        .map_err(chassis::Error::from)
        .context("OTLP (--listen)")?;
    let stop = stop::on_signals()?;
    if args.exit_with_parent {
        stop.with_parent()?;
    }
    let ready = serde_json::json!({ "listening": listener.local_addr()?.to_string() });
    // The parent process learns the port here. Without a reader the write fails, and it runs on.
    let _ = writeln!(std::io::stdout(), "{ready}");
    Arc::new(drain).run(listener, stop.token().clone()).await?;
    let received = LedgerReader::open(&args.ledger)?.received();
    let received = received.with_context(|| format!("{}", Plain(args.ledger.display())))?;
    let counts = serde_json::json!({
        "spans": received.spans,
        "requests": received.requests,
        "bytes": received.bytes,
        "foreign": received.foreign,
        "malformed": received.malformed,
        "compared": received.compared,
        "corrupted": received.corrupted,
    });
    let _ = writeln!(std::io::stdout(), "{counts}");
    Ok(Outcome::Passed)
}
