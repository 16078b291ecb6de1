//! Watches a sink of the lab while others load it: asks for `/api/stats` again and again, checks the accounts in each
//! answer, and reads the memory of the process. It prints one JSON document when its time is over, and exits 1 when
//! an answer was missing or its accounts did not add up.
//!
//! ```text
//! cargo run --release -p firehose --example watch -- --page 127.0.0.1:8080 --pid 4711 --seconds 60
//! ```

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use bytes::Bytes;
use clap::Parser;
use http::{Request, header};
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;

/// Watch the accounts and the memory of a sink.
#[derive(Parser)]
struct Args {
    /// Where the sink's HTTP API is.
    #[arg(long, value_name = "HOST:PORT")]
    page: String,

    /// The process id of the sink.
    #[arg(long)]
    pid: u32,

    /// How long to watch; decimals are fine.
    #[arg(long, value_name = "S", default_value_t = 60.0)]
    seconds: f64,

    /// The time from one question to the next.
    #[arg(long, value_name = "MS", default_value_t = 50, value_parser = clap::value_parser!(u64).range(1..))]
    every: u64,

    /// The core to stay on, counted from 0.
    #[arg(long, value_name = "CORE")]
    cpu: Option<usize>,
}

/// The longest time for an answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// What was seen.
#[derive(Default)]
struct Seen {
    /// The time of each answer, in milliseconds.
    latencies: Vec<f64>,
    /// Answers that did not come, and accounts that did not add up, in words.
    wrong: Vec<String>,
    last: Value,
    /// The highest resident memory that was seen, and the last, in bytes.
    resident_max: u64,
    resident: u64,
}

fn main() -> anyhow::Result<ExitCode> {
    let args = Args::parse();
    let time = Duration::try_from_secs_f64(args.seconds).context("--seconds")?;
    if let Some(core) = args.cpu {
        firehose::cpu::pin(core)
            .with_context(|| format!("this process cannot run on core {core} (--cpu)"))?;
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let seen = runtime.block_on(watch(&args, time))?;
    println!("{}", seen.document());
    Ok(if seen.wrong.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

async fn watch(args: &Args, time: Duration) -> anyhow::Result<Seen> {
    let mut seen = Seen::default();
    let begun = Instant::now();
    let mut ticks = tokio::time::interval(Duration::from_millis(args.every));
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while begun.elapsed() < time {
        ticks.tick().await;
        let asked = Instant::now();
        // A connection for each question, as a new client has it.
        let answer = tokio::time::timeout(PATIENCE, stats(&args.page)).await;
        let answer = answer.unwrap_or_else(|_| bail!("no answer within {PATIENCE:?}"));
        seen.latencies.push(asked.elapsed().as_secs_f64() * 1e3);
        match answer {
            Ok(stats) => seen.check(stats),
            Err(error) => seen.wrong.push(format!("{error:#}")),
        }
        seen.resident = status(args.pid, "VmRSS:")?;
        seen.resident_max = seen.resident_max.max(seen.resident);
    }
    // The kernel's own record has what was between two looks.
    seen.resident_max = seen.resident_max.max(status(args.pid, "VmHWM:")?);
    Ok(seen)
}

async fn stats(page: &str) -> anyhow::Result<Value> {
    let stream = TcpStream::connect(page).await.context("connecting")?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let request = Request::get("/api/stats")
        .header(header::HOST, page)
        .body(Empty::<Bytes>::new())?;
    let response = sender.send_request(request).await.context("asking")?;
    let status = response.status();
    let body = response.into_body().collect().await?.to_bytes();
    if !status.is_success() {
        bail!("{status}: {}", String::from_utf8_lossy(&body));
    }
    Ok(serde_json::from_slice(&body)?)
}

/// A line of proc_pid_status(5), in bytes.
fn status(pid: u32, name: &str) -> anyhow::Result<u64> {
    let path = format!("/proc/{pid}/status");
    let text = std::fs::read_to_string(&path).with_context(|| format!("{path} (--pid)"))?;
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    let kibibytes = kibibytes.with_context(|| format!("{path} has no {name}"))?;
    Ok(kibibytes * 1024)
}

// === impl Seen ===

impl Seen {
    fn check(&mut self, stats: Value) {
        let spans = |name: &str| stats["spans"][name].as_u64();
        let parts = ["received", "stored", "evicted", "refused"].map(spans);
        match parts {
            [Some(received), Some(stored), Some(evicted), Some(refused)]
                if received == stored + evicted + refused => {}
            _ => self
                .wrong
                .push(format!("the accounts do not add up: {}", stats["spans"])),
        }
        self.last = stats;
    }

    fn document(&self) -> Value {
        let mut sorted = self.latencies.clone();
        sorted.sort_by(f64::total_cmp);
        // The nearest rank: the smallest value that at least this share of the values does not exceed.
        let quantile = |share: f64| {
            let rank = (share * sorted.len() as f64).ceil() as usize;
            sorted.get(rank.saturating_sub(1)).copied()
        };
        json!({
            "polls": self.latencies.len(),
            "p50_ms": quantile(0.5),
            "p99_ms": quantile(0.99),
            "max_ms": quantile(1.0),
            "resident_max": self.resident_max,
            "resident": self.resident,
            "wrong": self.wrong.len(),
            "first_wrong": self.wrong.first(),
            "received": self.last["spans"]["received"],
            "stored": self.last["spans"]["stored"],
            "evicted": self.last["spans"]["evicted"],
            "refused": self.last["spans"]["refused"],
            "overloaded": self.last["requests"]["overloaded"],
        })
    }
}
