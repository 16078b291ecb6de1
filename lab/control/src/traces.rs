//! The routes for the traces in the sink, as documents for programs.

use std::convert::Infallible;

use axum::{
    Json,
    body::Body,
    extract::{
        Path, Query, State,
        rejection::{PathRejection, QueryRejection},
    },
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use protocol::{Forgotten, Stats, TraceList};
use sink::{Store, Stored, Trace};
use trace::TraceId;

use crate::{documents, problem::Problem, query};

/// A trace as OTLP/JSON, or as the protobuf that came if the request prefers it. Both are written piece by piece: a
/// large trace never stands in memory as a document.
pub(crate) async fn trace(
    State(store): State<Store>,
    headers: HeaderMap,
    id: Result<Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    let stored = find_stored(&store, id)?;
    Ok(if prefers_protobuf(&headers) {
        answer(PROTOBUF, stored.to_protobuf())
    } else {
        answer("application/json", stored.to_json())
    })
}

const PROTOBUF: &str = "application/x-protobuf";

/// Whether the header `Accept` wants protobuf rather than JSON (RFC 9110, section 12.5.1). Of equal weights the first
/// counts, and a range for both is JSON.
fn prefers_protobuf(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT).into_iter();
    let ranges = accepted
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    let mut best = (0.0, false);
    for range in ranges {
        let mut parts = range.split(';').map(str::trim);
        let is_protobuf = match parts.next() {
            Some(PROTOBUF | "application/protobuf") => true,
            Some("application/json" | "application/*" | "*/*") => false,
            _ => continue,
        };
        let weight = parts.find_map(|part| part.strip_prefix("q=")?.parse().ok());
        let weight: f32 = weight.unwrap_or(1.0);
        if weight > best.0 {
            best = (weight, is_protobuf);
        }
    }
    best.1
}

fn answer(
    content_type: &'static str,
    pieces: impl Iterator<Item = Vec<u8>> + Send + 'static,
) -> Response {
    let pieces = futures::stream::iter(pieces.map(Ok::<_, Infallible>));
    (
        [(header::CONTENT_TYPE, content_type)],
        Body::from_stream(pieces),
    )
        .into_response()
}

pub(crate) async fn search(
    State(store): State<Store>,
    parameters: Result<Query<Vec<(String, String)>>, QueryRejection>,
) -> Result<Json<TraceList>, Problem> {
    let Query(parameters) =
        parameters.map_err(|rejection| Problem::bad_request(rejection.body_text()))?;
    let query = query::parse(parameters)?;
    let found = store.search(&query).into_iter();
    Ok(Json(TraceList {
        traces: found.map(documents::summary).collect(),
    }))
}

pub(crate) async fn forget(State(store): State<Store>) -> StatusCode {
    store.forget_all();
    StatusCode::NO_CONTENT
}

/// Forgets the trace that a path names. One that is not here is forgotten already.
pub(crate) async fn forget_one(
    State(store): State<Store>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Json<Forgotten>, Problem> {
    let spans = store.forget(id_of(id)?) as u64;
    Ok(Json(Forgotten { spans }))
}

pub(crate) async fn stats(State(store): State<Store>) -> Json<Stats> {
    Json(documents::stats(&store.stats()))
}

/// Finds the trace that a path names, and decodes it.
pub(crate) fn find(
    store: &Store,
    id: Result<Path<String>, PathRejection>,
) -> Result<Trace, Problem> {
    let id = id_of(id)?;
    match store.trace_within(id) {
        Ok(found) => found.ok_or_else(|| is_not_here(store, id)),
        Err(error) => Err(Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            format!(
                "{error}; GET /api/traces/{id} gives it in pieces, and tracelab up --memory gives more room"
            ),
        )),
    }
}

fn find_stored(store: &Store, id: Result<Path<String>, PathRejection>) -> Result<Stored, Problem> {
    let id = id_of(id)?;
    store.stored(id).ok_or_else(|| is_not_here(store, id))
}

fn id_of(id: Result<Path<String>, PathRejection>) -> Result<TraceId, Problem> {
    let Path(text) = id.map_err(|rejection| Problem::bad_request(rejection.body_text()))?;
    text.parse().map_err(|error| {
        Problem::bad_request(format!(
            "{text:?} is no trace id: {error}; 32 hexadecimal digits would be right"
        ))
    })
}

fn is_not_here(store: &Store, id: TraceId) -> Problem {
    match store.was_evicted(id) {
        true => {
            let detail = format!("trace {id} is gone: it was evicted to make room");
            Problem::new(StatusCode::GONE, detail)
        }
        false => Problem::not_found(format!(
            "trace {id} is not here: it never came, or it was evicted to make room"
        )),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    use super::*;

    #[test]
    fn the_heavier_range_is_preferred_and_json_otherwise() {
        for (accept, is_protobuf) in [
            ("application/x-protobuf", true),
            ("application/x-protobuf, application/json", true),
            ("application/json, application/x-protobuf", false),
            ("*/*, application/x-protobuf;q=0.9", false),
            ("text/html, application/x-protobuf;q=0.9, */*;q=0.8", true),
            ("application/x-protobuf; q=0", false),
            ("text/html", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, accept.parse().unwrap());
            assert_eq!(prefers_protobuf(&headers), is_protobuf, "{accept}");
        }
        assert!(!prefers_protobuf(&HeaderMap::new()));
    }
}
