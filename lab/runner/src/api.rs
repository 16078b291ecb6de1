//! What a running lab is asked over HTTP: where everything listens, and to place an order.
//!
//! The routes are made before the lab is started, since it serves them; what they ask is answered
//! by whoever has the lab.

use std::{num::NonZeroUsize, time::Duration};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use faults::Faults;
use futures::{StreamExt, stream::FuturesUnordered};
use page::Problem;
use serde::Deserialize;
use tokio::sync::{Mutex, mpsc, oneshot};

use crate::{
    described::Described,
    order::{MOST_ORDERS, OrderError, OrderRequest, PlacedOrders, place_orders, whole_order},
    shop::Shop,
    standing::{Change, Standing, StandingError},
};

/// How long an order's trace may take to be whole.
const PATIENCE: Duration = Duration::from_secs(5);

/// How often it is looked whether checkout was started anew and has forgotten its faults.
const LOOK: Duration = Duration::from_millis(250);

/// How many questions may wait.
const WAITING: usize = 64;

/// What was asked and is not answered yet.
#[derive(Debug)]
pub struct Requests(mpsc::Receiver<Request>);

#[derive(Debug)]
enum Request {
    Describe(oneshot::Sender<Described>),
    Order {
        order: OrderRequest,
        reply: oneshot::Sender<Result<PlacedOrders, OrderError>>,
    },
    Faults {
        change: Change,
        reply: oneshot::Sender<Result<Faults, StandingError>>,
    },
}

/// The body of `POST /api/orders`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    /// How many lines its cart has; as many as its faults need, and else three.
    lines: Option<NonZeroUsize>,
    /// How many such orders are placed at once; as many as its faults need.
    orders: Option<NonZeroUsize>,
    /// Which faults are switched on for it: a key a fault, whose value is an object of parameters.
    faults: Option<Faults>,
}

/// The routes of the lab's HTTP API that need the lab itself.
pub fn routes() -> (Router, Requests) {
    let (ask, asked) = mpsc::channel(WAITING);
    let router = Router::new()
        .route("/api/lab", get(get_lab))
        .route("/api/orders", post(post_order))
        .route(
            "/api/faults",
            get(get_faults).put(put_faults).delete(delete_faults),
        )
        .route("/api/faults/{name}", axum::routing::delete(delete_fault))
        .with_state(ask);
    (router, Requests(asked))
}

/// Answers what is asked of a shop's lab, side by side, until the routes are gone.
pub async fn answer(shop: Shop<'_>, requests: &mut Requests) {
    let standing = Mutex::new(Standing::of(shop));
    // Polled beside the answers: some of them may hold the lock that it waits for.
    tokio::select! {
        () = answer_all(shop, requests, &standing) => {}
        () = keep_standing(shop, &standing) => {}
    }
}

async fn answer_all(shop: Shop<'_>, requests: &mut Requests, standing: &Mutex<Standing>) {
    let mut answers = FuturesUnordered::new();
    loop {
        tokio::select! {
            request = requests.0.recv() => match request {
                Some(request) => answers.push(answer_one(shop, request, standing)),
                None => return,
            },
            Some(()) = answers.next() => {}
        }
    }
}

/// Tells checkout its faults again whenever it was started anew.
async fn keep_standing(shop: Shop<'_>, standing: &Mutex<Standing>) {
    let mut looks = tokio::time::interval(LOOK);
    loop {
        looks.tick().await;
        standing.lock().await.put_back(shop).await;
    }
}

async fn answer_one(shop: Shop<'_>, request: Request, standing: &Mutex<Standing>) {
    // Whoever asked may be gone; then nobody needs the answer.
    match request {
        Request::Describe(reply) => drop(reply.send(shop.describe())),
        Request::Order { order, reply } => {
            drop(reply.send(place_and_wait(shop, order).await));
        }
        Request::Faults { change, reply } => {
            drop(reply.send(standing.lock().await.change(shop, change).await));
        }
    }
}

/// Orders are answered when their traces can be read, if they ever can.
async fn place_and_wait(shop: Shop<'_>, order: OrderRequest) -> Result<PlacedOrders, OrderError> {
    let checkout = shop.checkout();
    place_orders(&checkout, order, async |trace_id, rest| {
        match shop.exports_to() {
            Some(_) => Vec::new(),
            None => whole_order(shop.store(), trace_id, rest, PATIENCE, || shop.flush()).await,
        }
    })
    .await
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
        true => Ok(Order::default()),
        false => serde_json::from_slice::<Order>(&body),
    };
    let Order {
        lines,
        orders,
        faults,
    } = match order {
        Ok(order) => order,
        Err(error) => {
            let detail = format!(
                "{error}; an order is {{\"lines\": N, \"orders\": N, \"faults\": {{NAME: {{…}}}}}}, with N of 1 or more"
            );
            return Problem::bad_request(detail).into_response();
        }
    };
    if orders.is_some_and(|orders| orders.get() > MOST_ORDERS) {
        let detail = format!("at most {MOST_ORDERS} orders are placed at once; more is a load");
        return Problem::bad_request(detail).into_response();
    }
    let (reply, answer) = oneshot::channel();
    match (
        ask.send(Request::Order {
            order: OrderRequest {
                lines,
                orders,
                faults: faults.unwrap_or_default(),
            },
            reply,
        })
        .await,
        answer.await,
    ) {
        (Ok(()), Ok(Ok(placed))) => (StatusCode::CREATED, Json(placed)).into_response(),
        (Ok(()), Ok(Err(error))) if error.is_of_input() => {
            Problem::bad_request(error.to_string()).into_response()
        }
        (Ok(()), Ok(Err(error))) => {
            Problem::new(StatusCode::BAD_GATEWAY, error.to_string()).into_response()
        }
        _ => stopping(),
    }
}

async fn get_faults(State(ask): State<mpsc::Sender<Request>>) -> Response {
    change_faults(ask, Change::Nothing).await
}

async fn put_faults(State(ask): State<mpsc::Sender<Request>>, body: Bytes) -> Response {
    match Faults::from_json_text(&body) {
        Ok(faults) => change_faults(ask, Change::All(faults)).await,
        Err(error) => Problem::bad_request(error.to_string()).into_response(),
    }
}

async fn delete_faults(State(ask): State<mpsc::Sender<Request>>) -> Response {
    change_faults(ask, Change::All(Faults::NONE)).await
}

async fn delete_fault(
    State(ask): State<mpsc::Sender<Request>>,
    Path(name): Path<String>,
) -> Response {
    match faults::find(&name) {
        Ok(fault) => change_faults(ask, Change::Without(fault)).await,
        Err(error) => Problem::bad_request(error.to_string()).into_response(),
    }
}

async fn change_faults(ask: mpsc::Sender<Request>, change: Change) -> Response {
    let (reply, answer) = oneshot::channel();
    match (
        ask.send(Request::Faults { change, reply }).await,
        answer.await,
    ) {
        (Ok(()), Ok(Ok(faults))) => Json(faults.to_json()).into_response(),
        (Ok(()), Ok(Err(error @ StandingError::Lacking { .. }))) => {
            Problem::bad_request(error.to_string()).into_response()
        }
        (Ok(()), Ok(Err(error))) => {
            Problem::new(StatusCode::BAD_GATEWAY, error.to_string()).into_response()
        }
        _ => stopping(),
    }
}

fn stopping() -> Response {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "the lab is being stopped").into_response()
}
