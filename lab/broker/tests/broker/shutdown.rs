//! How the broker stops.

use crate::TestBroker;

#[tokio::test]
async fn connections_are_closed_with_320_and_run_returns() {
    let broker = TestBroker::start().await;
    let mut open = broker.raw().await;
    open.open_channel(0).await;
    let mut in_handshake = broker.raw().await;
    in_handshake.greet().await;
    broker.begin_shutdown();
    open.assert_closed_with(320, "CONNECTION_FORCED - broker is shutting down")
        .await;
    assert_eq!(in_handshake.receive().await, None);
    broker.ended().await;
}

#[tokio::test]
async fn it_does_not_wait_for_a_client_that_does_not_answer() {
    let broker = TestBroker::start().await;
    let mut raw = broker.raw().await;
    raw.open_channel(0).await;
    broker.begin_shutdown();
    broker.ended().await;
}
