//! The names of the environment variables from which a set-up takes its addresses.

/// The address for OTLP/gRPC, as `HOST:PORT`.
pub const OTLP_GRPC: &str = "COLLECTOR_OTLP_GRPC";

/// The address for OTLP/HTTP.
pub const OTLP_HTTP: &str = "COLLECTOR_OTLP_HTTP";

/// The address for spans before sampling: `head-sampling.yaml`.
pub const UNDECIDED_GRPC: &str = "COLLECTOR_UNDECIDED_GRPC";

/// The address where Prometheus scrapes its metrics: `spanmetrics.yaml`.
pub const PROMETHEUS: &str = "COLLECTOR_PROMETHEUS";

/// The address of the lab's sink, to which it exports.
pub const LAB_OTLP_GRPC: &str = "LAB_OTLP_GRPC";

/// The addresses of the gateways that an agent exports to.
pub const GATEWAYS: [&str; 2] = ["GATEWAY_1", "GATEWAY_2"];

/// The name that a gateway adds to the spans that pass through it.
pub const GATEWAY_NAME: &str = "GATEWAY_NAME";

/// The variables of the addresses where a Collector listens: each needs a different port.
pub const LISTENING: [&str; 4] = [OTLP_GRPC, OTLP_HTTP, UNDECIDED_GRPC, PROMETHEUS];

/// The default address for OTLP/gRPC in every set-up file of this project.
pub const DEFAULT_OTLP_GRPC: &str = "127.0.0.1:14317";
