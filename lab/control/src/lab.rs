//! The routes that need the lab itself: its description, orders, and the faults of every request.
//!
//! Requests go over a channel to the task that owns the lab. So the lab can be stopped while its page still
//! answers.

use std::time::Duration;

use axum::{
    Json, Router,
    extract::{Path, State, rejection::PathRejection},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::{delete, get, post},
};
use faults::Faults;
use futures::{StreamExt, stream::FuturesUnordered};
use protocol::{LabDescription, MAX_ORDERS, OrderRequest, PlacedOrders, ProblemDetails};
use serde_json::json;
use sink::Store;
use tokio::sync::{Mutex, mpsc, oneshot};

use crate::{
    body::JsonText,
    lab_faults::{FaultChange, LabFaults, LabFaultsError},
    order::{OrderError, place_orders},
    problem::{Problem, no_such_method},
    shop::Shop,
    sink_routes,
    whole_order::whole_order,
};

/// The longest wait until the trace of an order is whole.
const PATIENCE: Duration = Duration::from_secs(5);

/// The time between two checks whether checkout was restarted and has lost its faults.
const POLL_INTERVAL: Duration = Duration::from_millis(250);

/// The highest number of requests that wait for the lab's task.
const MAX_WAITING: usize = 64;

/// The requests that wait for the lab's task; see [`answer`].
#[derive(Debug)]
pub struct LabRequests(mpsc::Receiver<Request>);

#[derive(Debug)]
enum Request {
    Describe(oneshot::Sender<LabDescription>),
    Order {
        order: OrderRequest,
        reply: oneshot::Sender<Result<PlacedOrders, OrderError>>,
    },
    Faults {
        change: FaultChange,
        reply: oneshot::Sender<Result<Faults, LabFaultsError>>,
    },
}

/// All routes of a lab whose sink is `store`. The routes that need the shop wait for [`answer`]; once the
/// requests are dropped, these routes answer with 503.
pub fn routes(store: Store) -> (Router, LabRequests) {
    let (sender, receiver) = mpsc::channel(MAX_WAITING);
    let lab = Router::new()
        .route("/api/lab", get(get_lab))
        .route("/api/orders", post(post_order))
        .route(
            "/api/faults",
            get(get_faults).put(put_faults).delete(delete_faults),
        )
        .route("/api/faults/{name}", delete(delete_fault))
        .method_not_allowed_fallback(no_such_method)
        .with_state(sender);
    (sink_routes(store).merge(lab), LabRequests(receiver))
}

/// Answers the requests about a lab, concurrently, until its routes are gone.
pub async fn answer(shop: Shop<'_>, requests: &mut LabRequests) {
    let faults = Mutex::new(LabFaults::of(shop));
    // The restore runs beside the answers, since an answer may hold the lock that it waits for.
    tokio::select! {
        () = answer_all(shop, requests, &faults) => {}
        () = keep_faults(shop, &faults) => {}
    }
}

async fn answer_all(shop: Shop<'_>, requests: &mut LabRequests, faults: &Mutex<LabFaults>) {
    let mut answers = FuturesUnordered::new();
    loop {
        tokio::select! {
            request = requests.0.recv() => match request {
                Some(request) => answers.push(answer_one(shop, request, faults)),
                None => return,
            },
            Some(()) = answers.next() => {}
        }
    }
}

/// Gives checkout its faults again after each restart.
async fn keep_faults(shop: Shop<'_>, faults: &Mutex<LabFaults>) {
    let mut ticks = tokio::time::interval(POLL_INTERVAL);
    loop {
        ticks.tick().await;
        faults.lock().await.restore(shop).await;
    }
}

async fn answer_one(shop: Shop<'_>, request: Request, faults: &Mutex<LabFaults>) {
    // The client may be gone; then the answer is dropped.
    match request {
        Request::Describe(reply) => drop(reply.send(shop.describe())),
        Request::Order { order, reply } => {
            drop(reply.send(place_and_wait(shop, order).await));
        }
        Request::Faults { change, reply } => {
            drop(reply.send(faults.lock().await.change(shop, change).await));
        }
    }
}

/// Places orders, and waits until their traces can be read. It does not wait if the traces go to another
/// receiver.
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

/// Sends a request to the lab's task and waits for its answer; `None` once the task takes no more requests.
async fn ask<T>(
    lab: &mpsc::Sender<Request>,
    request: impl FnOnce(oneshot::Sender<T>) -> Request,
) -> Option<T> {
    let (reply, answer) = oneshot::channel();
    // A request that cannot be sent comes back with `reply`, and must be dropped: the answer would be awaited for ever.
    lab.send(request(reply)).await.ok()?;
    answer.await.ok()
}

