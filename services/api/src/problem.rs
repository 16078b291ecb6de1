//! [`Problem`]: a service's explanation of why it refused a request or failed (RFC 9457).

use std::fmt;

use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The prefix of every problem type; the kind follows it, such as `empty-cart`.
const TYPES: &str = "/problems/";

/// A problem detail (RFC 9457), with the id of the trace that shows the cause.
///
/// ```
/// use api::Problem;
/// use http::StatusCode;
///
/// let problem = Problem::new(StatusCode::CONFLICT, "out-of-stock", "There is not enough in stock")
///     .with("skus", vec!["TENT-2P-GRN"]);
/// assert_eq!(problem.kind(), "out-of-stock");
/// assert_eq!(serde_json::to_value(&problem)?["type"], "/problems/out-of-stock");
/// # Ok::<(), serde_json::Error>(())
/// ```
///
/// It contains what the caller can use. The span records what failed inside the service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Problem {
    /// The type of the problem: a URI reference such as `/problems/empty-cart`.
    #[serde(rename = "type")]
    pub type_uri: String,
    /// The title: a few words, equal for every problem of the type.
    pub title: String,
    /// The status of the reply.
    #[serde(with = "status")]
    pub status: StatusCode,
    /// The detail: what is wrong with this request, and what would be right.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The trace id of the request, in hex. It is set when the problem becomes a reply.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
    /// Extension members (RFC 9457 section 3.2) for programs, such as the SKUs concerned. There is no
    /// `instance`: the trace id takes its place.
    ///
    /// Boxed, so that a `Result` with a problem stays small.
    #[serde(flatten)]
    pub extensions: Box<Map<String, Value>>,
}

// === impl Problem ===

impl Problem {
    /// The media type of a problem detail.
    pub const MEDIA_TYPE: &'static str = "application/problem+json";

    /// Makes a problem of the given kind, such as `empty-cart`.
    pub fn new(status: StatusCode, kind: &str, title: impl Into<String>) -> Problem {
        Problem {
            type_uri: format!("{TYPES}{kind}"),
            title: title.into(),
            status,
            detail: None,
            trace_id: None,
            extensions: Box::default(),
        }
    }

    /// A problem without any detail: the span has the cause, and the trace id leads to it.
    pub fn internal() -> Problem {
        Problem::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "Something went wrong on our side",
        )
        .detail("The request was valid, but the service failed. Its trace shows why.")
    }

    /// Sets the detail: what is wrong with this request, and what would be right.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Problem {
        self.detail = Some(detail.into());
        self
    }

    /// Adds an extension member.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Problem {
        self.extensions.insert(name.to_owned(), value.into());
        self
    }

    /// The kind of the problem: the last part of its type, such as `empty-cart`.
    pub fn kind(&self) -> &str {
        self.type_uri.strip_prefix(TYPES).unwrap_or(&self.type_uri)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.title, self.kind())?;
        match &self.detail {
            Some(detail) => write!(f, ": {detail}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Problem {}

/// Serializes a status code as a number.
mod status {
    use http::StatusCode;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(
        status: &StatusCode,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_u16(status.as_u16())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<StatusCode, D::Error> {
        StatusCode::from_u16(u16::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_problem_reads_as_rfc_9457_says() {
        let problem = Problem::new(
            StatusCode::CONFLICT,
            "out-of-stock",
            "There is not enough in stock",
        )
        .detail("Of TENT-2P-GRN there are 2.")
        .with("skus", vec!["TENT-2P-GRN"]);
        assert_eq!(
            serde_json::to_value(&problem).unwrap(),
            json!({
                "type": "/problems/out-of-stock",
                "title": "There is not enough in stock",
                "status": 409,
                "detail": "Of TENT-2P-GRN there are 2.",
                "skus": ["TENT-2P-GRN"],
            })
        );
    }

    #[test]
    fn a_problem_survives_the_wire() {
        let sent = Problem::new(StatusCode::PAYMENT_REQUIRED, "card-declined", "Declined")
            .with("order_id", "o-1");
        let received: Problem =
            serde_json::from_value(serde_json::to_value(&sent).unwrap()).unwrap();
        assert_eq!(received, sent);
        assert_eq!(received.kind(), "card-declined");
    }
}
