//! Extractors that refuse with a [`Refusal`]: [`Json`], [`JsonText`], [`Query`] and [`Path`].
//!
//! They read as axum's own extractors do; only their replies to requests that they cannot use are the
//! shop's.

use std::error::Error;

use api::Problem;
use axum::{
    body::Bytes,
    extract::{
        FromRequest, FromRequestParts, Request,
        rejection::{PathRejection, QueryRejection},
    },
    http::{HeaderMap, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use serde::{Serialize, de::DeserializeOwned};

use super::{body, refusal::Refusal};

/// A JSON body of a request or a reply.
///
/// A request is refused with 415 if its content type is not JSON, with 413 if its body is larger than
/// [`BODY_LIMIT`](super::BODY_LIMIT), with 400 and line and column if the body is not JSON, and with 422 and
/// the path of the field if it is JSON but not a `T`.
#[derive(Clone, Copy, Debug)]
pub struct Json<T>(pub T);

/// The body of a request that is JSON as its content type says, not parsed: for a handler whose own parser has the
/// better messages. It is refused with 415 and 413 as a [`Json`] is.
#[derive(Clone, Debug)]
pub struct JsonText(pub Bytes);

/// The query of a request.
#[derive(Clone, Copy, Debug)]
pub struct Query<T>(pub T);

/// The parts of a request's path that its route names.
#[derive(Clone, Copy, Debug)]
pub struct Path<T>(pub T);

// === impl Json ===

impl<T, S> FromRequest<S> for Json<T>
where
    T: DeserializeOwned,
    S: Send + Sync,
{
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Json<T>, Refusal> {
        let JsonText(body) = JsonText::from_request(request, state).await?;
        Ok(Json(parse(&body)?))
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

// === impl JsonText ===

impl<S: Send + Sync> FromRequest<S> for JsonText {
    type Rejection = Refusal;

    async fn from_request(request: Request, _: &S) -> Result<JsonText, Refusal> {
        let (parts, body) = request.into_parts();
        if !is_json(&parts.headers) {
            return Err(Refusal(unsupported_media_type(&parts.headers)));
        }
        Ok(JsonText(body::read(&parts.headers, body).await?))
    }
}

/// Whether the content type is JSON: `application/json`, or a type that ends in `+json`.
fn is_json(headers: &HeaderMap) -> bool {
    let Some(Ok(content_type)) = headers.get(header::CONTENT_TYPE).map(|v| v.to_str()) else {
        return false;
    };
    let essence = content_type
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    essence == "application/json"
        || (essence.starts_with("application/") && essence.ends_with("+json"))
}

fn unsupported_media_type(headers: &HeaderMap) -> Problem {
    let found = match headers.get(header::CONTENT_TYPE) {
        Some(value) => format!("is {value:?}"),
        None => "is missing".to_owned(),
    };
    Problem::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "unsupported-media-type",
        "The content type of the request is not JSON",
    )
    .detail(format!(
        "Content-Type {found}; it must be application/json."
    ))
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    let mut json = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let field = error.path().to_string();
        unusable_json(error.inner(), Some(&field))
    })?;
    json.end().map_err(|error| unusable_json(&error, None))?;
    Ok(value)
}

fn unusable_json(error: &serde_json::Error, field: Option<&str>) -> Problem {
    let problem = if error.is_data() {
        Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "invalid-body",
            "The body of the request is JSON of the wrong form",
        )
    } else {
        Problem::new(
            StatusCode::BAD_REQUEST,
            "invalid-json",
            "The body of the request is not JSON",
        )
    };
    // The path of the whole body is a dot, and the path of a part that was not understood is a question
    // mark: in both cases there is no field to name.
    let problem = match field.filter(|field| !matches!(*field, "." | "?")) {
        Some(field) => problem
            .detail(format!("{field}: {error}"))
            .with("field", field),
        None => problem.detail(error.to_string()),
    };
    problem
        .with("line", error.line())
        .with("column", error.column())
}

// === impl Query ===

impl<T, S> FromRequestParts<S> for Query<T>
where
    T: DeserializeOwned,
    S: Send + Sync,
{
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Query<T>, Refusal> {
        match axum::extract::Query::from_request_parts(parts, state).await {
            Ok(axum::extract::Query(value)) => Ok(Query(value)),
            Err(rejection) => Err(Refusal(unusable_query(&rejection))),
        }
    }
}

fn unusable_query(rejection: &QueryRejection) -> Problem {
    Problem::new(
        StatusCode::BAD_REQUEST,
        "invalid-query",
        "The query of the request cannot be used",
    )
    .detail(innermost(rejection))
}

// === impl Path ===

impl<T, S> FromRequestParts<S> for Path<T>
where
    T: DeserializeOwned + Send,
    S: Send + Sync,
{
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Path<T>, Refusal> {
        match axum::extract::Path::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(value)) => Ok(Path(value)),
            Err(rejection) => Err(Refusal(unusable_path(&rejection))),
        }
    }
}

fn unusable_path(rejection: &PathRejection) -> Problem {
    if rejection.status().is_server_error() {
        // The route does not have the parameter that the handler asks for: our mistake, not the caller's.
        return Problem::internal();
    }
    Problem::new(
        StatusCode::BAD_REQUEST,
        "invalid-path",
        "The path of the request cannot be used",
    )
    .detail(innermost(rejection))
}

/// The text of the innermost cause: the causes around it only say what was tried.
fn innermost(error: &dyn Error) -> String {
    let mut innermost = error;
    while let Some(cause) = innermost.source() {
        innermost = cause;
    }
    innermost.to_string()
}
