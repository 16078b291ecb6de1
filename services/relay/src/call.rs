//! The only job of the relay: it calls each address in turn, in the context of the request.

use axum::extract::State;
use chassis::http::Json;
use reqwest_middleware::ClientWithMiddleware;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A call to make.
#[derive(Debug, Deserialize)]
pub(crate) struct Call {
    url: String,
    /// The JSON body that is posted.
    #[serde(default)]
    arguments: Value,
}

/// The result of a call.
#[derive(Debug, Serialize)]
pub(crate) struct Outcome {
    url: String,
    #[serde(flatten)]
    answer: Answer,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "lowercase")]
enum Answer {
    /// The status of the reply.
    Status(u16),
    /// The error, if there was no reply.
    Error(String),
}

/// Makes the calls, one after the other. The reply is always 200: the suite checks the calls that it
/// receives, and the body contains the results.
pub(crate) async fn each(
    State(client): State<ClientWithMiddleware>,
    Json(calls): Json<Vec<Call>>,
) -> axum::Json<Vec<Outcome>> {
    let mut outcomes = Vec::with_capacity(calls.len());
    for Call { url, arguments } in calls {
        let answer = match client.post(&url).json(&arguments).send().await {
            Ok(reply) => Answer::Status(reply.status().as_u16()),
            Err(error) => Answer::Error(error.to_string()),
        };
        outcomes.push(Outcome { url, answer });
    }
    axum::Json(outcomes)
}
