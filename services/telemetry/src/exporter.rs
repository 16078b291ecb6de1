//! The OTLP exporter.

use std::time::Duration;

use opentelemetry_otlp::{SpanExporter, WithExportConfig, WithHttpConfig};

use crate::config::Protocol;

/// The exporter of spans. Endpoint, headers and compression are read from the standard variables by its
/// builder; failed exports are retried with backoff by the exporter. It has an HTTP client of ours, since
/// one of its own would need CA certificates.
pub(crate) fn span_exporter(protocol: Protocol, timeout: Duration) -> Result<SpanExporter, String> {
    let built = match protocol {
        Protocol::Grpc => SpanExporter::builder()
            .with_tonic()
            .with_timeout(timeout)
            .build(),
        Protocol::HttpProtobuf => SpanExporter::builder()
            .with_http()
            .with_timeout(timeout)
            .with_http_client(::http_client::with(|it| it.timeout(timeout)))
            .with_protocol(opentelemetry_otlp::Protocol::HttpBinary)
            .build(),
    };
    built.map_err(|error| error.to_string())
}
