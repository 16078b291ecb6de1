//! Faults that are switched on for all requests: a request that asks for no fault itself gets these.
//!
//! They are written into the `baggage` header before any other code reads it, so that a request cannot tell
//! whether it brought a fault itself. They come first: if the whole baggage exceeds its limits, members of
//! the request are dropped, not these.

use std::sync::Arc;

use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{delete, get},
};
use faults::Faults;
use parking_lot::RwLock;
use serde_json::Value;

use crate::{
    fault_switch::refusal,
    http::{self, Json, JsonText, Path},
};

const BAGGAGE: HeaderName = HeaderName::from_static("baggage");

/// The faults that are switched on for all requests.
#[derive(Clone, Debug, Default)]
pub struct StandingFaults(Arc<RwLock<Faults>>);

// === impl StandingFaults ===

impl StandingFaults {
    /// Wraps routes: each request that asks for no fault gets these.
    pub(crate) fn before(&self, router: Router) -> Router {
        router.layer(middleware::from_fn_with_state(self.clone(), add))
    }

    /// `GET`, `PUT` and `DELETE /lab/faults`, and `DELETE /lab/faults/{name}`.
    pub(crate) fn routes(&self) -> Router {
        Router::new()
            .route("/lab/faults", get(read).put(replace).delete(clear))
            .route("/lab/faults/{name}", delete(clear_one))
            .method_not_allowed_fallback(http::method_not_allowed)
            .with_state(self.clone())
    }

    fn now(&self) -> Faults {
        self.0.read().clone()
    }

    fn change<T>(&self, change: impl FnOnce(&mut Faults) -> T) -> T {
        change(&mut self.0.write())
    }
}

async fn add(State(standing): State<StandingFaults>, mut request: Request, next: Next) -> Response {
    let standing = standing.now();
    if !standing.is_empty() && !asks_for_one(&request) {
        let header = HeaderValue::try_from(standing.to_header());
        put_first(
            request.headers_mut(),
            header.expect("names and numbers make a header"),
        );
    }
    next.run(request).await
}

/// Puts a header before the existing baggage: a propagator drops members beyond the limits from the end.
fn put_first(headers: &mut HeaderMap, first: HeaderValue) {
    let own: Vec<HeaderValue> = headers.get_all(BAGGAGE).iter().cloned().collect();
    headers.insert(BAGGAGE, first);
    for header in own {
        headers.append(BAGGAGE, header);
    }
}

/// Whether a request asks for a fault, even for one that will be refused.
fn asks_for_one(request: &Request) -> bool {
    request.headers().get_all(BAGGAGE).iter().any(|header| {
        let header = String::from_utf8_lossy(header.as_bytes());
        header.split(',').any(faults::is_of_a_fault)
    })
}

async fn read(State(standing): State<StandingFaults>) -> Json<Value> {
    Json(standing.now().to_json())
}

async fn replace(State(standing): State<StandingFaults>, JsonText(body): JsonText) -> Response {
    match Faults::from_json_text(&body) {
        Ok(faults) => {
            standing.change(|standing| *standing = faults);
            read(State(standing)).await.into_response()
        }
        Err(error) => refusal(&error).into_response(),
    }
}

async fn clear(State(standing): State<StandingFaults>) -> Json<Value> {
    standing.change(|standing| *standing = Faults::NONE);
    read(State(standing)).await
}

async fn clear_one(State(standing): State<StandingFaults>, Path(name): Path<String>) -> Response {
    match faults::find(&name) {
        Ok(fault) => {
            standing.change(|standing| standing.remove(fault));
            read(State(standing)).await.into_response()
        }
        Err(error) => refusal(&error).into_response(),
    }
}
