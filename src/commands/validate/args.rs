//! The values of the arguments of `tracelab validate`.

use ::validate::{Part, Protocol};

/// A part, as an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum PartArg {
    /// The cases of the fidelity suite.
    Fidelity,
    /// How long a trace takes to be readable.
    Freshness,
    /// Complete under load.
    Load,
    /// Searches.
    Search,
    /// The largest that comes back whole.
    Limits,
    /// Metrics that are made from spans, if --prometheus says where they are.
    Metrics,
    /// What a kill -9 leaves.
    Restart,
}

/// A protocol, as an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum ProtocolArg {
    /// OTLP/gRPC.
    Grpc,
    /// OTLP/HTTP with protobuf.
    Http,
    /// OTLP/HTTP with JSON.
    Json,
}

/// The formats of a result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum ValidateFormat {
    /// For people.
    #[default]
    Text,
    /// A single JSON document.
    Json,
    /// JUnit XML, for continuous integration.
    Junit,
    /// Markdown, for a pull request.
    Markdown,
}

// === impl Part ===

impl From<PartArg> for Part {
    fn from(part: PartArg) -> Part {
        match part {
            PartArg::Fidelity => Part::Fidelity,
            PartArg::Freshness => Part::Freshness,
            PartArg::Load => Part::Load,
            PartArg::Search => Part::Search,
            PartArg::Limits => Part::Limits,
            PartArg::Metrics => Part::Metrics,
            PartArg::Restart => Part::Restart,
        }
    }
}

// === impl Protocol ===

impl From<ProtocolArg> for Protocol {
    fn from(over: ProtocolArg) -> Protocol {
        match over {
            ProtocolArg::Grpc => Protocol::Grpc,
            ProtocolArg::Http => Protocol::Http,
            ProtocolArg::Json => Protocol::Json,
        }
    }
}
