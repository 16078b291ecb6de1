//! `tracelab blast`: sends the spans of a workload to an OTLP receiver, and writes down what was sent.

use std::{path::PathBuf, sync::Arc, time::Duration};

use anyhow::{Context, bail};
use firehose::{Load, Pace, Progress, Sent, Stage, Stream, Target};
use plain::Plain;
use schedule::parse_duration;
use serde_json::json;

use crate::{
    exit::{Outcome, WrongInput},
    screen::{self, Format},
    stop,
    workload_args::{WorkloadArgs, read_workload, spans_per_second},
};

/// Send spans to an OTLP receiver, at a rate or as fast as possible, and say how each request was answered.
///
/// It is the generator of `tracelab bench`, for a machine of its own. Spans are recorded traces with ids and times of their
/// own, which tell the receiving end (`tracelab drain`) which span of the workload each is. Several generators share a
/// workload with --share: then each sends its part of the requests.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tracelab blast --to grpc://127.0.0.1:4317
  tracelab blast --to http://collector:4318 --rate 50k/s --duration 30s --compression gzip
  tracelab blast --to grpc://collector:4317 --rate 1M/s --write-workload w.json --books sent-0.json --share 0/2
  tracelab blast --to grpc://collector:4317 --rate 1M/s --workload w.json --books sent-1.json --share 1/2")]
pub(crate) struct Args {
    /// The receiver: grpc://HOST:PORT, http://HOST:PORT (HTTP/1.1) or h2://HOST:PORT (OTLP/HTTP by HTTP/2).
    #[arg(long, value_name = "URL")]
    to: Target,

    /// Spans a second, such as 50000/s, 50k/s or 1.5M/s, whatever the answers are; max is as fast as they allow.
    #[arg(long, value_name = "N/s", default_value = "max")]
    rate: RateArg,

    /// How long to send.
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = parse_duration)]
    duration: Duration,

    /// Which part of the requests is sent here: 0/2 and 1/2 are the halves.
    #[arg(long, value_name = "N/OF", default_value = "0/1", value_parser = part)]
    share: (u64, u64),

    /// Send the workload of this file, which --write-workload wrote, in place of one by the options below.
    #[arg(long, value_name = "FILE", conflicts_with = "write_workload")]
    workload: Option<PathBuf>,

    /// Write the workload into this file, for `tracelab drain` and for other generators.
    #[arg(long, value_name = "FILE")]
    write_workload: Option<PathBuf>,

    /// Write how each request was answered into this file, for `tracelab bench merge`.
    #[arg(long, value_name = "FILE")]
    books: Option<PathBuf>,

    /// Stay on this core, counted from 0.
    #[arg(long, value_name = "CORE")]
    cpu: Option<usize>,

    #[command(flatten)]
    workload_args: WorkloadArgs,

    /// The format of the result.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// A rate, or as fast as possible.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct RateArg(pub(crate) Option<f64>);

// === impl RateArg ===

impl std::str::FromStr for RateArg {
    type Err = String;

    fn from_str(text: &str) -> Result<RateArg, String> {
        match text {
            "max" => Ok(RateArg(None)),
            text => spans_per_second(text).map(|rate| RateArg(Some(rate))),
        }
    }
}

/// Reads `N/OF`.
fn part(text: &str) -> Result<(u64, u64), String> {
    let numbers = text
        .split_once('/')
        .and_then(|(number, of)| Some((number.parse().ok()?, of.parse().ok()?)));
    numbers
        .filter(|(number, of): &(u64, u64)| number < of)
        .ok_or_else(|| "a share is N/OF with N below OF, such as 0/2 and 1/2".to_owned())
}

/// The spans of a workload whose end only time tells.
const MANY: u64 = 1 << 33;

pub(crate) async fn main(args: Args) -> anyhow::Result<Outcome> {
    let pace = match args.rate.0 {
        Some(rate) => Pace::Stages(vec![Stage {
            rate,
            time: args.duration,
        }]),
        None => Pace::Max(args.duration),
    };
    let workload = match &args.workload {
        Some(path) => read_workload(path)?,
        None => args.workload_args.workload(pace.spans().unwrap_or(MANY))?,
    };
    if let Some(spans) = pace.spans()
        && spans > workload.spans
    {
        bail!(WrongInput(format!(
            "the workload has {} spans, and {spans} are asked for (--rate, --duration)",
            workload.spans
        )));
    }
    let stream = Stream::new(&workload).map_err(|error| WrongInput(error.to_string()))?;
    if let Some(path) = &args.write_workload {
        write(path, &serde_json::to_vec(&workload)?)?;
    }
    if let Some(core) = args.cpu {
        ::bench::cores::pin_this_process(core)
            .with_context(|| format!("--cpu: this process cannot stay on core {core}"))?;
    }
    let load = Load {
        first: 0,
        pace,
        spread: args.workload_args.spread(),
        connections: args.workload_args.connections(),
        in_flight: args.workload_args.in_flight(),
        packing: args.workload_args.packing(),
        retries: args.workload_args.retries(),
        patience: Duration::from_secs(10),
        deadline: Duration::from_secs(30),
        overrun: (args.duration / 10).max(Duration::from_secs(1)),
        share: args.share,
    };
    let stop = stop::on_signals_within(load.deadline)?;
    let progress = Arc::new(Progress::default());
    let cpu = firehose::cpu::used();
    let sending = firehose::blast_apart(
        &args.to,
        Arc::new(stream),
        &load,
        progress,
        stop.token().clone(),
    );
    let sent = sending.await?;
    let cpu = firehose::cpu::used().saturating_sub(cpu);
    if let Some(path) = &args.books {
        let books = ::bench::books::Books::of(&workload, &sent);
        write(path, &serde_json::to_vec(&books)?)?;
    }
    let counts = Counts::of(&sent);
    match args.format {
        Format::Json => screen::print_result(format!("{}\n", counts.json(&sent, cpu)))?,
        Format::Text => screen::print_result(counts.text(&sent, cpu))?,
    }
    Ok(match (sent.is_stopped, counts.is_all_accepted()) {
        (true, _) => Outcome::Interrupted,
        (false, true) => Outcome::Passed,
        (false, false) => Outcome::Failed,
    })
}

