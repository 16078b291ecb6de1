//! The body of an answer is read up to a limit.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use http_client::ReadError;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

/// The answer of a server that sends these bytes once, and then closes the connection.
async fn answer(bytes: String) -> reqwest::Response {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut connection, _) = listener.accept().await.unwrap();
        let mut request = [0; 1024];
        let _ = connection.read(&mut request).await;
        // The client hangs up once it has read enough.
        let _ = connection.write_all(bytes.as_bytes()).await;
    });
    let client = http_client::with(|it| it.no_proxy());
    client
        .get(format!("http://{address}/"))
        .send()
        .await
        .unwrap()
}

fn announced(bytes: usize) -> String {
    format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {bytes}\r\n\r\n{}",
        "x".repeat(bytes)
    )
}

/// Without a length: the body ends with the connection.
fn unannounced(bytes: usize) -> String {
    format!(
        "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{}",
        "x".repeat(bytes)
    )
}

#[tokio::test]
async fn a_body_of_the_limit_is_read_and_one_byte_more_is_not() {
    const MOST: usize = 1 << 16;
    for of in [announced, unannounced] {
        let read = http_client::read(answer(of(MOST)).await, MOST).await;
        assert_eq!(read.unwrap().len(), MOST);
        let error = http_client::read(answer(of(MOST + 1)).await, MOST)
            .await
            .unwrap_err();
        assert!(
            matches!(error, ReadError::TooLarge { most: MOST }),
            "{error}"
        );
        assert!(error.to_string().contains("65536 bytes"), "{error}");
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_is_an_error() {
    let cut = announced(100).replace("content-length: 100", "content-length: 101");
    let error = http_client::read(answer(cut).await, 1000)
        .await
        .unwrap_err();
    assert!(matches!(error, ReadError::Broken(_)), "{error}");
}
