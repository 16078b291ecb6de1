//! The names of the environment variables by which a set-up takes its addresses.

/// Where a Collector receives OTLP/gRPC, as `HOST:PORT`.
pub const OTLP_GRPC: &str = "COLLECTOR_OTLP_GRPC";

/// Where it receives OTLP/HTTP.
pub const OTLP_HTTP: &str = "COLLECTOR_OTLP_HTTP";

/// Where it receives spans that were not sampled yet: `head-sampling.yaml`.
pub const UNDECIDED_GRPC: &str = "COLLECTOR_UNDECIDED_GRPC";

/// Where Prometheus scrapes the metrics that it makes: `spanmetrics.yaml`.
pub const PROMETHEUS: &str = "COLLECTOR_PROMETHEUS";

/// The sink of the lab, to which it sends.
pub const LAB_OTLP_GRPC: &str = "LAB_OTLP_GRPC";

/// The gateways that an agent sends to.
pub const GATEWAYS: [&str; 2] = ["GATEWAY_1", "GATEWAY_2"];

/// What a gateway calls itself on the spans that it lets through.
pub const GATEWAY_NAME: &str = "GATEWAY_NAME";

/// Where a Collector listens: each needs a port of its own.
pub const LISTENING: [&str; 4] = [OTLP_GRPC, OTLP_HTTP, UNDECIDED_GRPC, PROMETHEUS];

/// Where it receives OTLP/gRPC if nothing is said, in every file of ours.
pub const DEFAULT_OTLP_GRPC: &str = "127.0.0.1:14317";
