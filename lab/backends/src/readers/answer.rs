//! One request to a backend, and its answer or the reason why there is none.

use std::{error::Error, time::Duration};

use http::{HeaderMap, StatusCode, header};
use http_client::ReadError as BodyError;
use reqwest::{Client, Url};
use trace::TraceId;

use super::TIMEOUT;
use crate::reader::{ReadError, ReadTrace};

/// The most bytes that are read of a trace.
const MOST: usize = 1 << 30;

/// The most bytes of an answer that a message has.
const SAID: usize = 300;

/// What a backend answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    url: Url,
}

/// The address of a path below the address of a backend, which may have a path of its own.
pub(crate) fn at(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    let before = url.path().trim_end_matches('/').to_owned();
    url.set_path(&format!("{before}{path}"));
    url.set_query(None);
    url
}

/// Asks for a document.
pub(crate) async fn get(client: &Client, url: Url, accept: &str) -> Result<Answer, ReadError> {
    let request = client.get(url.clone()).header(header::ACCEPT, accept);
    let response = request
        .send()
        .await
        .map_err(|error| failure(&url, &error))?;
    let (status, headers) = (response.status(), response.headers().clone());
    let body = match http_client::read(response, MOST).await {
        Ok(body) => body,
        Err(BodyError::Broken(error)) => return Err(failure(&url, &error)),
        Err(error) => {
            return Err(ReadError::Answer {
                url: url.to_string(),
                why: error.to_string(),
            });
        }
    };
    Ok(Answer {
        status,
        headers,
        body,
        url,
    })
}

/// Asks for a document that may not be there; `None` where the backend has none (404).
pub(crate) async fn find(
    client: &Client,
    url: Url,
    accept: &str,
) -> Result<Option<Answer>, ReadError> {
    get(client, url, accept).await?.found()
}

fn failure(url: &Url, error: &reqwest::Error) -> ReadError {
    let url = url.to_string();
    let mut why: &dyn Error = error;
    while let Some(source) = why.source() {
        why = source;
    }
    let why = why.to_string();
    let is_tls = [
        "certificate",
        "tls",
        "Tls",
        "TLS",
        "corrupt message",
        "UnknownIssuer",
    ];
    if error.is_timeout() && !error.is_connect() {
        ReadError::Slow {
            url,
            within: TIMEOUT,
        }
    } else if is_tls.iter().any(|word| why.contains(word)) {
        ReadError::Tls { url, why }
    } else {
        ReadError::Unreachable { url, why }
    }
}

// === impl Answer ===

impl Answer {
    /// The answer, if it is a document; `None` if the backend has none (404).
    pub(crate) fn found(self) -> Result<Option<Answer>, ReadError> {
        match self.status {
            status if status.is_success() => Ok(Some(self)),
            StatusCode::NOT_FOUND => Ok(None),
            _ => Err(self.error()),
        }
    }

    /// Whether it says nothing about what answers: credentials are missing, or the backend is in trouble, as one that
    /// starts is.
    pub(crate) fn is_trouble(&self) -> bool {
        matches!(self.status.as_u16(), 401 | 403 | 429 | 500..)
    }

    /// Why this answer is no document.
    pub(crate) fn error(&self) -> ReadError {
        let (url, status, said) = (self.url.to_string(), self.status.as_u16(), self.said());
        match status {
            401 | 403 => ReadError::Denied { url, status, said },
            429 | 503 => ReadError::Busy {
                url,
                status,
                after: self.retry_after(),
                said,
            },
            _ => ReadError::Failed { url, status, said },
        }
    }

    /// The error that the body cannot be read.
    pub(crate) fn unreadable(&self, why: impl ToString) -> ReadError {
        ReadError::Answer {
            url: self.url.to_string(),
            why: why.to_string(),
        }
    }

    /// The beginning of the body.
    pub(crate) fn said(&self) -> String {
        let text = String::from_utf8_lossy(&self.body[..self.body.len().min(SAID)]);
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    pub(crate) fn content_type(&self) -> &str {
        let value = self.headers.get(header::CONTENT_TYPE);
        value.and_then(|value| value.to_str().ok()).unwrap_or("")
    }

    /// The body as spans of one trace, whatever format of a trace file it is in.
    pub(crate) fn trace(&self, id: TraceId) -> Result<ReadTrace, ReadError> {
        let contents = match formats::read(&self.body) {
            Ok(contents) => contents,
            Err(formats::ReadError::Empty) => return Ok(ReadTrace::default()),
            Err(error) => return Err(self.unreadable(error)),
        };
        Ok(of_contents(contents, id))
    }

    pub(crate) fn json(&self) -> Result<serde_json::Value, ReadError> {
        serde_json::from_slice(&self.body).map_err(|error| self.unreadable(error))
    }

    fn retry_after(&self) -> Option<Duration> {
        let value = self.headers.get(header::RETRY_AFTER)?.to_str().ok()?;
        value.trim().parse().ok().map(Duration::from_secs)
    }
}

/// The spans of one trace in a document.
pub(crate) fn of_contents(contents: formats::Contents, id: TraceId) -> ReadTrace {
    ReadTrace {
        is_partial: contents.notes.contains(&formats::Note::Partial),
        notes: contents.notes.iter().map(ToString::to_string).collect(),
        spans: contents
            .spans
            .into_iter()
            .filter(|span| span.trace_id == id)
            .collect(),
        protobuf: None,
    }
}
