//! Clients that are not ours, with the embedded broker and with RabbitMQ: each does what its users do,
//! in a script of its own beside this file.
//!
//! Where a client is missing, its test says so and does not run, unless `TRACELAB_REAL=1` asks for it.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
#![expect(clippy::disallowed_methods, reason = "the bans are for what users run")]

mod client;
mod kept;
#[path = "../rabbitmq/node.rs"]
mod node;

use client::Client;
use node::Node;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pika_gets_what_it_expects() {
    expects_all(Client::Pika).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn amqplib_gets_what_it_expects() {
    expects_all(Client::Amqplib).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_java_client_gets_what_it_expects() {
    expects_all(Client::Java).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn perf_test_receives_all_that_it_sends() {
    expects_all(Client::PerfTest).await;
}

/// Runs a client with an embedded broker of its own.
async fn expects_all(client: Client) {
    let Some(client) = client.find() else {
        return;
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("amqp://guest:guest@{}/%2f", listener.local_addr().unwrap());
    let shutdown = CancellationToken::new();
    let config = broker::Config::default();
    let broker = tokio::spawn(broker::run(listener, config, shutdown.clone()));
    client.run(&url, "all").await;
    shutdown.cancel();
    broker.await.unwrap().unwrap();
}

/// The scripts are right: RabbitMQ gives them what they expect.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_of_them_get_the_same_from_rabbitmq() {
    if !node::is_asked_for() {
        node::say("A TEST DID NOT RUN: the clients with RabbitMQ; TRACELAB_REAL=1 asks for it");
        return;
    }
    let mut node = Node::start();
    let url = |node: &Node| format!("amqp://guest:guest@{}/{}", node.address(), node.new_vhost());
    let perf_test = Client::PerfTest.find().unwrap();
    perf_test.run(&url(&node), "all").await;
    let clients = Client::SCRIPTED.map(|client| (client.find().unwrap(), url(&node)));
    // One after the other: they need the machine for themselves.
    for (client, url) in &clients {
        client.run(url, "all").await;
        client.run(url, "put").await;
    }
    node.restart();
    for (client, url) in &clients {
        client.run(url, "find").await;
    }
}
