//! [`TraceSummary`]: a trace in short, as a search finds it.

use serde::{Deserialize, Serialize};
use trace::TraceId;

/// The answer of `GET /api/traces`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TraceList {
    /// The traces that were found, the newest first.
    pub traces: Vec<TraceSummary>,
}

/// A trace in short.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TraceSummary {
    /// Its id.
    pub trace_id: TraceId,
    /// The service of its first root, or of its earliest span if no root has come yet.
    pub service: String,
    /// The name of that span.
    pub name: String,
    /// When its earliest span starts: nanoseconds since the Unix epoch, a string in JSON.
    #[serde(with = "decimal_string")]
    pub start_unix_nano: u64,
    /// From the start of its earliest span to the end of its last one, in milliseconds.
    pub duration_ms: f64,
    /// How many spans it has.
    pub spans: usize,
    /// How many of them have the status error.
    pub errors: usize,
    /// How many of them name no parent.
    pub roots: usize,
    /// It grows when spans are added.
    pub revision: u64,
}

/// A number that is a string in JSON, since a double cannot hold it.
mod decimal_string {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(number: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(number)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_list_is_written_as_it_is_read() {
        let document = json!({ "traces": [{
            "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
            "service": "checkout",
            "name": "POST /checkout",
            "start_unix_nano": "18446744073709551615",
            "duration_ms": 155.25,
            "spans": 33,
            "errors": 0,
            "roots": 1,
            "revision": 7,
        }]});
        let list: TraceList = serde_json::from_value(document.clone()).expect("it is a list");
        assert_eq!(list.traces[0].start_unix_nano, u64::MAX);
        let written = serde_json::to_value(&list).expect("it can be written");
        assert_eq!(written, document);
    }
}
