//! Which signal some bytes are of.

use opentelemetry_proto::tonic::collector::{
    logs::v1::ExportLogsServiceRequest, metrics::v1::ExportMetricsServiceRequest,
};
use prost::Message as _;

/// Of which other signal an encoded request is, if it can be of one.
pub fn other_signal(bytes: &[u8]) -> Option<&'static str> {
    if ExportLogsServiceRequest::decode(bytes).is_ok() {
        Some("logs")
    } else if ExportMetricsServiceRequest::decode(bytes).is_ok() {
        Some("metrics")
    } else {
        None
    }
}
