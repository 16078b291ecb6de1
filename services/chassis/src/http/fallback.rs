//! What a router answers when it has no route for a request.

use api::Problem;
use axum::http::{Method, StatusCode, Uri};

use super::refusal::Refusal;

/// For [`axum::Router::fallback`]: there is nothing at this address.
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

/// For [`axum::Router::method_not_allowed_fallback`]: the address is right, the method is not.
/// The `Allow` header, which axum adds, says which would be.
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
