//! Trace files: OTLP/JSON, one document or one a line as the collector's file exporter writes, and
//! what Jaeger's page downloads.

use serde_json::Value as Json;
use thiserror::Error;

use crate::{
    Span, jaeger,
    otlp::{DecodeError, Rejected, from_json_value},
};

/// Why a text is no trace file.
#[derive(Debug, Error)]
pub enum ReadError {
    /// There is nothing in it.
    #[error(
        "the file is empty; an OTLP/JSON document such as {{\"resourceSpans\": […]}} is needed"
    )]
    Empty,
    /// It is not JSON.
    #[error("no JSON: {0}")]
    Json(#[source] serde_json::Error),
    /// One of its documents is something else.
    #[error(
        "document {document}: no \"resourceSpans\" in it; OTLP/JSON is {{\"resourceSpans\": […]}}{hint}"
    )]
    NoSpans {
        /// Which document of the file, from 1.
        document: usize,
        /// What it seems to be, if that can be told.
        hint: &'static str,
    },
    /// One of its documents is not what OTLP says.
    #[error("document {document}: {problem}")]
    Document {
        /// Which document of the file, from 1.
        document: usize,
        /// What is wrong.
        problem: DecodeError,
    },
    /// One of its documents is of Jaeger, and something in it is not as Jaeger writes it.
    #[error("document {document}: no Jaeger JSON: {problem}")]
    Jaeger {
        /// Which document of the file, from 1.
        document: usize,
        /// What is wrong.
        problem: String,
    },
    /// One of its spans cannot be used.
    #[error("document {document}: {rejected}")]
    Span {
        /// Which document of the file, from 1.
        document: usize,
        /// The span, and what is wrong with it.
        rejected: Rejected,
    },
}

/// All spans of a trace file. A file is taken whole or not at all.
pub fn read(text: &str) -> Result<Vec<Span>, ReadError> {
    let mut spans = Vec::new();
    let mut documents = 0;
    for json in serde_json::Deserializer::from_str(text).into_iter::<Json>() {
        documents += 1;
        spans.extend(read_document(&json.map_err(ReadError::Json)?, documents)?);
    }
    if documents == 0 {
        Err(ReadError::Empty)
    } else {
        Ok(spans)
    }
}

fn read_document(json: &Json, document: usize) -> Result<Vec<Span>, ReadError> {
    if jaeger::is_one(json) {
        return jaeger::read(json).map_err(|problem| ReadError::Jaeger { document, problem });
    }
    // Jaeger's newer API wraps OTLP.
    let json = json
        .get("result")
        .filter(|result| result.get("resourceSpans").is_some())
        .unwrap_or(json);
    // The protocol takes a request without the field as an empty one; in a file it is a mistake.
    if json.is_object() && json.get("resourceSpans").is_none() {
        return Err(ReadError::NoSpans {
            document,
            hint: hint(json),
        });
    }
    let decoded =
        from_json_value(json).map_err(|problem| ReadError::Document { document, problem })?;
    match decoded.rejected.into_iter().next() {
        Some(rejected) => Err(ReadError::Span { document, rejected }),
        None => Ok(decoded.spans),
    }
}

fn hint(json: &Json) -> &'static str {
    let has = |key| json.get(key).is_some();
    if has("resource_spans") {
        "; this one says \"resource_spans\", and OTLP/JSON has lowerCamelCase names only"
    } else if has("resourceLogs") || has("resourceMetrics") {
        "; this one holds another signal"
    } else if has("data") || has("traces") || has("batches") {
        "; this one looks like the answer of a backend's own API"
    } else {
        ""
    }
}
