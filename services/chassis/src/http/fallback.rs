//! The replies of a router to a request for which it has no route.

use api::Problem;
use axum::http::{Method, StatusCode, Uri};

use super::refusal::Refusal;

/// For [`axum::Router::fallback`]: 404, nothing is at this address.
pub async fn not_found(uri: Uri) -> Refusal {
    Refusal(
        Problem::new(
            StatusCode::NOT_FOUND,
            "not-found",
            "There is nothing at this address",
        )
        .detail(format!("No resource of this service is at {}.", uri.path())),
    )
}

/// For [`axum::Router::method_not_allowed_fallback`]: 405, the address exists but does not take this method.
/// axum adds the `Allow` header with the methods that it takes.
pub async fn method_not_allowed(method: Method, uri: Uri) -> Refusal {
    Refusal(
        Problem::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method-not-allowed",
            "This resource does not take this method",
        )
        .detail(format!(
            "{} does not take {method}; the Allow header says what it takes.",
            uri.path()
        )),
    )
}
