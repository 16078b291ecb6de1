//! A [`Document`] for people: as text, as Markdown, as one HTML file, and several side by side.

mod compare;
mod html;
mod markdown;
mod plot;
mod sentences;
mod text;

use thiserror::Error;

use crate::document::{Document, SCHEMA};

/// Why a file is no [`Document`].
#[derive(Debug, Error)]
pub enum ReadError {
    /// It is no JSON, or lacks something.
    #[error("it is no result of tracelab bench: {0}")]
    Json(#[from] serde_json::Error),
    /// It is another document.
    #[error(
        "it is a document of kind {0:?}, and not the result of tracelab bench rate, capacity, ab, soak, spike, chaos or sampling"
    )]
    Kind(String),
    /// It was written by a later version.
    #[error("it has schema {0}; this version reads up to {SCHEMA}")]
    Schema(u64),
}

/// Reads a document from its JSON.
///
/// # Errors
///
/// When it is none, or one of a later schema.
pub fn read(json: &[u8]) -> Result<Document, ReadError> {
    let any: serde_json::Value = serde_json::from_slice(json)?;
    if let Some(schema) = any["schema"]
        .as_u64()
        .filter(|schema| *schema > u64::from(SCHEMA))
    {
        return Err(ReadError::Schema(schema));
    }
    let kind = any["kind"].as_str().unwrap_or_default();
    if !kind.starts_with("bench-") || kind == "bench-merge" || kind == "bench-books" {
        return Err(ReadError::Kind(kind.to_owned()));
    }
    Ok(serde_json::from_slice(json)?)
}

/// The document as text for a terminal.
pub fn text(document: &Document) -> String {
    text::text(document)
}

/// The document as Markdown.
pub fn markdown(document: &Document) -> String {
    markdown::markdown(document)
}

/// The document as one HTML file that needs nothing else.
pub fn html(document: &Document) -> String {
    html::html(document)
}

/// Several documents side by side, each with its name, as Markdown, which is also readable as text. First comes what makes
/// them hard to compare.
pub fn compare(documents: &[(String, Document)]) -> String {
    compare::markdown(documents)
}
