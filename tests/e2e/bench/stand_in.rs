//! Systems under test that do one thing: on a listener of this process, or as a program of their own, which is this test
//! program itself, told so by variables.

use std::{
    io::{Read, Write},
    os::unix::process::parent_id,
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};

/// What it does.
#[derive(Clone, Copy, Debug)]
pub(super) enum StandIn {
    /// It answers by a protocol of another kind.
    Garbage,
    /// It accepts connections, and answers nothing.
    Silent,
    /// It answers UNAVAILABLE to each gRPC call.
    Unavailable,
    /// It answers 503 to each request.
    Busy,
    /// It answers 400 to each request.
    Refuses,
    /// It accepts all spans, and sends none on.
    Swallows,
    /// It sends on what it accepts, and spans of its own.
    Invents,
    /// It sends on what it accepts.
    Relays,
    /// It ends at its first request, with exit code 7.
    Dies,
}

const ALL: [StandIn; 9] = [
    StandIn::Garbage,
    StandIn::Silent,
    StandIn::Unavailable,
    StandIn::Busy,
    StandIn::Refuses,
    StandIn::Swallows,
    StandIn::Invents,
    StandIn::Relays,
    StandIn::Dies,
];

// === impl StandIn ===

impl StandIn {
    /// The command line of such a system, for --sut. It receives at `listens`, which is a placeholder.
    pub(super) fn command_line(self, listens: &str) -> String {
        let program = std::env::current_exe().unwrap();
        format!(
            "STAND_IN={self:?} STAND_IN_LISTENS={listens} STAND_IN_OUT={{out}} '{}' --exact bench::stand_in::listens --nocapture",
            program.display()
        )
    }

    /// Such a system in this process, until the test ends; returns its address.
    pub(super) async fn start(self) -> String {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        tokio::spawn(self.serve(listener, String::new()));
        address
    }

    async fn serve(self, listener: std::net::TcpListener, out: String) {
        if let StandIn::Garbage | StandIn::Silent = self {
            // The threads end with the process.
            std::thread::spawn(move || self.answer_no_http(&listener));
            return std::future::pending().await;
        }
        listener.set_nonblocking(true).unwrap();
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        let answer = move |body: Bytes| self.answer(body, out.clone());
        let routes = Router::new()
            .fallback(answer)
            .layer(axum::extract::DefaultBodyLimit::disable());
        axum::serve(listener, routes).await.unwrap();
    }

    fn answer_no_http(self, listener: &std::net::TcpListener) {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            std::thread::spawn(move || {
                if let StandIn::Garbage = self {
                    // The client may be gone.
                    let _ = connection.write_all(b"220 mail.example.org ESMTP\r\n");
                }
                let mut taken = [0; 4096];
                while matches!(connection.read(&mut taken), Ok(1..)) {}
            });
        }
    }

    async fn answer(self, body: Bytes, out: String) -> Response {
        match self {
            StandIn::Garbage | StandIn::Silent => unreachable!("they speak no HTTP"),
            StandIn::Unavailable => [
                (header::CONTENT_TYPE.as_str(), "application/grpc"),
                ("grpc-status", "14"),
            ]
            .into_response(),
            StandIn::Busy => StatusCode::SERVICE_UNAVAILABLE.into_response(),
            StandIn::Refuses => (StatusCode::BAD_REQUEST, "no traces here").into_response(),
            StandIn::Swallows => StatusCode::OK.into_response(),
            StandIn::Dies => std::process::exit(7),
            StandIn::Invents => {
                let own = trace::otlp::to_protobuf(&firehose::typical());
                post(&out, own.into()).await;
                post(&out, body).await;
                StatusCode::OK.into_response()
            }
            StandIn::Relays => {
                post(&out, body).await;
                mark();
                StatusCode::OK.into_response()
            }
        }
    }
}

/// Makes the file that says that a request has come, if the command line names one.
fn mark() {
    if let Some(file) = std::env::var_os("STAND_IN_MARK") {
        std::fs::write(file, "").unwrap();
    }
}

async fn post(to: &str, body: Bytes) {
    let post = reqwest::Client::new()
        .post(format!("http://{to}/v1/traces"))
        .header(header::CONTENT_TYPE, "application/x-protobuf")
        .body(body);
    post.send().await.unwrap().error_for_status().unwrap();
}

/// Not a test of its own: the program of [`StandIn::command_line`].
#[tokio::test]
async fn listens() {
    let variable = |name: &str| std::env::var(name).unwrap_or_default();
    let Some(stand_in) = ALL
        .into_iter()
        .find(|stand_in| format!("{stand_in:?}") == variable("STAND_IN"))
    else {
        return;
    };
    let parent = parent_id();
    eprintln!("this is {stand_in:?}");
    let listener = std::net::TcpListener::bind(variable("STAND_IN_LISTENS")).unwrap();
    tokio::spawn(stand_in.serve(listener, variable("STAND_IN_OUT")));
    while parent_id() == parent {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
