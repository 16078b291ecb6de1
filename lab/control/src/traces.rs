//! The routes for the traces in the sink, as documents for programs.

use axum::{
    Json,
    extract::{
        Path, Query, State,
        rejection::{PathRejection, QueryRejection},
    },
    http::StatusCode,
};
use protocol::{Forgotten, Stats, TraceList};
use serde_json::Value;
use sink::Store;
use trace::{Trace, TraceId, otlp};

use crate::{documents, problem::Problem, query};

pub(crate) async fn trace(
    State(store): State<Store>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Json<Value>, Problem> {
    Ok(Json(otlp::to_json(find(&store, id)?.spans())))
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

/// Finds the trace that a path names.
pub(crate) fn find(
    store: &Store,
    id: Result<Path<String>, PathRejection>,
) -> Result<Trace, Problem> {
    let id = id_of(id)?;
    store.trace(id).ok_or_else(|| match store.was_evicted(id) {
        true => {
            let detail = format!("trace {id} is gone: it was evicted to make room");
            Problem::new(StatusCode::GONE, detail)
        }
        false => Problem::not_found(format!(
            "trace {id} is not here: it never came, or it was evicted to make room"
        )),
    })
}

fn id_of(id: Result<Path<String>, PathRejection>) -> Result<TraceId, Problem> {
    let Path(text) = id.map_err(|rejection| Problem::bad_request(rejection.body_text()))?;
    text.parse().map_err(|error| {
        Problem::bad_request(format!(
            "{text:?} is no trace id: {error}; 32 hexadecimal digits would be right"
        ))
    })
}
