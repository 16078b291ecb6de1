//! What a client makes of the answers of a lab, and of what is none.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use protocol::{ClientError, LabClient, OrderRequest};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

/// A client of a program that gives this answer to its first request.
async fn client_of(answer: String) -> LabClient {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut connection, _) = listener.accept().await.unwrap();
        let mut request = [0; 4096];
        let _ = connection.read(&mut request).await;
        // The client hangs up once it has read enough.
        let _ = connection.write_all(answer.as_bytes()).await;
    });
    LabClient::new(url.parse().unwrap())
}

fn answer(status: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n\r\n{body}")
}

#[tokio::test]
async fn an_answer_is_read_up_to_a_limit_that_the_error_names() {
    // A document may have 1 MiB.
    for status in ["200 OK", "500 Internal Server Error"] {
        let client = client_of(answer(status, &" ".repeat(2 << 20))).await;
        let error = client.describe().await.unwrap_err();
        assert!(
            matches!(
                error,
                ClientError::TooLarge {
                    most: 1_048_576,
                    ..
                }
            ),
            "{error}"
        );
        assert!(
            error.to_string().contains("more than 1048576 bytes"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn an_order_that_the_shop_refused_was_placed_and_one_that_the_lab_refused_was_not() {
    let refused = r#"{"type":"about:blank","title":"Payment Required","status":402,"detail":"…",
        "trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","order_id":null,"others":[]}"#;
    let client = client_of(answer("402 Payment Required", refused)).await;
    let placed = client.place_orders(&OrderRequest::default()).await.unwrap();
    assert_eq!(placed.order.status, 402);

    let refused = r#"{"type":"about:blank","status":502,"detail":"the shop does not answer"}"#;
    let client = client_of(answer("502 Bad Gateway", refused)).await;
    let error = client
        .place_orders(&OrderRequest::default())
        .await
        .unwrap_err();
    assert!(matches!(error, ClientError::Refused { .. }), "{error}");
    assert!(
        error.to_string().contains("the shop does not answer"),
        "{error}"
    );
}
