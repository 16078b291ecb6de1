//! OTLP/protobuf in.

use opentelemetry_proto::tonic::collector::{
    logs::v1::ExportLogsServiceRequest, metrics::v1::ExportMetricsServiceRequest,
    trace::v1::ExportTraceServiceRequest,
};

use crate::{
    error::DecodeError,
    mend::{self, Read},
    schema,
};

/// Reads an encoded `ExportTraceServiceRequest` (or `TracesData`, which is the same on the wire).
///
/// # Errors
///
/// When the bytes are not such a message, or an attribute has more levels than [`crate::MOST_LEVELS`].
pub fn traces_from_protobuf(bytes: &[u8]) -> Result<Read<ExportTraceServiceRequest>, DecodeError> {
    Ok(Read {
        library_spans: mend::library_spans(bytes),
        ..mend::decode(bytes, &schema::TRACES)?
    })
}

/// Reads an encoded `ExportLogsServiceRequest`.
///
/// # Errors
///
/// As of [`traces_from_protobuf`].
pub fn logs_from_protobuf(bytes: &[u8]) -> Result<Read<ExportLogsServiceRequest>, DecodeError> {
    mend::decode(bytes, &schema::LOGS)
}

/// Reads an encoded `ExportMetricsServiceRequest`.
///
/// # Errors
///
/// As of [`traces_from_protobuf`].
pub fn metrics_from_protobuf(
    bytes: &[u8],
) -> Result<Read<ExportMetricsServiceRequest>, DecodeError> {
    mend::decode(bytes, &schema::METRICS)
}