async fn get_lab(State(lab): State<mpsc::Sender<Request>>) -> Response {
    match ask(&lab, Request::Describe).await {
        Some(described) => Json(described).into_response(),
        None => stopping(),
    }
}

async fn post_order(
    State(lab): State<mpsc::Sender<Request>>,
    JsonText(body): JsonText,
) -> Response {
    let order = match body.is_empty() {
        true => Ok(OrderRequest::default()),
        false => serde_json::from_slice::<OrderRequest>(&body),
    };
    let order = match order {
        Ok(order) => order,
        Err(error) => {
            let detail = format!(
                "{error}; an order is {{\"lines\": N, \"orders\": N, \"faults\": {{NAME: {{…}}}}}}, with N of 1 or more"
            );
            return Problem::bad_request(detail).into_response();
        }
    };
    if order.orders.is_some_and(|orders| orders.get() > MAX_ORDERS) {
        let detail = format!("at most {MAX_ORDERS} orders are placed at once; more is a load");
        return Problem::bad_request(detail).into_response();
    }
    match ask(&lab, |reply| Request::Order { order, reply }).await {
        Some(Ok(placed)) => placed_orders(placed),
        Some(Err(error)) if error.is_of_input() => {
            Problem::bad_request(error.to_string()).into_response()
        }
        Some(Err(error)) => {
            Problem::new(StatusCode::BAD_GATEWAY, error.to_string()).into_response()
        }
        None => stopping(),
    }
}

/// Answers with the status of the shop. Of a refused order the document is a problem, too: the members of
/// [`PlacedOrders`] are its extensions (RFC 9457, section 3.2), and `status` means the same in both.
fn placed_orders(placed: PlacedOrders) -> Response {
    let status = StatusCode::from_u16(placed.order.status).unwrap_or(StatusCode::BAD_GATEWAY);
    if status.is_success() {
        return (status, Json(placed)).into_response();
    }
    let trace = placed.order.trace_id;
    let problem = ProblemDetails {
        kind: "about:blank".to_owned(),
        title: status.canonical_reason().map(str::to_owned),
        status: status.as_u16(),
        detail: format!(
            "the shop answered the order with {status}; its trace is at /api/traces/{trace}"
        ),
    };
    let mut document = json!(problem);
    if let (Some(document), Some(placed)) = (document.as_object_mut(), json!(placed).as_object()) {
        document.extend(placed.clone());
    }
    let content_type = [(header::CONTENT_TYPE, "application/problem+json")];
    (status, content_type, Json(document)).into_response()
}

async fn get_faults(State(lab): State<mpsc::Sender<Request>>) -> Response {
    change_faults(lab, FaultChange::Read).await
}

async fn put_faults(
    State(lab): State<mpsc::Sender<Request>>,
    JsonText(body): JsonText,
) -> Response {
    match Faults::from_json_text(&body) {
        Ok(faults) => change_faults(lab, FaultChange::Replace(faults)).await,
        Err(error) => Problem::bad_request(error.to_string()).into_response(),
    }
}

async fn delete_faults(State(lab): State<mpsc::Sender<Request>>) -> Response {
    change_faults(lab, FaultChange::Replace(Faults::NONE)).await
}

async fn delete_fault(
    State(lab): State<mpsc::Sender<Request>>,
    name: Result<Path<String>, PathRejection>,
) -> Response {
    let Path(name) = match name {
        Ok(name) => name,
        Err(rejection) => return Problem::bad_request(rejection.body_text()).into_response(),
    };
    match faults::find(&name) {
        Ok(fault) => change_faults(lab, FaultChange::Remove(fault)).await,
        Err(error) => Problem::bad_request(error.to_string()).into_response(),
    }
}

async fn change_faults(lab: mpsc::Sender<Request>, change: FaultChange) -> Response {
    match ask(&lab, |reply| Request::Faults { change, reply }).await {
        Some(Ok(faults)) => Json(faults.to_json()).into_response(),
        Some(Err(error @ LabFaultsError::Lacking { .. })) => {
            Problem::bad_request(error.to_string()).into_response()
        }
        Some(Err(error)) => {
            Problem::new(StatusCode::BAD_GATEWAY, error.to_string()).into_response()
        }
        None => stopping(),
    }
}

fn stopping() -> Response {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "the lab is being stopped").into_response()
}
