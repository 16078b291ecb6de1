//! [`JsonText`]: the body of a request, which must be JSON by its content type.

use axum::{
    body::{Body, Bytes},
    extract::{FromRequest, Request},
    http::{HeaderMap, StatusCode, header},
};
use http_body_util::{BodyExt, LengthLimitError, Limited};

use crate::problem::Problem;

/// The largest body that the API takes, in bytes. All faults with all parameters are some 4 KiB.
const LIMIT: usize = 256 << 10;

/// The bytes of a larger body that are read and discarded, so that its sender is still there for the answer. Of an
/// even larger one the connection is cut.
const DISCARDED: usize = 64 << 20;

/// The text of a JSON body, not parsed; empty for a request without a body, which needs no content type.
#[derive(Debug)]
pub(crate) struct JsonText(pub(crate) Bytes);

// === impl JsonText ===

impl<S: Send + Sync> FromRequest<S> for JsonText {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<JsonText, Problem> {
        let (parts, body) = request.into_parts();
        let text = read(body).await?;
        match text.is_empty() || is_json(&parts.headers) {
            true => Ok(JsonText(text)),
            false => Err(not_json(&parts.headers)),
        }
    }
}

async fn read(mut body: Body) -> Result<Bytes, Problem> {
    match Limited::new(&mut body, LIMIT).collect().await {
        Ok(read) => Ok(read.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => {
            let mut rest = Limited::new(body, DISCARDED);
            while let Some(Ok(_)) = rest.frame().await {}
            Err(Problem::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                format!("the body of a request may have up to {LIMIT} bytes"),
            ))
        }
        Err(error) => Err(Problem::bad_request(format!(
            "the body of the request did not arrive: {error}"
        ))),
    }
}

/// Whether the content type is `application/json`, with or without parameters.
fn is_json(headers: &HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE);
    let content_type = content_type.and_then(|it| it.to_str().ok());
    let essence = content_type.and_then(|it| it.split(';').next());
    essence.is_some_and(|it| it.trim().eq_ignore_ascii_case("application/json"))
}

fn not_json(headers: &HeaderMap) -> Problem {
    let found = match headers.get(header::CONTENT_TYPE) {
        Some(found) => format!("is {found:?}"),
        None => "is missing".to_owned(),
    };
    Problem::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        format!("the Content-Type of the body {found}; application/json is taken"),
    )
}
