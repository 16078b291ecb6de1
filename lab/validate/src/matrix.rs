//! [`Matrix`]: several backends, beside one another, and the file that says how each is started.

use serde::Deserialize;
use thiserror::Error;

use crate::document::Document;

/// A backend of the matrix.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// The kind of its reader, as after `--backend`.
    pub backend: String,
    /// The command that starts it, as after `--start`.
    pub start: String,
    /// Where it is read, if that is not the default of `--start`.
    #[serde(default)]
    pub url: Option<String>,
    /// The name or file of its profile, if that is not the default of its kind.
    #[serde(default)]
    pub profile: Option<String>,
    /// The only protocols that it takes; all by default.
    #[serde(default)]
    pub over: Vec<String>,
    /// Headers that it wants. No secrets: the file is read by all.
    #[serde(default)]
    pub headers: Vec<String>,
    /// Why it was not run; empty if it was.
    #[serde(skip)]
    pub why_not: String,
}

/// Several backends, with the result of each that was run.
#[derive(Clone, Debug, Default)]
pub struct Matrix {
    /// The columns.
    pub columns: Vec<(Column, Option<Document>)>,
}

/// Why a text is no list of columns.
#[derive(Debug, Error)]
#[error("{0}")]
pub struct ColumnsError(String);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Columns {
    columns: Vec<Column>,
}

// === impl Column ===

impl Column {
    /// Reads the columns of a file (YAML).
    ///
    /// # Errors
    ///
    /// [`ColumnsError`], with line and column.
    pub fn parse(text: &str) -> Result<Vec<Column>, ColumnsError> {
        let read: Columns =
            serde_saphyr::from_str(text).map_err(|error| ColumnsError(error.to_string()))?;
        Ok(read.columns)
    }
}
