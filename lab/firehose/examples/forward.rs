//! Passes OTLP/HTTP requests on as they come, after some work on each: a system under test whose cost is known. Each pass
//! reads every byte of a request once, one after the other, and needs about 1 ns for it.
//!
//! ```text
//! tracelab bench ab --protocol http --sut 'forward --listen {in_http} --to {out} --passes 10' \
//!                                   --with 'forward --listen {in_http} --to {out} --passes 11'
//! ```

use std::{hint::black_box, net::SocketAddr, sync::Arc};

use anyhow::Context;
use axum::{Router, body::Body, extract::State, http::StatusCode, routing};
use bytes::Bytes;
use clap::Parser;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Mutex,
};

/// Pass OTLP/HTTP requests on, after some work on each.
#[derive(Parser)]
struct Args {
    /// The address to listen on.
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: SocketAddr,

    /// Where to pass the requests on to.
    #[arg(long, value_name = "HOST:PORT")]
    to: String,

    /// How often each byte is read.
    #[arg(long, value_name = "N", default_value_t = 10)]
    passes: u32,
}

struct Forward {
    to: String,
    passes: u32,
    /// The connection, if there is one: it has one request at a time.
    connection: Mutex<Option<SendRequest<Full<Bytes>>>>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let listener = TcpListener::bind(args.listen).await;
    let listener = listener.with_context(|| format!("{} (--listen)", args.listen))?;
    let forward = Forward {
        to: args.to,
        passes: args.passes,
        connection: Mutex::new(None),
    };
    let routes = Router::new()
        .route("/v1/traces", routing::post(pass))
        .layer(axum::extract::DefaultBodyLimit::disable())
        .with_state(Arc::new(forward));
    Ok(axum::serve(listener, routes).await?)
}

async fn pass(State(forward): State<Arc<Forward>>, body: Bytes) -> (StatusCode, Body) {
    for _ in 0..forward.passes {
        // FNV-1a: each byte waits for the one before.
        let read =
            |digest: u64, byte: &u8| (digest ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
        black_box(black_box(&body).iter().fold(0xcbf2_9ce4_8422_2325, read));
    }
    match forward.send(body).await {
        Ok(status) => (status, Body::empty()),
        // It may be sent again.
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, Body::from(why.to_string())),
    }
}

// === impl Forward ===

impl Forward {
    async fn send(&self, body: Bytes) -> anyhow::Result<StatusCode> {
        let mut connection = self.connection.lock().await;
        let mut sender = match connection.take() {
            Some(sender) if !sender.is_closed() => sender,
            _ => {
                let stream = TcpStream::connect(&self.to).await?;
                stream.set_nodelay(true)?;
                let (sender, driver) = handshake(TokioIo::new(stream)).await?;
                tokio::spawn(driver);
                sender
            }
        };
        sender.ready().await?;
        let request = hyper::Request::post("/v1/traces")
            .header("host", &self.to)
            .header("content-type", "application/x-protobuf")
            .body(Full::new(body))?;
        let response = sender.send_request(request).await?;
        let status = response.status();
        response.into_body().collect().await?;
        *connection = Some(sender);
        Ok(status)
    }
}
