//! The OTLP exporter.

use std::time::Duration;

use opentelemetry_otlp::{SpanExporter, WithExportConfig, WithHttpConfig};

use crate::config::Protocol;

/// Builds the exporter of spans. Its builder reads endpoint, headers and compression from the standard
/// variables; the exporter retries failed exports with backoff. It uses a client of the crate `http_client`,
/// because its own client would need CA certificates.
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
