//! Errors as problem details (RFC 9457).

use axum::{
    Json,
    http::{Method, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use protocol::ProblemDetails;

/// An error that the client receives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    status: StatusCode,
    detail: String,
}

impl Problem {
    /// A problem of a general kind (`about:blank`). Its title is the title of its status.
    pub(crate) fn new(status: StatusCode, detail: impl Into<String>) -> Problem {
        Problem {
            status,
            detail: detail.into(),
        }
    }

    /// The problem of a bad request: `detail` says what is wrong and what would be right.
    pub(crate) fn bad_request(detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::BAD_REQUEST, detail)
    }

    /// The problem of a resource that does not exist.
    pub(crate) fn not_found(detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::NOT_FOUND, detail)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let details = ProblemDetails {
            kind: "about:blank".to_owned(),
            title: self.status.canonical_reason().map(str::to_owned),
            status: self.status.as_u16(),
            detail: self.detail,
        };
        let content_type = [(header::CONTENT_TYPE, "application/problem+json")];
        (self.status, content_type, Json(details)).into_response()
    }
}

pub(crate) async fn no_such_page(uri: Uri) -> Problem {
    Problem::not_found(format!(
        "there is nothing at {}; the list of traces is at /",
        uri.path()
    ))
}

pub(crate) async fn no_such_method(method: Method, uri: Uri) -> Problem {
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        format!("{} is not served at {}", method, uri.path()),
    )
}
