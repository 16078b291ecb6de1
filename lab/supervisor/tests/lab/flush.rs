//! A flush reaches every service, and names those that it does not reach.

use axum::{Json, Router, http::StatusCode, routing::post};
use supervisor::{Component, Counts, FlushError, Lab};
use tokio::net::{TcpListener, TcpSocket};

use crate::stand_in::StandIn;

/// Answers in the place of a stand-in, which listens nowhere.
async fn answer_for(stand_in: &StandIn, service: Component, router: Router) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    stand_in.write(service, "port", &port.to_string());
    tokio::spawn(async move { axum::serve(listener, router).await });
}

#[tokio::test(flavor = "multi_thread")]
async fn every_service_is_asked_and_the_silent_are_named() {
    let stand_in = StandIn::new();
    let exported = |ended: u64| Counts {
        ended,
        exported: ended,
        ..Counts::default()
    };
    for (service, ended) in [
        (Component::Checkout, 11),
        (Component::Email, 5),
        (Component::Payment, 4),
    ] {
        let answer = Json(exported(ended));
        let router = Router::new().route("/lab/flush", post(async move || answer));
        answer_for(&stand_in, service, router).await;
    }
    let broken = async || StatusCode::INTERNAL_SERVER_ERROR;
    let router = Router::new().route("/lab/flush", post(broken));
    answer_for(&stand_in, Component::Inventory, router).await;
    // A port that nothing listens on, and that nothing else is given while this is kept.
    let closed = TcpSocket::new_v4().unwrap();
    closed.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let port = closed.local_addr().unwrap().port().to_string();
    stand_in.write(Component::Provider, "port", &port);

    let (lab, _events) = Lab::start(stand_in.config()).await.unwrap();
    let flushed = lab.flush().await;
    let services: Vec<Component> = flushed.iter().map(|flushed| flushed.service).collect();
    assert_eq!(services, Component::SERVICES);
    for answer in flushed {
        match (answer.service, answer.counts) {
            (Component::Checkout, counts) => assert_eq!(counts.unwrap(), exported(11)),
            (Component::Email, counts) => assert_eq!(counts.unwrap(), exported(5)),
            (Component::Payment, counts) => assert_eq!(counts.unwrap(), exported(4)),
            (Component::Inventory, Err(error @ FlushError::Refused { .. })) => {
                assert!(error.to_string().starts_with("inventory "), "{error}");
            }
            (Component::Provider, Err(error @ FlushError::Unreachable { .. })) => {
                assert_eq!(error.to_string(), "provider cannot be reached");
            }
            (service, counts) => panic!("{service}: {counts:?}"),
        }
    }
    lab.stop().await;
}
