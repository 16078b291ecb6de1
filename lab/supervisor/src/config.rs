//! What lab is wanted: ports, pace, and what is to stand in for the embedded components.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use protocol::Pace;

use crate::{Component, Error};

/// What lab is wanted.
#[derive(Clone, Debug)]
pub struct Config {
    /// The `tracelab` program, of which the children are started.
    pub program: PathBuf,
    /// On which ports of the loopback address the components listen.
    pub ports: Ports,
    /// Whether steps that a demo cannot do for real take a simulated time.
    pub pace: Pace,
    /// Whether the services honour the faults that a request asks for.
    pub faults: bool,
    /// Whether the consumer of a message continues its trace or starts one with a link to it.
    pub messaging_relation: Relation,
    /// Where databases and mails are kept. Without it they go to a temporary folder, which is
    /// removed with the lab.
    pub data_dir: Option<PathBuf>,
    /// A PostgreSQL server instead of SQLite files, as a `postgres://` address. Each service gets a
    /// database of its own; they are dropped with the lab unless `data_dir` is set.
    pub database: Option<String>,
    /// A RabbitMQ (or the like) instead of the embedded broker, as an `amqp://` address.
    pub amqp: Option<String>,
    /// Where the services send their telemetry instead of the sink. The sink runs all the same.
    pub otlp: Option<Otlp>,
    /// What stands between the services and the sink; not beside `otlp`.
    pub collectors: Option<Collectors>,
    /// The bounds of the sink.
    pub sink: sink::Config,
    /// How long a child may take to stop before it is killed.
    pub stop_patience: Duration,
    /// Environment variables for some children, besides those that the lab sets. They win.
    pub extra_env: Vec<(Component, String, String)>,
}

/// On which ports the components of a lab listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Ports {
    /// On those that the documentation names.
    #[default]
    Default,
    /// On nine ports from this one on: page, checkout, payment, provider, inventory, email,
    /// OTLP/gRPC, OTLP/HTTP, AMQP.
    Base(u16),
    /// On any that are free.
    Free,
}

/// How the span of a consumer stands to that of the producer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Relation {
    /// It is its child, and linked to it.
    #[default]
    Parent,
    /// It starts a trace of its own, with a link.
    Link,
}

/// A receiver of OTLP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Otlp {
    /// Its address, as `OTEL_EXPORTER_OTLP_ENDPOINT` takes it.
    pub endpoint: String,
    /// What it speaks.
    pub protocol: OtlpProtocol,
}

/// The Collectors between the services and the sink. They are run by `tracelab collector`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collectors {
    /// The Collector.
    pub program: PathBuf,
    /// Its set-up: of the only one, or of the two agents if there are gateways.
    pub file: PathBuf,
    /// The set-up of the two gateways that the agents send to.
    pub gateway: Option<PathBuf>,
}

/// The transports of OTLP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum OtlpProtocol {
    /// OTLP/gRPC.
    #[default]
    Grpc,
    /// OTLP/HTTP with binary protobuf.
    HttpProtobuf,
}

/// Longer than a service takes at most to finish its requests and export its spans.
const STOP_PATIENCE: Duration = Duration::from_secs(20);

// === impl Config ===

impl Config {
    /// A lab of the given `tracelab` program that is left as it comes: default ports, textbook
    /// pace, everything embedded.
    pub fn new(program: PathBuf) -> Config {
        Config {
            program,
            ports: Ports::Default,
            pace: Pace::Textbook,
            faults: true,
            messaging_relation: Relation::Parent,
            data_dir: None,
            database: None,
            amqp: None,
            otlp: None,
            collectors: None,
            sink: sink::Config::default(),
            stop_patience: STOP_PATIENCE,
            extra_env: Vec::new(),
        }
    }
}

// === impl Ports ===

impl Ports {
    /// Where a component is to listen; with port 0 if any will do.
    pub(crate) fn address(self, component: Component) -> Result<SocketAddr, Error> {
        let port = match self {
            _ if matches!(component, Component::Collector(_)) => component.default_port(),
            Ports::Default => component.default_port(),
            Ports::Base(base) => base
                .checked_add(component.offset())
                .filter(|_| base > 0)
                .ok_or(Error::PortBase(base))?,
            Ports::Free => 0,
        };
        Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
    }
}

// === impl Relation ===

impl Relation {
    /// The word for it on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Relation::Parent => "parent",
            Relation::Link => "link",
        }
    }
}

// === impl OtlpProtocol ===

impl OtlpProtocol {
    /// The word for it in `OTEL_EXPORTER_OTLP_PROTOCOL`.
    pub fn as_str(self) -> &'static str {
        match self {
            OtlpProtocol::Grpc => "grpc",
            OtlpProtocol::HttpProtobuf => "http/protobuf",
        }
    }
}
