//! Sends the spans of a workload at a rate, whatever the answers are, and prints how its requests ended.
//!
//! ```text
//! cargo run --release --example blast -- --to grpc://127.0.0.1:4317 --rate 20000 --seconds 5
//! ```

use std::{sync::Arc, time::Duration};

use clap::Parser;
use firehose::{
    Load, Outcome, Pace, Packing, Progress, Run, Sent, Shape, Spread, Stage, Stream, Target,
    Workload,
};
use tokio_util::sync::CancellationToken;

/// Send spans to an OTLP receiver at a rate.
#[derive(Parser)]
struct Args {
    /// The receiver: grpc://HOST:PORT, http://HOST:PORT (HTTP/1.1) or h2://HOST:PORT (OTLP/HTTP by HTTP/2).
    #[arg(long, value_name = "URL")]
    to: Target,

    /// Spans a second.
    #[arg(long, value_name = "N", default_value_t = 10_000.0)]
    rate: f64,

    /// How long to send; decimals are fine.
    #[arg(long, value_name = "S", default_value_t = 5.0)]
    seconds: f64,
}

// One thread is enough for millions of spans a second, and can be kept on a core.
#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let sent = send(&args.to, args.rate, Duration::from_secs_f64(args.seconds)).await?;
    println!("{}", told(&sent));
    Ok(())
}

pub(crate) async fn send(to: &Target, rate: f64, time: Duration) -> anyhow::Result<Sent> {
    let pace = Pace::Stages(vec![Stage { rate, time }]);
    let shapes = vec![Shape::typical()];
    let workload = Workload::of(Run::any(), shapes, pace.spans().unwrap_or_default());
    let stream = Arc::new(Stream::new(&workload)?);
    let load = Load {
        first: 0,
        pace,
        spread: Spread::Poisson,
        connections: 4,
        in_flight: 8,
        packing: Packing::None,
        retries: true,
        patience: Duration::from_secs(10),
        deadline: Duration::from_secs(30),
        overrun: Duration::from_secs(1),
        share: (0, 1),
    };
    // Whoever watches reads the progress; whoever wants it to end cancels the token.
    let (progress, stop) = (Arc::new(Progress::default()), CancellationToken::new());
    Ok(firehose::blast(to, stream, &load, progress, stop).await?)
}

pub(crate) fn told(sent: &Sent) -> String {
    let accepted = sent.outcomes.all();
    let accepted = accepted.filter(|outcome| *outcome == Outcome::Accepted);
    let p99 = sent.answered.quantile(0.99).unwrap_or_default();
    let problem = match &sent.problem {
        Some(problem) => format!("; the first failure: {problem}"),
        None => String::new(),
    };
    format!(
        "{} spans in {} requests, of which {} were accepted; 99 % were answered within {p99:.1?} of the intended time{problem}",
        sent.spans,
        sent.requests,
        accepted.count(),
    )
}
