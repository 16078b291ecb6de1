//! Reads the body of a request, up to a limit.

use api::Problem;
use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, StatusCode, header},
};
use http_body_util::{BodyExt, LengthLimitError, Limited};

/// The largest body that a service of the shop takes, in bytes. A cart of 200 lines is some 10 KiB.
pub const BODY_LIMIT: usize = 256 * 1024;

/// How many bytes of a body that is too large are read and discarded.
///
/// A client that is still sending when the connection closes sees a broken pipe instead of the reply. So a
/// body that is a little too large is read to its end; only a much larger one is cut off.
const DRAIN_LIMIT: usize = 64 * 1024 * 1024;

/// Reads the whole body, if it is not larger than [`BODY_LIMIT`].
pub(crate) async fn read(headers: &HeaderMap, mut body: Body) -> Result<Bytes, Problem> {
    let read = Limited::new(&mut body, BODY_LIMIT).collect().await;
    match read {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => {
            if !expects_continue(headers) {
                drain(body).await;
            }
            Err(too_large())
        }
        Err(error) => Err(Problem::new(
            StatusCode::BAD_REQUEST,
            "body-incomplete",
            "The body of the request did not arrive",
        )
        .detail(error.to_string())),
    }
}

/// Whether the client waits for `100 Continue` before it sends its body; it has then sent none of it.
fn expects_continue(headers: &HeaderMap) -> bool {
    headers
        .get(header::EXPECT)
        .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}

async fn drain(body: Body) {
    let mut rest = Limited::new(body, DRAIN_LIMIT);
    while let Some(Ok(_)) = rest.frame().await {}
}

fn too_large() -> Problem {
    Problem::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "body-too-large",
        "The body of the request is too large",
    )
    .detail(format!("A body may have up to {BODY_LIMIT} bytes."))
    .with("limit_bytes", BODY_LIMIT)
}
