//! Receives what it has sent itself, and prints the fate of every span. Whoever tests something puts it in between: a
//! proxy, a queue, an exporter of a library.
//!
//! ```text
//! cargo run --release --example drain -- --spans 1000000
//! ```

use std::{path::Path, sync::Arc, time::Duration};

use clap::Parser;
use firehose::{
    Accounts, Books, Content, Drain, LedgerReader, Load, Pace, Packing, Progress, Run, Shape,
    Spread, Stage, Stream, Workload,
};
use tokio_util::sync::CancellationToken;

/// Send spans through nothing, and account for each.
#[derive(Parser)]
struct Args {
    /// How many spans are sent in a second.
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    spans: u64,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let folder = tempfile::tempdir()?;
    let accounts = account(args.spans, &folder.path().join("ledger")).await?;
    println!(
        "{} spans planned: {} delivered once, {} duplicated, {} corrupted, {} lost, {} refused",
        accounts.planned,
        accounts.delivered_once,
        accounts.duplicated,
        accounts.corrupted,
        accounts.lost,
        accounts.refused
    );
    Ok(())
}

pub(crate) async fn account(spans: u64, ledger: &Path) -> anyhow::Result<Accounts> {
    let workload = Workload::of(Run::any(), vec![Shape::typical()], spans);
    let stream = Arc::new(Stream::new(&workload)?);

    // The receiver knows the workload: a span is told by its ids, and its content is compared.
    let drain = Drain::open(
        Arc::clone(&stream),
        workload.digest(),
        Content::Same,
        ledger,
    )?;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let shutdown = CancellationToken::new();
    let receiving = tokio::spawn(Arc::new(drain).run(listener, shutdown.clone()));

    // What is tested receives here, and sends on to `address`.
    let target = format!("grpc://{address}").parse()?;
    let time = Duration::from_secs(1);
    let load = Load {
        first: 0,
        pace: Pace::Stages(vec![Stage {
            rate: spans as f64,
            time,
        }]),
        spread: Spread::Even,
        connections: 2,
        in_flight: 8,
        packing: Packing::Gzip,
        retries: true,
        patience: Duration::from_secs(10),
        deadline: Duration::from_secs(30),
        overrun: Duration::from_secs(60),
        share: (0, 1),
    };
    let progress = Arc::new(Progress::default());
    let stop = CancellationToken::new();
    let sent = firehose::blast(&target, Arc::clone(&stream), &load, progress, stop).await?;

    shutdown.cancel();
    receiving.await??;
    // The ledger is a file: it is there although the receiver has ended, or was killed.
    let arrivals = LedgerReader::open(ledger)?.arrivals()?;
    Ok(Accounts::close(&Books {
        stream: &stream,
        slice: sent.slice.clone(),
        is_open_ended: sent.is_open_ended,
        outcomes: vec![&sent.outcomes],
        arrivals: Some(vec![&arrivals]),
        policy: None,
    }))
}
