//! What a receiver answers is counted as what it is: taken in part, refused with a delay, failed, or no answer.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    extract::Request,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use firehose::{Encoding, Plan, Run, Target, Totals, Until};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::{SPANS, orders};

const REQUESTS: u64 = 9;
/// The spans of a request.
const EACH: u64 = 20 * SPANS as u64;

/// A receiver with the given answers.
async fn receiver(router: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let server = tcp::Server::new(listener);
    tokio::spawn(async {
        server
            .serve(router, Default::default(), Default::default())
            .await
    });
    at.to_string()
}

async fn send(url: &str, encoding: Encoding, patience: Duration) -> Totals {
    let target: Target = url.parse().unwrap();
    let batch = orders(20, encoding, target.protocol().framing());
    let plan = Plan {
        run: Run::any(),
        first: 0,
        connections: 1,
        in_flight: 2,
        until: Until::Requests(REQUESTS),
        patience,
    };
    let totals = firehose::send(&target, &batch, &plan).await.unwrap();
    assert!(totals.add_up(), "{totals:?}");
    totals
}

const PATIENT: Duration = Duration::from_secs(60);

/// Answers every third request with `then`, and accepts the others.
fn every_third(accept: fn() -> Response, then: fn() -> Response) -> Router {
    let requests = Arc::new(AtomicU64::new(0));
    Router::new().fallback(move |_body: Bytes| async move {
        match requests.fetch_add(1, Ordering::Relaxed) % 3 {
            2 => then(),
            _ => accept(),
        }
    })
}

#[tokio::test]
async fn a_refusal_by_grpc_is_counted_as_refused() {
    // The bodies are not read: nor does a sink that has no place for them.
    let router = Router::new().fallback(|_: Request| async {
        let details = ErrorDetails::with_retry_info(Some(Duration::from_secs(1)));
        let status = Status::with_error_details(Code::ResourceExhausted, "busy", details);
        status.into_http::<axum::body::Body>()
    });
    let at = receiver(router).await;
    let totals = send(&format!("grpc://{at}"), Encoding::Protobuf, PATIENT).await;
    assert_eq!(totals.refused.requests, REQUESTS, "{totals:?}");
    assert_eq!(totals.refused.spans, REQUESTS * EACH);
    assert_eq!(totals.refused_with_delay, REQUESTS);
    assert_eq!((totals.taken(), totals.problem), (0, None));
}

#[tokio::test]
async fn a_refusal_by_http_is_counted_as_refused() {
    let refuse = || {
        let delay = [(header::RETRY_AFTER, "1"), (header::CONNECTION, "close")];
        (StatusCode::TOO_MANY_REQUESTS, delay).into_response()
    };
    let at = receiver(every_third(|| "".into_response(), refuse)).await;
    let totals = send(&format!("http://{at}"), Encoding::Protobuf, PATIENT).await;
    assert_eq!(totals.refused.requests, REQUESTS / 3, "{totals:?}");
    assert_eq!(totals.refused_with_delay, REQUESTS / 3);
    assert_eq!(totals.accepted.spans, REQUESTS / 3 * 2 * EACH);
    // Each refusal has closed its connection. After the last request no new one is needed.
    assert!(
        (1..=REQUESTS / 3).contains(&totals.reconnected),
        "{totals:?}"
    );
}

#[tokio::test]
async fn a_part_that_was_rejected_is_counted() {
    let partial = || r#"{"partialSuccess":{"rejectedSpans":"5"}}"#.into_response();
    let at = receiver(every_third(|| "{}".into_response(), partial)).await;
    let totals = send(&format!("h2://{at}"), Encoding::Json, PATIENT).await;
    assert_eq!(totals.partial.requests, REQUESTS / 3, "{totals:?}");
    assert_eq!(totals.rejected, 5 * REQUESTS / 3);
    assert_eq!(totals.taken(), REQUESTS * EACH - totals.rejected);
}

#[tokio::test]
async fn any_other_answer_is_a_failure_with_its_words() {
    let wrong = || (StatusCode::BAD_REQUEST, "no such thing").into_response();
    let at = receiver(every_third(|| "{}".into_response(), wrong)).await;
    let totals = send(&format!("http://{at}"), Encoding::Json, PATIENT).await;
    assert_eq!(totals.failed.requests, REQUESTS / 3, "{totals:?}");
    assert_eq!(totals.accepted.requests, REQUESTS / 3 * 2);
    let problem = totals.problem.unwrap();
    assert_eq!(problem, "400 Bad Request: no such thing");
}

#[tokio::test]
async fn a_request_without_an_answer_has_failed() {
    let router = Router::new().fallback(|_body: Bytes| std::future::pending::<()>());
    let at = receiver(router).await;
    for scheme in ["grpc", "http"] {
        let url = format!("{scheme}://{at}");
        let totals = send(&url, Encoding::Protobuf, Duration::from_millis(20)).await;
        assert_eq!(totals.failed.requests, REQUESTS, "{scheme}: {totals:?}");
        assert_eq!(totals.problem.as_deref(), Some("no answer after 20ms"));
    }
}

#[tokio::test]
async fn a_receiver_that_hangs_up_ends_the_run() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            drop(listener.accept().await);
        }
    });
    for scheme in ["grpc", "http"] {
        let totals = send(&format!("{scheme}://{at}"), Encoding::Protobuf, PATIENT).await;
        assert_eq!(totals.taken(), 0, "{scheme}: {totals:?}");
        assert_eq!(
            totals.failed.spans, totals.sent.spans,
            "{scheme}: {totals:?}"
        );
        assert!(totals.problem.is_some());
    }
}

/// As a server does that limits the age of its connections: it ends each after its first request (GOAWAY).
#[tokio::test]
async fn a_connection_that_ends_politely_costs_no_request() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve_and_go_away(stream));
        }
    });
    let totals = send(&format!("h2://{at}"), Encoding::Protobuf, PATIENT).await;
    assert_eq!(totals.accepted.requests, REQUESTS, "{totals:?}");
    assert_eq!(totals.next, REQUESTS * 20);
    // One connection, with at most two requests before the client knows.
    assert!(totals.reconnected >= 1, "{totals:?}");
}

async fn serve_and_go_away(stream: TcpStream) {
    let mut connection = h2::server::handshake(stream).await.unwrap();
    while let Some(Ok((request, mut respond))) = connection.accept().await {
        connection.graceful_shutdown();
        tokio::spawn(async move {
            let mut body = request.into_body();
            while let Some(Ok(data)) = body.data().await {
                let _ = body.flow_control().release_capacity(data.len());
            }
            let _ = respond.send_response(http::Response::new(()), true);
        });
    }
}

#[tokio::test]
async fn a_receiver_that_is_not_there_is_named() {
    // It does not listen, and nothing else is given its port while it is kept.
    let closed = TcpSocket::new_v4().unwrap();
    closed.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let at = closed.local_addr().unwrap();
    let target: Target = format!("grpc://{at}").parse().unwrap();
    let batch = orders(1, Encoding::Protobuf, target.protocol().framing());
    let plan = Plan {
        run: Run::any(),
        first: 0,
        connections: 1,
        in_flight: 1,
        until: Until::Requests(1),
        patience: PATIENT,
    };
    let error = firehose::send(&target, &batch, &plan).await.unwrap_err();
    let begin = format!("cannot connect to {at}: ");
    assert!(error.to_string().starts_with(&begin), "{error}");
}
