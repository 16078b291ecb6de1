//! Receives OTLP/gRPC and OTLP/HTTP on one port, counts, and accepts all: the limit of a sender. It prints where it
//! listens, and at its end (Ctrl-C or SIGTERM) what it has counted, each as one JSON document.
//!
//! ```text
//! cargo run --release -p firehose --example count -- --listen 127.0.0.1:4317 --cpu 1
//! ```

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

use anyhow::Context;
use clap::Parser;
use firehose::Counter;
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Receive OTLP, count it, and accept all.
#[derive(Parser)]
struct Args {
    /// The address to listen on; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS:PORT", default_value_t = SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))]
    listen: SocketAddr,

    /// The core to stay on, counted from 0.
    #[arg(long, value_name = "CORE")]
    cpu: Option<usize>,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    if let Some(core) = args.cpu {
        firehose::cpu::pin(core)
            .with_context(|| format!("this process cannot run on core {core} (--cpu)"))?;
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(receive(args.listen))
}

async fn receive(listen: SocketAddr) -> anyhow::Result<()> {
    let listener = tokio::net::TcpListener::bind(listen).await;
    let listener = listener.with_context(|| format!("{listen} (--listen)"))?;
    let (mut interrupt, mut terminate) = (
        signal(SignalKind::interrupt())?,
        signal(SignalKind::terminate())?,
    );
    println!(
        "{}",
        json!({ "listening": listener.local_addr()?.to_string() })
    );
    let counter = Arc::new(Counter::default());
    let counting = firehose::count(listener, Arc::clone(&counter), CancellationToken::new());
    tokio::select! {
        failed = counting => failed?,
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    println!(
        "{}",
        json!({
            "requests": counter.requests(),
            "bytes": counter.bytes(),
            "cpu_s": firehose::cpu::used().as_secs_f64(),
        })
    );
    Ok(())
}
