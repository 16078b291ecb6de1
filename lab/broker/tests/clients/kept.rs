//! What a client has put into a broker with a store, and a client finds in the next one: between them
//! the first is killed.

use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Stdio;

use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::time::{Duration, Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::client::Client;
use crate::node::free_ports;

/// Tells the process of a test that it is the broker.
const IS_BROKER: &str = "TRACELAB_TEST_BROKER";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_pika_has_put_survives_a_kill() {
    survives("kept::what_pika_has_put_survives_a_kill", Client::Pika).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_amqplib_has_put_survives_a_kill() {
    survives(
        "kept::what_amqplib_has_put_survives_a_kill",
        Client::Amqplib,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_java_client_has_put_survives_a_kill() {
    survives(
        "kept::what_the_java_client_has_put_survives_a_kill",
        Client::Java,
    )
    .await;
}

/// Runs in two processes: the test, and the broker that it starts of itself and kills.
async fn survives(test: &str, client: Client) {
    if let Ok(serve) = std::env::var(IS_BROKER) {
        let (port, store) = serve.split_once(' ').unwrap();
        return be_the_broker(port.parse().unwrap(), Path::new(store)).await;
    }
    let Some(client) = client.find() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("broker.db");
    let [port] = free_ports();
    let url = format!("amqp://guest:guest@127.0.0.1:{port}/%2f");
    let mut broker = start(test, port, &store).await;
    client.run(&url, "put").await;
    broker.kill().await.unwrap();
    let _broker = start(test, port, &store).await;
    client.run(&url, "find").await;
}

async fn start(test: &str, port: u16, store: &Path) -> Child {
    let broker = Command::new(std::env::current_exe().unwrap())
        .args([test, "--exact"])
        .env(IS_BROKER, format!("{port} {}", store.display()))
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    while TcpStream::connect((Ipv4Addr::LOCALHOST, port))
        .await
        .is_err()
    {
        assert!(Instant::now() < deadline, "the broker does not listen");
        sleep(Duration::from_millis(10)).await;
    }
    broker
}

/// Serves until it is killed, or until the test is gone and with it the other end of standard input.
async fn be_the_broker(port: u16, store: &Path) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .await
        .unwrap();
    let config = broker::Config {
        store: Some(store.to_owned()),
        ..broker::Config::default()
    };
    let shutdown = CancellationToken::new();
    let mut parent = tokio::io::stdin();
    tokio::select! {
        ended = broker::run(listener, config, shutdown) => ended.unwrap(),
        _ = parent.read_u8() => {}
    }
}
