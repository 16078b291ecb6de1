//! The examples of the library do what they show.

use std::{sync::Arc, time::Duration};

use firehose::Counter;
use tokio::net::TcpListener;

#[allow(dead_code, reason = "a test does not call the main function")]
#[path = "../../examples/blast.rs"]
mod blast;

#[allow(dead_code, reason = "a test does not call the main function")]
#[path = "../../examples/drain.rs"]
mod drain;

#[tokio::test]
async fn blast_sends_the_spans_of_its_rate() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = format!("grpc://{}", listener.local_addr().unwrap());
    let counter = Arc::new(Counter::default());
    tokio::spawn(firehose::count(
        listener,
        Arc::clone(&counter),
        Default::default(),
    ));
    let time = Duration::from_millis(300);
    let sent = blast::send(&target.parse().unwrap(), 20_000.0, time).await;
    let sent = sent.unwrap();
    assert_eq!(sent.problem, None);
    assert_eq!(counter.requests(), sent.requests);
    assert_eq!(counter.bytes(), sent.bytes);
    let told = blast::told(&sent);
    let all = format!(
        "{} spans in {} requests, of which {1} were accepted; ",
        sent.spans, sent.requests
    );
    assert!(told.starts_with(&all), "{told}");
}

#[tokio::test]
async fn drain_accounts_for_each_span() {
    let folder = tempfile::tempdir().unwrap();
    let accounts = drain::account(30_000, &folder.path().join("ledger")).await;
    let accounts = accounts.unwrap();
    assert!(accounts.are_closed());
    assert_eq!(
        (accounts.planned, accounts.delivered_once),
        (30_000, 30_000)
    );
}
