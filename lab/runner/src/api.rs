//! What a running lab is asked over HTTP: where everything listens, and to place an order.
//!
//! The routes are made before the lab is started, since it serves them; what they ask is answered
//! by whoever has the lab.

use std::{collections::BTreeMap, num::NonZeroUsize, time::Duration};

use axum::{
    Json, Router,
    body::Bytes,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use futures::{StreamExt, stream::FuturesUnordered};
use page::Problem;
use serde::{Deserialize, Serialize};
use supervisor::{Lab, Part};
use tokio::sync::{mpsc, oneshot};

use crate::{
    order::{OrderError, Placed, place_order, whole_order},
    run::checkout_url,
};

/// How long an order's trace may take to be whole.
const PATIENCE: Duration = Duration::from_secs(5);

/// How many questions may wait.
const WAITING: usize = 64;

/// Where everything listens: the document that `tracelab up --format json` prints.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Described {
    /// Always true: there is no document before.
    pub ready: bool,
    /// The page and the lab's HTTP API.
    pub page: String,
    /// The sink, as OTLP/gRPC.
    pub otlp_grpc: String,
    /// The sink, as OTLP/HTTP.
    pub otlp_http: String,
    /// The broker.
    pub amqp: String,
    /// The services, and the broker if it is the embedded one.
    pub services: BTreeMap<String, DescribedProcess>,
}

/// A process of the lab.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DescribedProcess {
    /// Where it listens.
    pub url: String,
    /// Its process id; `null` while it is down.
    pub pid: Option<u32>,
}

/// What was asked and is not answered yet.
#[derive(Debug)]
pub struct Requests(mpsc::Receiver<Request>);

#[derive(Debug)]
enum Request {
    Describe(oneshot::Sender<Described>),
    Order {
        lines: NonZeroUsize,
        reply: oneshot::Sender<Result<Placed, OrderError>>,
    },
}

/// The body of `POST /api/orders`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    /// How many lines its cart has.
    #[serde(default = "three")]
    lines: NonZeroUsize,
}

/// The routes of the lab's HTTP API that need the lab itself.
pub fn routes() -> (Router, Requests) {
    let (ask, asked) = mpsc::channel(WAITING);
    let router = Router::new()
        .route("/api/lab", get(get_lab))
        .route("/api/orders", post(post_order))
        .with_state(ask);
    (router, Requests(asked))
}

/// Answers what is asked of a lab, side by side, until the routes are gone.
pub async fn answer(lab: &Lab, requests: &mut Requests) {
    let mut answers = FuturesUnordered::new();
    loop {
        tokio::select! {
            request = requests.0.recv() => match request {
                Some(request) => answers.push(answer_one(lab, request)),
                None => return,
            },
            Some(()) = answers.next() => {}
        }
    }
}

/// Where everything of a lab listens.
pub fn describe(lab: &Lab) -> Described {
    let addresses = lab.addresses().clone();
    let mut services: BTreeMap<String, DescribedProcess> = lab
        .services()
        .into_iter()
        .map(|service| {
            let process = DescribedProcess {
                url: service.url,
                pid: service.pid,
            };
            (service.part.name().to_owned(), process)
        })
        .collect();
    if lab.address(Part::Broker).is_some() {
        let process = DescribedProcess {
            url: addresses.amqp.clone(),
            pid: lab.pid(Part::Broker),
        };
        services.insert(Part::Broker.name().to_owned(), process);
    }
    Described {
        ready: true,
        page: addresses.page,
        otlp_grpc: addresses.otlp_grpc,
        otlp_http: addresses.otlp_http,
        amqp: addresses.amqp,
        services,
    }
}

async fn answer_one(lab: &Lab, request: Request) {
    // Whoever asked may be gone; then nobody needs the answer.
    match request {
        Request::Describe(reply) => drop(reply.send(describe(lab))),
        Request::Order { lines, reply } => drop(reply.send(order(lab, lines).await)),
    }
}

/// An order is answered when its trace can be read.
async fn order(lab: &Lab, lines: NonZeroUsize) -> Result<Placed, OrderError> {
    let placed = place_order(&checkout_url(lab), lines).await?;
    whole_order(lab.store(), placed.trace_id, PATIENCE, || async {
        drop(lab.flush().await)
    })
    .await;
    Ok(placed)
}

async fn get_lab(State(ask): State<mpsc::Sender<Request>>) -> Response {
    let (reply, answer) = oneshot::channel();
    match (ask.send(Request::Describe(reply)).await, answer.await) {
        (Ok(()), Ok(described)) => Json(described).into_response(),
        _ => stopping(),
    }
}

async fn post_order(State(ask): State<mpsc::Sender<Request>>, body: Bytes) -> Response {
    let order = match body.is_empty() {
        true => Ok(Order { lines: three() }),
        false => serde_json::from_slice::<Order>(&body),
    };
    let lines = match order {
        Ok(order) => order.lines,
        Err(error) => {
            let detail = format!("{error}; an order is {{\"lines\": N}}, with N of 1 or more");
            return Problem::bad_request(detail).into_response();
        }
    };
    let (reply, answer) = oneshot::channel();
    match (
        ask.send(Request::Order { lines, reply }).await,
        answer.await,
    ) {
        (Ok(()), Ok(Ok(placed))) => (StatusCode::CREATED, Json(placed)).into_response(),
        (Ok(()), Ok(Err(error))) => {
            Problem::new(StatusCode::BAD_GATEWAY, error.to_string()).into_response()
        }
        _ => stopping(),
    }
}

fn stopping() -> Response {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "the lab is being stopped").into_response()
}

fn three() -> NonZeroUsize {
    NonZeroUsize::new(3).expect("3 is not 0")
}
