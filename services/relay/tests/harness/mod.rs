//! Asks a real relay to call back, as the public suite does, and records the headers of the calls.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use axum::{Router, extract::State, http::HeaderMap, routing::post};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_util::sync::CancellationToken;

use crate::silent_telemetry::silent_telemetry;

/// A relay on a free port, and the server that it calls.
pub(crate) struct Harness {
    relay: SocketAddr,
    callee: SocketAddr,
    calls: Calls,
}

type Calls = Arc<Mutex<Vec<(HeaderMap, String)>>>;

/// The headers and the body of one call back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Carried {
    /// The trace id of its one valid `traceparent`.
    pub(crate) trace_id: String,
    pub(crate) parent_id: String,
    pub(crate) flags: String,
    /// The values of all `tracestate` headers.
    pub(crate) tracestate: Vec<String>,
    /// The values of all `baggage` headers.
    pub(crate) baggage: Vec<String>,
    /// The body.
    pub(crate) body: String,
}

/// The relay's own reply.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// The head of the reply, as it was received.
    pub(crate) head: String,
    pub(crate) body: String,
}

// === impl Harness ===

impl Harness {
    pub(crate) async fn start() -> Self {
        let calls = Calls::default();
        let callee = Router::new()
            .route("/{call}", post(keep))
            .with_state(Arc::clone(&calls));
        let listener = free_port().await;
        let callee_address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, callee).await });

        let listener = free_port().await;
        let relay = listener.local_addr().unwrap();
        tokio::spawn(relay::run(
            listener,
            "relay".parse().unwrap(),
            silent_telemetry(),
            CancellationToken::new(),
        ));
        Harness {
            relay,
            callee: callee_address,
            calls,
        }
    }

    /// Makes the relay call back once, in the context of these headers.
    pub(crate) async fn call_back(&self, headers: &[(&str, &str)]) -> Carried {
        let mut carried = self.call_back_times(1, headers).await;
        carried.remove(0)
    }

    /// Makes the relay call back several times within one request.
    pub(crate) async fn call_back_times(
        &self,
        times: usize,
        headers: &[(&str, &str)],
    ) -> Vec<Carried> {
        let calls = (0..times).map(|call| json!({ "url": self.url(call), "arguments": [call] }));
        let body = Value::Array(calls.collect()).to_string();
        let reply = self.post("/", headers, &body).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        let calls = std::mem::take(&mut *self.calls.lock().unwrap());
        assert_eq!(calls.len(), times, "{headers:?}: {reply:?}");
        calls.into_iter().map(Carried::of).collect()
    }

    pub(crate) fn url(&self, call: usize) -> String {
        format!("http://{}/{call}", self.callee)
    }

    /// Posts to the relay over a plain socket, because no HTTP client would send some of these headers.
    pub(crate) async fn post(&self, path: &str, headers: &[(&str, &str)], body: &str) -> Reply {
        let mut request = format!("POST {path} HTTP/1.1\r\nhost: relay\r\nconnection: close\r\n");
        for (name, value) in headers {
            request += &format!("{name}:{value}\r\n");
        }
        let length = body.len();
        request += &format!("content-type: application/json\r\ncontent-length: {length}\r\n\r\n");
        request += body;

        let mut connection = TcpStream::connect(self.relay).await.unwrap();
        connection.write_all(request.as_bytes()).await.unwrap();
        let mut reply = String::new();
        connection.read_to_string(&mut reply).await.unwrap();
        let (head, body) = reply.split_once("\r\n\r\n").expect("a reply has a head");
        let status = head
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok());
        Reply {
            status: status.expect("a reply has a status"),
            head: head.to_owned(),
            body: body.to_owned(),
        }
    }
}

// === impl Carried ===

impl Carried {
    fn of((headers, body): (HeaderMap, String)) -> Self {
        let all = |name: &str| -> Vec<String> {
            let values = headers.get_all(name).iter();
            values
                .map(|value| value.to_str().unwrap().to_owned())
                .collect()
        };
        let traceparents = all("traceparent");
        assert_eq!(
            traceparents.len(),
            1,
            "one traceparent is sent: {traceparents:?}"
        );
        let parts: Vec<_> = traceparents[0].split('-').collect();
        let lengths: Vec<_> = parts.iter().map(|part| part.len()).collect();
        assert_eq!(lengths, [2, 32, 16, 2], "{traceparents:?}");
        assert_eq!(parts[0], "00", "{traceparents:?}");
        for part in &parts {
            let digits = part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
            assert!(digits, "{traceparents:?}");
        }
        Carried {
            trace_id: parts[1].to_owned(),
            parent_id: parts[2].to_owned(),
            flags: parts[3].to_owned(),
            tracestate: all("tracestate"),
            baggage: all("baggage"),
            body,
        }
    }
}

async fn keep(State(calls): State<Calls>, headers: HeaderMap, body: String) {
    calls.lock().unwrap().push((headers, body));
}

async fn free_port() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}
