#!/usr/bin/env bash
# hyper 1.12.0: `header_read_timeout` of an HTTP/1 server, which its documentation calls the time in which a client must
# transmit all headers of a request, also ends connections on which no request has begun: a keep-alive connection
# that had its answer and waits for the next request is closed after that time.
#
# The timer starts when the server waits for a request, not with the first byte of one.
#
# Seen: with a limit of one second, a client that sends nothing after its answer reads the end of the connection within
# a few seconds.
# Consequence for a user: a limit for slow headers is the limit for idle connections, too. A server that wants a
# longer one for these must count both itself.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
mkdir src
cat >Cargo.toml <<'END_TOML'
[package]
name = "look"
version = "0.0.0"
edition = "2024"

[dependencies]
http-body-util = "0.1"
hyper = { version = "=1.12.0", features = ["http1", "server"] }
hyper-util = { version = "0.1", features = ["tokio"] }
tokio = { version = "1", features = ["io-util", "macros", "net", "rt", "time"] }

[workspace]
END_TOML
cat >src/main.rs <<'END_RS'
use http_body_util::Full;
use hyper::{Response, body::Bytes, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::{convert::Infallible, time::Duration};
use tokio::{io::{AsyncReadExt, AsyncWriteExt}, net::{TcpListener, TcpStream}, time::timeout};

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    tokio::spawn(async move {
        let (connection, _) = listener.accept().await.expect("a client comes");
        let answer = service_fn(|_| async { Ok::<_, Infallible>(Response::new(Full::new(Bytes::from("good day")))) });
        let _ = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(Duration::from_secs(1))
            .serve_connection(TokioIo::new(connection), answer)
            .await;
    });
    let mut client = TcpStream::connect(address).await.expect("the server listens");
    client.write_all(b"GET / HTTP/1.1\r\nHost: look\r\n\r\n").await.expect("the request is sent");
    let mut answer = Vec::new();
    while !answer.ends_with(b"good day") {
        client.read_buf(&mut answer).await.expect("the answer comes");
    }
    let kept = !String::from_utf8_lossy(&answer).to_lowercase().contains("connection: close");
    // Nothing more is sent: the connection is idle, and no header has begun.
    let ended = timeout(Duration::from_secs(20), client.read_buf(&mut answer)).await;
    println!("{kept} {}", matches!(ended, Ok(Ok(0))));
}
END_RS
seen=$(CARGO_TARGET_DIR="$folder/target" cargo run --quiet)

if [ "$seen" = "true true" ]; then
  echo "hyper 1.12.0: header_read_timeout also ends an idle keep-alive connection"
else
  printf 'it is no longer so: whether the connection was kept, and then ended: %s\n' "$seen" >&2
  exit 1
fi
