//! The routes of the lab's HTTP API and, until there is a page, a plain list of traces.
//!
//! | route | answer |
//! | --- | --- |
//! | `GET /api/lab` | where everything of the lab listens |
//! | `POST /api/orders` | places orders, and waits until their traces can be read; its status is that of the shop |
//! | `GET`, `PUT`, `DELETE /api/faults` | the faults that are on for every request |
//! | `DELETE /api/faults/{name}` | switches one of them off |
//! | `GET /api/traces/{hex}` | a trace as OTLP/JSON |
//! | `GET /api/traces?service=&name=&min_duration=&error=&attribute=key=value&limit=` | summaries, newest first |
//! | `DELETE /api/traces` | forgets all traces |
//! | `DELETE /api/traces/{hex}` | forgets one, and says how many spans it had |
//! | `GET /api/stats` | what the sink has counted |
//! | `GET /healthz` | `ok` |
//! | `GET /`, `GET /traces/{hex}` | the list of traces and the waterfall of one, as HTML |
//!
//! [`sink_routes`] has the routes that need only a [`sink::Store`]; [`routes`] has all routes, for a lab with
//! a [`Shop`]. The documents are the types of `protocol`; errors are problem details (RFC 9457). This crate
//! does not know how spans get into the store, and knows nothing about scenarios.
//!
//! ```
//! let store = sink::Store::new(sink::Config::default());
//! let router: axum::Router = control::sink_routes(store);
//! ```

#![warn(clippy::missing_errors_doc)]

mod body;
mod documents;
mod html;
mod lab;
mod lab_faults;
mod order;
mod problem;
mod query;
mod shop;
mod traces;
mod whole_order;

pub use lab::{LabRequests, answer, routes};
pub use order::{OrderError, place_order};
pub use shop::{ExternalShop, Listens, Shop, describe};
pub use whole_order::whole_order;

use std::time::Duration;

use axum::{Router, routing::get};
use browser_guard::{AllowedHosts, guard};
use sink::Store;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// The routes that need only the traces in a store.
pub fn sink_routes(store: Store) -> Router {
    Router::new()
        .route("/", get(html::list))
        .route("/traces/{id}", get(html::trace))
        .route("/api/traces", get(traces::search).delete(traces::forget))
        .route(
            "/api/traces/{id}",
            get(traces::trace).delete(traces::forget_one),
        )
        .route("/api/stats", get(traces::stats))
        .route("/healthz", get(async || "ok\n"))
        .fallback(problem::no_such_page)
        .method_not_allowed_fallback(problem::no_such_method)
        .with_state(store)
}

/// The longest time for open requests to be answered after the shutdown.
const DRAIN: Duration = Duration::from_secs(5);

/// Serves the routes until `shutdown` is cancelled, and then for some seconds at most, to requests for addresses,
/// `localhost` and `hosts`. Pages of other sites change nothing.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    hosts: AllowedHosts,
    shutdown: CancellationToken,
) {
    let server = tcp::Server::new(listener);
    server.serve(guard(router, hosts), shutdown, DRAIN).await;
}
