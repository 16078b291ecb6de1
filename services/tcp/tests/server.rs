//! A server among clients that are silent, slow, or gone.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    http::StatusCode,
    routing::{get, post},
};
use tcp::{Limits, Places, Server};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::Notify,
    task::JoinHandle,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

/// More than anything here takes on the busiest machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server on a free port.
struct Served {
    address: SocketAddr,
    stop: CancellationToken,
    serving: JoinHandle<usize>,
    /// Lets the handler of `/slow` answer.
    go_on: Arc<Notify>,
    /// Notified when that handler has begun.
    begun: Arc<Notify>,
}

impl Served {
    async fn with(places: Places, limits: Limits) -> Served {
        Served::stopped_within(places, limits, PATIENCE).await
    }

    async fn stopped_within(places: Places, limits: Limits, patience: Duration) -> Served {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let (go_on, begun) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let slow = {
            let (go_on, begun) = (Arc::clone(&go_on), Arc::clone(&begun));
            async move || {
                begun.notify_one();
                go_on.notified().await;
                "slow"
            }
        };
        let router = Router::new()
            .route("/", get(async || "at once"))
            .route("/slow", get(slow))
            .route("/echo", post(async |body: String| body))
            .route("/refused", post(async || StatusCode::TOO_MANY_REQUESTS));
        let server = Server::with_places(listener, places, limits);
        Served {
            address,
            serving: tokio::spawn(server.serve(router, stop.clone(), patience)),
            stop,
            go_on,
            begun,
        }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Connects, and sends these bytes.
    async fn send(&self, bytes: &str) -> TcpStream {
        let mut client = self.connect().await;
        client.write_all(bytes.as_bytes()).await.unwrap();
        client
    }

    /// Sends a whole request on a new connection, which the server closes after its answer.
    async fn get(&self, path: &str) -> String {
        let request = format!("GET {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n");
        rest(&mut self.send(&request).await).await
    }
}

/// Everything until the server closes the connection.
async fn rest(client: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    // A connection that is closed with unread bytes is reset.
    let _ = timeout(PATIENCE, client.read_to_end(&mut answer))
        .await
        .expect("the server does not close the connection");
    String::from_utf8(answer).unwrap()
}

/// An answer whose last line is `end`, on a connection that stays open.
async fn until(client: &mut TcpStream, end: &str) -> String {
    let mut answer = Vec::new();
    while !answer.ends_with(end.as_bytes()) {
        let read = timeout(PATIENCE, client.read_buf(&mut answer)).await;
        assert!(read.unwrap().unwrap() > 0, "closed");
    }
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn silent_clients_do_not_shut_out_an_honest_one() {
    let served = Served::with(Places::new(4), Limits::default()).await;
    let mut silent = Vec::new();
    for n in 0..20 {
        // Some say nothing, some half a header, some half a body.
        let said = [
            "",
            "GET / HTTP/1.1\r\nhost:",
            "POST /echo HTTP/1.1\r\nhost: t\r\ncontent-length: 9\r\n\r\n12",
        ];
        silent.push(served.send(said[n % 3]).await);
        assert!(served.get("/").await.ends_with("at once"));
    }
    // The first of them made room.
    assert_eq!(rest(&mut silent[0]).await, "");
}

#[tokio::test]
async fn listeners_share_the_places_of_a_process() {
    let places = Places::new(2);
    let one = Served::with(places.clone(), Limits::default()).await;
    let other = Served::with(places, Limits::default()).await;
    let mut silent = [one.connect().await, one.connect().await];
    assert!(other.get("/").await.ends_with("at once"));
    assert!(other.get("/").await.ends_with("at once"));
    assert_eq!(rest(&mut silent[0]).await, "");
}

#[tokio::test]
async fn a_request_that_is_worked_on_keeps_its_place() {
    let served = Served::with(Places::new(2), Limits::default()).await;
    let request = "GET /slow HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n";
    let mut slow = served.send(request).await;
    served.begun.notified().await;
    let mut silent = Vec::new();
    for _ in 0..4 {
        silent.push(served.connect().await);
        assert!(served.get("/").await.ends_with("at once"));
    }
    served.go_on.notify_one();
    assert!(rest(&mut slow).await.ends_with("slow"));
}

#[tokio::test]
async fn half_a_header_is_not_waited_for() {
    let limits = Limits {
        header: Duration::from_millis(200),
        look: Duration::from_millis(20),
        ..Limits::default()
    };
    let served = Served::with(Places::new(9), limits).await;
    let half = "GET / HTTP/1.1\r\nhost: te";
    assert_eq!(rest(&mut served.send(half).await).await, "");
    // Also after a whole request, and by a client of HTTP/2.
    let mut client = served.send("GET / HTTP/1.1\r\nhost: test\r\n\r\n").await;
    until(&mut client, "at once").await;
    client.write_all(half.as_bytes()).await.unwrap();
    assert_eq!(rest(&mut client).await, "");
    let preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    rest_of_bytes(&mut served.send(preface).await).await;
}

async fn rest_of_bytes(client: &mut TcpStream) {
    let mut answer = Vec::new();
    let _ = timeout(PATIENCE, client.read_to_end(&mut answer))
        .await
        .expect("the server does not close the connection");
}

#[tokio::test]
async fn an_idle_connection_is_closed() {
    let limits = Limits {
        idle: Duration::from_millis(200),
        look: Duration::from_millis(20),
        ..Limits::default()
    };
    let served = Served::with(Places::new(9), limits).await;
    let mut client = served.send("GET / HTTP/1.1\r\nhost: test\r\n\r\n").await;
    assert!(rest(&mut client).await.ends_with("at once"));
}

#[tokio::test]
async fn a_stop_finishes_what_is_worked_on_and_waits_for_no_silent_client() {
    let served = Served::with(Places::new(9), Limits::default()).await;
    let mut silent = [
        served.connect().await,
        served.send("GET / HTTP/1.1\r\nho").await,
        served
            .send("POST /echo HTTP/1.1\r\nhost: t\r\ncontent-length: 9\r\n\r\n12")
            .await,
        served.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await,
    ];
    let mut slow = served
        .send("GET /slow HTTP/1.1\r\nhost: test\r\n\r\n")
        .await;
    served.begun.notified().await;
    served.stop.cancel();
    for client in &mut silent {
        rest_of_bytes(client).await;
    }
    assert!(!served.serving.is_finished());
    served.go_on.notify_one();
    assert!(rest(&mut slow).await.ends_with("slow"));
    let cut_off = timeout(PATIENCE, served.serving).await.unwrap().unwrap();
    assert_eq!(cut_off, 0);
}

#[tokio::test]
async fn a_stop_cuts_off_what_does_not_end_in_time() {
    let patience = Duration::from_millis(100);
    let served = Served::stopped_within(Places::new(9), Limits::default(), patience).await;
    let mut slow = served
        .send("GET /slow HTTP/1.1\r\nhost: test\r\n\r\n")
        .await;
    served.begun.notified().await;
    served.stop.cancel();
    assert_eq!(rest(&mut slow).await, "");
    assert_eq!(served.serving.await.unwrap(), 1);
}

#[tokio::test]
async fn an_answer_before_the_end_of_its_request_says_that_it_closes_the_connection() {
    let served = Served::with(Places::new(9), Limits::default()).await;
    let half = "POST /refused HTTP/1.1\r\nhost: t\r\ncontent-length: 900000\r\n\r\n12";
    let answer = rest(&mut served.send(half).await).await;
    assert!(answer.starts_with("HTTP/1.1 429"), "{answer}");
    assert!(answer.contains("connection: close\r\n"), "{answer}");

    // A request that has arrived leaves the connection as it was, whether its body was wanted or not.
    let whole = "POST /refused HTTP/1.1\r\nhost: t\r\ncontent-length: 2\r\n\r\n12";
    let mut client = served.send(whole).await;
    let answer = until(&mut client, "\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 429"), "{answer}");
    assert!(!answer.contains("connection"), "{answer}");
    let echo = "POST /echo HTTP/1.1\r\nhost: t\r\ncontent-length: 2\r\n\r\n12";
    client.write_all(echo.as_bytes()).await.unwrap();
    let answer = until(&mut client, "12").await;
    assert!(!answer.contains("connection"), "{answer}");
}

#[tokio::test]
async fn a_server_of_http2_alone_refuses_http1() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = Server::with_places(listener, Places::new(9), Limits::default()).http2_only();
    let router = Router::new().route("/", get(async || "at once"));
    tokio::spawn(server.serve(router, CancellationToken::new(), PATIENCE));
    let mut client = TcpStream::connect(address).await.unwrap();
    let request = b"GET / HTTP/1.1\r\nhost: test\r\n\r\n";
    client.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    let _ = client.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP/1.1 200"));
}
