//! [`ProblemDetails`]: an error as a document.

use serde::{Deserialize, Serialize};

/// The body of every error of the API: problem details (RFC 9457), as `application/problem+json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProblemDetails {
    /// `about:blank`, where the status says which kind of problem it is; `/problems/KIND` for what is refused before it
    /// reaches the API.
    #[serde(rename = "type", default)]
    pub kind: String,
    /// The name of the status, such as `Bad Request`; `null` where it has none.
    #[serde(default)]
    pub title: Option<String>,
    /// The HTTP status code.
    pub status: u16,
    /// What is wrong, and what would be right.
    pub detail: String,
}
