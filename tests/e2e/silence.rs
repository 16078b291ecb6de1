//! Clients that connect and say nothing, while an honest one is answered: with few files that may be open.

use std::process::Stdio;

use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, trace_service_client::TraceServiceClient,
};
use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    net::TcpStream,
    process::{Child, Command},
    time::timeout,
};

use crate::support::{PATIENCE, amqp, binary};

/// The number of files that the program may open: places for half as many connections.
const FILES: u32 = 96;

/// The number of silent connections to each listener.
const SILENT: usize = 100;

/// A program with few files, and the line that says where it listens.
struct Program {
    ready: Value,
    _child: Child,
}

impl Program {
    async fn start(arguments: &[&str]) -> Program {
        let mut command = Command::new("sh");
        command
            .args(["-c", &format!("ulimit -n {FILES}; exec \"$@\""), "sh"])
            .arg(binary())
            .args(arguments)
            .env("OTEL_TRACES_EXPORTER", "none")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap();
        Program {
            ready: serde_json::from_str(&line.unwrap()).unwrap(),
            _child: child,
        }
    }

    /// The address of a listener, without a scheme.
    fn at(&self, listener: &str) -> &str {
        let url = self.ready[listener].as_str().unwrap();
        url.trim_start_matches("http://")
    }
}

/// Connects silent clients one after the other, and asks in between.
async fn among_silent_clients(addresses: &[&str], ask: impl AsyncFn()) {
    let mut silent = Vec::new();
    for n in 0..SILENT {
        for address in addresses {
            silent.push(TcpStream::connect(address).await.unwrap());
        }
        if n % 10 == 9 {
            timeout(PATIENCE, ask())
                .await
                .expect("an honest client is not answered");
        }
    }
    // The first of them was closed for another.
    let mut said = Vec::new();
    let ended = silent[0].read_to_end(&mut said);
    let _ = timeout(PATIENCE, ended).await.expect("it is still open");
}

/// Asks for a page on a connection of its own.
async fn get(url: &str) -> reqwest::StatusCode {
    let client = reqwest::Client::new();
    client.get(url).send().await.unwrap().status()
}

#[tokio::test]
async fn the_sink_and_its_page_answer_among_silent_clients() {
    let sink = Program::start(&[
        "sink",
        "--grpc",
        "127.0.0.1:0",
        "--http",
        "127.0.0.1:0",
        "--page",
        "127.0.0.1:0",
    ])
    .await;
    let [grpc, http, page] = ["otlp_grpc", "otlp_http", "page"].map(|listener| sink.at(listener));
    among_silent_clients(&[grpc, http, page], async || {
        assert_eq!(get(&format!("http://{page}/api/stats")).await, 200);
        let client = reqwest::Client::new();
        let sent = client
            .post(format!("http://{http}/v1/traces"))
            .header("content-type", "application/json")
            .body("{}")
            .send();
        assert_eq!(sent.await.unwrap().status(), 200);
        let mut client = TraceServiceClient::connect(format!("http://{grpc}"))
            .await
            .unwrap();
        let sent = client.export(ExportTraceServiceRequest::default());
        sent.await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_service_answers_among_silent_clients() {
    let data = TempDir::new().unwrap();
    let database = format!("sqlite://{}/inventory.db", data.path().display());
    let service = Program::start(&[
        "service",
        "inventory",
        "--listen",
        "127.0.0.1:0",
        "--database",
        &database,
    ])
    .await;
    let address = service.at("listening");
    among_silent_clients(&[address], async || {
        assert_eq!(get(&format!("http://{address}/products")).await, 200);
    })
    .await;
}

#[tokio::test]
async fn the_broker_answers_among_silent_clients() {
    let broker = Program::start(&["broker", "--listen", "127.0.0.1:0"]).await;
    let address = broker.at("listening");
    // One that has a channel is not silent, whatever it says.
    let url = format!("amqp://guest:guest@{address}/%2f");
    let (kept, channel) = amqp(&url).await;
    among_silent_clients(&[address], async || {
        let (connection, _channel) = amqp(&url).await;
        connection.close(200, "".into()).await.unwrap();
    })
    .await;
    channel.close(200, "".into()).await.unwrap();
    kept.close(200, "".into()).await.unwrap();
}
