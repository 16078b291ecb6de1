//! Keeps pages of other sites, which a browser on this machine shows, from reading and changing a server.
//!
//! A server that listens on loopback has no password, and the browser of its user reaches it. A page of another site
//! can send requests to it, and with a name of its own that it points at 127.0.0.1 (DNS rebinding) it could read the
//! answers, too. So [`guard`]
//!
//! - answers only to names that are the server's own: addresses, `localhost`, and [`AllowedHosts`];
//! - lets a page of another site change nothing: it refuses every method but GET, HEAD and OPTIONS from there;
//! - forbids browsers to guess the type of an answer, and to show a page of the server inside of another page.
//!
//! A program that is no browser sends no `Origin` and is only bound to the names. This crate knows neither the shop
//! nor the lab; both put it before their routes. It is not for OTLP receivers, which are reached by any name.
//!
//! ```
//! use axum::{Router, routing::get};
//! use browser_guard::{AllowedHosts, guard};
//!
//! let hosts: AllowedHosts = "checkout,lab.example".parse()?;
//! let router: Router = guard(Router::new().route("/", get(async || "good day")), hosts);
//! # Ok::<(), browser_guard::HostNameError>(())
//! ```

#![warn(clippy::missing_errors_doc)]

mod check;
mod hosts;

pub use hosts::{AllowedHosts, HostArgs, HostNameError};

use api::Problem;
use axum::{
    Router,
    extract::{Request, State},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, header};

/// Puts the guard before all routes of a router, also before its fallbacks.
pub fn guard(router: Router, hosts: AllowedHosts) -> Router {
    router.layer(middleware::from_fn_with_state(hosts, answer))
}

async fn answer(State(hosts): State<AllowedHosts>, request: Request, next: Next) -> Response {
    let mut response = match check::request(&request, &hosts) {
        Ok(()) => next.run(request).await,
        Err(problem) => refusal(&problem),
    };
    protect(response.headers_mut());
    response
}

/// Adds the headers for browsers. A policy that the answer has already stays; a browser obeys both.
fn protect(headers: &mut HeaderMap) {
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    let is_html = headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    if is_html {
        headers.append(
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static("frame-ancestors 'none'"),
        );
    }
}

fn refusal(problem: &Problem) -> Response {
    let body = serde_json::to_vec(problem).expect("strings and a number are JSON");
    let media_type = HeaderValue::from_static(Problem::MEDIA_TYPE);
    (problem.status, [(header::CONTENT_TYPE, media_type)], body).into_response()
}
