//! What answers at an address where another backend was expected.

use reqwest::{Client, Url};
use serde_json::Value as Json;

use super::answer::{at, get};
use crate::reader::ReadError;

/// Asks for the document at a path that a backend of the wanted kind has. `is_it` knows that document.
pub(super) async fn recognize(
    client: &Client,
    base: &Url,
    path: &str,
    wanted: &str,
    is_it: impl Fn(&Json) -> bool,
) -> Result<Json, ReadError> {
    let answer = get(client, at(base, path), "application/json").await?;
    match answer.json() {
        Ok(json) if answer.status.is_success() && is_it(&json) => Ok(json),
        _ if answer.is_trouble() => Err(answer.error()),
        _ => Err(other_backend(client, base, wanted).await),
    }
}

/// The error that a backend is not of the kind that was named. It says what it looks like, which is found out by asking
/// for the paths that only one kind has.
async fn other_backend(client: &Client, base: &Url, wanted: &str) -> ReadError {
    let signs = [
        ("/api/lab", "a lab of tracelab (--backend sink)"),
        ("/api/v3/services", "Jaeger 2 (--backend jaeger)"),
        (
            "/select/jaeger/api/services",
            "VictoriaTraces (--backend victoriatraces)",
        ),
        ("/zipkin/api/v2/services", "Zipkin (--backend zipkin)"),
        ("/api/v2/services", "Zipkin (--backend zipkin)"),
        ("/api/status/buildinfo", "Tempo (--backend tempo)"),
        (
            "/api/services",
            "Jaeger (--backend jaeger, or jaeger-v1 for versions before 2)",
        ),
    ];
    for (path, looks) in signs {
        match get(client, at(base, path), "application/json").await {
            Ok(answer) if answer.status.is_success() && answer.json().is_ok() => {
                return wrong(base, wanted, format!("it looks like {looks}"));
            }
            Ok(_) => {}
            Err(error) => return error,
        }
    }
    let looks = match get(client, base.clone(), "*/*").await {
        Ok(answer) if answer.content_type().starts_with("text/html") => {
            format!(
                "it answers {} with a web page of another kind",
                answer.status.as_u16()
            )
        }
        Ok(answer) if answer.status.as_u16() == 415 || answer.status.as_u16() == 405 => {
            format!(
                "it answers {}, as a receiver of OTLP does; --url is where traces are read, --otlp where they are sent",
                answer.status.as_u16()
            )
        }
        Ok(answer) => format!(
            "it answers {} and none of the paths of a backend that is known here",
            answer.status.as_u16()
        ),
        Err(error) => return error,
    };
    wrong(base, wanted, looks)
}

fn wrong(base: &Url, wanted: &str, looks: String) -> ReadError {
    ReadError::OtherBackend {
        url: base.to_string().trim_end_matches('/').to_owned(),
        wanted: wanted.to_owned(),
        looks,
    }
}