fn write(path: &std::path::Path, bytes: &[u8]) -> anyhow::Result<()> {
    let name = Plain(path.display()).to_string();
    std::fs::write(path, bytes).with_context(|| format!("{name} cannot be written"))
}

/// Requests by how they ended.
#[derive(Default)]
struct Counts {
    accepted: u64,
    partial: u64,
    refused: u64,
    rejected: u64,
    unanswered: u64,
    in_flight: u64,
}

// === impl Counts ===

impl Counts {
    fn of(sent: &Sent) -> Counts {
        let mut counts = Counts::default();
        for outcome in sent.outcomes.all() {
            *match outcome {
                firehose::Outcome::NeverSent => continue,
                firehose::Outcome::Accepted => &mut counts.accepted,
                firehose::Outcome::Partial { .. } => &mut counts.partial,
                firehose::Outcome::Refused => &mut counts.refused,
                firehose::Outcome::Rejected => &mut counts.rejected,
                firehose::Outcome::Unanswered => &mut counts.unanswered,
                firehose::Outcome::InFlight => &mut counts.in_flight,
            } += 1;
        }
        counts
    }

    fn is_all_accepted(&self) -> bool {
        self.partial + self.refused + self.rejected + self.unanswered + self.in_flight == 0
    }

    fn json(&self, sent: &Sent, cpu: Duration) -> serde_json::Value {
        let seconds = sent.elapsed.as_secs_f64();
        let ms = |share| {
            sent.answered
                .quantile(share)
                .map(|time| time.as_secs_f64() * 1e3)
        };
        json!({
            "schema": 1,
            "kind": "blast",
            "spans": sent.spans,
            "seconds": seconds,
            "spans_per_second": sent.spans as f64 / seconds.max(1e-9),
            "requests": {
                "sent": sent.requests,
                "accepted": self.accepted,
                "partial": self.partial,
                "refused": self.refused,
                "rejected": self.rejected,
                "unanswered": self.unanswered,
                "in_flight": self.in_flight,
                "retries": sent.retries,
            },
            "bytes": sent.bytes,
            "plain_bytes": sent.plain_bytes,
            "answer_ms": { "p50": ms(0.5), "p99": ms(0.99), "max": ms(1.0) },
            "reconnected": sent.reconnected,
            "cpu_seconds": cpu.as_secs_f64(),
            "problem": sent.problem,
        })
    }

    fn text(&self, sent: &Sent, cpu: Duration) -> String {
        use std::fmt::Write as _;
        let mut text = String::new();
        let seconds = sent.elapsed.as_secs_f64();
        // Text takes all that is written to it.
        let _ = writeln!(
            text,
            "{} spans in {:.2} s: {:.0} spans/s, {:.0} ns of CPU a span",
            sent.spans,
            seconds,
            sent.spans as f64 / seconds.max(1e-9),
            cpu.as_nanos() as f64 / sent.spans.max(1) as f64
        );
        let _ = writeln!(
            text,
            "requests: {} sent, {} accepted",
            sent.requests, self.accepted
        );
        for (name, count) in [
            ("partly accepted", self.partial),
            ("refused", self.refused),
            ("rejected", self.rejected),
            ("unanswered", self.unanswered),
            ("in flight at the end", self.in_flight),
            ("sent again", sent.retries),
        ] {
            if count > 0 {
                let _ = writeln!(text, "  {count} {name}");
            }
        }
        if let (Some(p50), Some(p99)) = (sent.answered.quantile(0.5), sent.answered.quantile(0.99))
        {
            let _ = writeln!(
                text,
                "answers: p50 {:.1} ms, p99 {:.1} ms",
                p50.as_secs_f64() * 1e3,
                p99.as_secs_f64() * 1e3
            );
        }
        if let Some(problem) = &sent.problem {
            let _ = writeln!(
                text,
                "the first answer that was none of \"accepted\": {}",
                Plain(problem)
            );
        }
        text
    }
}
