#!/usr/bin/env bash
# opentelemetry-otlp 0.33.1 with gRPC (tonic 0.14): an export whose connection is closed during the call is not tried
# again, although a retry policy with three retries is set. The batch is lost with the first try, as "Unknown". So a
# receiver that is restarted at the wrong moment costs a batch.
#
# The specification lists UNAVAILABLE as retryable and UNKNOWN as not; tonic reports a connection that broke as
# UNKNOWN, and the exporter goes by the code alone.
#
# Seen: one connection to a receiver that closes each one, and an error that holds "Unknown".
# Consequence for a user: an export that fails so must be tried again by the code around the exporter.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
mkdir src
cat >Cargo.toml <<'END_TOML'
[package]
name = "look"
version = "0.0.0"
edition = "2024"

[dependencies]
opentelemetry = "=0.33.1"
opentelemetry-otlp = { version = "=0.33.1", default-features = false, features = ["trace", "grpc-tonic"] }
opentelemetry_sdk = { version = "=0.33.1", features = ["trace"] }
tokio = { version = "1", features = ["full"] }

[workspace]
END_TOML
cat >src/main.rs <<'END_RS'
use opentelemetry::trace::{SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState};
use opentelemetry_otlp::{RetryPolicy, SpanExporter, WithExportConfig, WithTonicConfig};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanExporter as _, SpanLinks};
use std::sync::{Arc, atomic::{AtomicUsize, Ordering}};
use tokio::{io::AsyncReadExt, net::TcpListener};

fn span() -> SpanData {
    let now = std::time::SystemTime::now();
    SpanData {
        span_context: SpanContext::new(TraceId::from(1), SpanId::from(1), TraceFlags::SAMPLED, false, TraceState::default()),
        parent_span_id: SpanId::INVALID,
        parent_span_is_remote: false,
        span_kind: SpanKind::Internal,
        name: "work".into(),
        start_time: now,
        end_time: now,
        attributes: Vec::new(),
        dropped_attributes_count: 0,
        events: SpanEvents::default(),
        links: SpanLinks::default(),
        status: Status::Unset,
        instrumentation_scope: Default::default(),
    }
}

#[tokio::main]
async fn main() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&connections);
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::Relaxed);
            // The request has begun to arrive.
            let _ = connection.read(&mut [0; 1024]).await;
        }
    });
    let exporter = SpanExporter::builder()
        .with_tonic()
        .with_endpoint(format!("http://{address}"))
        .with_retry_policy(RetryPolicy::default().with_max_retries(3))
        .build()
        .expect("the settings are right");
    let error = exporter.export(vec![span()]).await.expect_err("the connection was closed");
    println!("{} {}", connections.load(Ordering::Relaxed), error.to_string().contains("Unknown"));
}
END_RS
seen=$(CARGO_TARGET_DIR="$folder/target" cargo run --quiet)

if [ "$seen" = "1 true" ]; then
  echo "opentelemetry-otlp 0.33.1: a connection that is closed during an export is Unknown, and is not tried again"
else
  printf 'it is no longer so: connections and whether it is Unknown: %s\n' "$seen" >&2
  exit 1
fi
