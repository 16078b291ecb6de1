//! Sends traces to an OTLP receiver as fast as it answers, and prints what was sent and how it was answered.
//!
//! ```text
//! cargo run --release -p firehose --example send -- --to grpc://127.0.0.1:4317 --seconds 5 --cpu 0
//! cargo run --release -p firehose --example send -- --to http://127.0.0.1:4318 --encoding json --json
//! ```

use std::{process::ExitCode, sync::Arc, time::Duration};

use anyhow::Context;
use clap::{Parser, ValueEnum};
use firehose::{Batch, Plan, Run, Target, Template, Totals, Until};
use serde_json::json;

/// Send traces to an OTLP receiver as fast as it answers. Exit code 1: the counts of requests do not add up; 2: wrong
/// options; 3: no connection.
#[derive(Parser)]
struct Args {
    /// The receiver: grpc://HOST:PORT, http://HOST:PORT (HTTP/1.1) or h2://HOST:PORT (OTLP/HTTP by HTTP/2).
    #[arg(long, value_name = "URL")]
    to: Target,

    /// How long to send; decimals are fine.
    #[arg(long, value_name = "S", default_value_t = 5.0)]
    seconds: f64,

    /// How many requests to send, instead of a time.
    #[arg(long, value_name = "N", conflicts_with = "seconds")]
    requests: Option<u64>,

    /// How many spans a request has: a multiple of the 12 of a trace.
    #[arg(long, value_name = "N", default_value_t = 516)]
    spans_per_request: usize,

    /// How many connections are open.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    connections: u16,

    /// How many requests each connection has in flight. HTTP/1.1 has one a connection, and so many connections.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..))]
    in_flight: u16,

    /// The encoding of the requests; gRPC has protobuf alone.
    #[arg(long, value_enum, default_value_t = Encoding::Protobuf)]
    encoding: Encoding,

    /// The core to stay on, counted from 0.
    #[arg(long, value_name = "CORE")]
    cpu: Option<usize>,

    /// Print one JSON document.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Encoding {
    Protobuf,
    Json,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("send: {error:#}");
            ExitCode::from(if error.is::<firehose::ConnectError>() {
                3
            } else {
                2
            })
        }
    }
}

fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let encoding = match args.encoding {
        Encoding::Protobuf => firehose::Encoding::Protobuf,
        Encoding::Json => firehose::Encoding::Json,
    };
    let until = match args.requests {
        Some(requests) => Until::Requests(requests),
        None => Until::Elapsed(Duration::try_from_secs_f64(args.seconds).context("--seconds")?),
    };
    if let Some(core) = args.cpu {
        firehose::cpu::pin(core)
            .with_context(|| format!("this process cannot run on core {core} (--cpu)"))?;
    }
    let template = Arc::new(Template::new(&firehose::typical())?);
    let framing = args.to.protocol().framing();
    let batch = Batch::new(template, 0, args.spans_per_request, encoding, framing)?;
    let plan = Plan {
        run: Run::any(),
        first: 0,
        connections: args.connections.into(),
        in_flight: args.in_flight.into(),
        until,
        patience: Duration::from_secs(30),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let totals = runtime.block_on(firehose::send(&args.to, &batch, &plan))?;
    if args.json {
        println!("{}", document(&totals));
    } else {
        println!("{}", text(&totals));
    }
    Ok(if totals.add_up() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// One object without others in it, so that a shell script can read it.
fn document(totals: &Totals) -> serde_json::Value {
    json!({
        "add_up": totals.add_up(),
        "sent_requests": totals.sent.requests,
        "sent_spans": totals.sent.spans,
        "sent_bytes": totals.sent.bytes,
        "taken_spans": totals.taken(),
        "accepted_requests": totals.accepted.requests,
        "accepted_spans": totals.accepted.spans,
        "partial_requests": totals.partial.requests,
        "partial_spans": totals.partial.spans,
        "rejected_spans": totals.rejected,
        "refused_requests": totals.refused.requests,
        "refused_with_delay": totals.refused_with_delay,
        "refused_spans": totals.refused.spans,
        "failed_requests": totals.failed.requests,
        "failed_spans": totals.failed.spans,
        "connections": totals.connections,
        "reconnected": totals.reconnected,
        "elapsed_s": totals.elapsed.as_secs_f64(),
        "cpu_s": totals.cpu.as_secs_f64(),
        "spans_per_s": totals.rate(),
        "problem": totals.problem,
    })
}

fn text(totals: &Totals) -> String {
    let share = |spans: u64| 100.0 * spans as f64 / totals.sent.spans.max(1) as f64;
    let cpu_ns = totals.cpu.as_nanos() as f64 / totals.sent.spans.max(1) as f64;
    let mut lines = vec![format!(
        "sent {} spans in {} requests, {:.0} bytes a span, in {:.2} s; {cpu_ns:.0} ns of CPU a span",
        totals.sent.spans,
        totals.sent.requests,
        totals.sent.bytes as f64 / totals.sent.spans.max(1) as f64,
        totals.elapsed.as_secs_f64(),
    )];
    lines.push(format!(
        "taken {} spans ({:.1} %), {:.0} a second; rejected {}, refused {} ({} of {} requests with a delay), failed {}",
        totals.taken(),
        share(totals.taken()),
        totals.rate(),
        totals.rejected,
        totals.refused.spans,
        totals.refused_with_delay,
        totals.refused.requests,
        totals.failed.spans,
    ));
    lines.extend(
        totals
            .problem
            .as_ref()
            .map(|problem| format!("first failure: {problem}")),
    );
    lines.join("\n")
}
