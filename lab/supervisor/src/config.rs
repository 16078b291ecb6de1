//! [`Config`]: the ports and the pace of a lab, and external servers that replace embedded components.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use browser_guard::AllowedHosts;
use protocol::Pace;

use crate::{Component, Error};

/// The configuration of a lab.
#[derive(Clone, Debug)]
pub struct Config {
    /// The path of the `tracelab` program that is started for each child.
    pub program: PathBuf,
    /// The ports of the loopback address on which the components listen.
    pub ports: Ports,
    /// Whether steps that a demo cannot really do take a simulated time.
    pub pace: Pace,
    /// Whether the services honour the faults that a request asks for.
    pub faults: bool,
    /// Whether the consumer of a message continues its trace or starts one with a link to it.
    pub messaging_relation: Relation,
    /// The folder for databases and mails. Without it they are in a temporary folder, which is removed with
    /// the lab.
    pub data_dir: Option<PathBuf>,
    /// A PostgreSQL server that replaces the SQLite files, as a `postgres://` address. Each service gets its
    /// own database; the databases are dropped with the lab unless `data_dir` is set.
    pub database: Option<String>,
    /// A broker such as RabbitMQ that replaces the embedded broker, as an `amqp://` address.
    pub amqp: Option<String>,
    /// The receiver to which the services send their telemetry instead of the sink. The sink runs in any
    /// case.
    pub otlp: Option<Otlp>,
    /// The Collectors between the services and the sink. Cannot be combined with `otlp`.
    pub collectors: Option<Collectors>,
    /// The limits of the sink.
    pub sink: sink::Config,
    /// The names by which the services may be reached, besides addresses and `localhost`.
    pub allowed_hosts: AllowedHosts,
    /// The longest time that the lab may take to stop; children that are slower are killed.
    pub stop_patience: Duration,
    /// Environment variables for some children. They replace variables that the lab sets.
    pub extra_env: Vec<(Component, String, String)>,
}

/// The ports on which the components of a lab listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Ports {
    /// The ports that the documentation names.
    #[default]
    Default,
    /// Nine consecutive ports from this one: page, checkout, payment, provider, inventory, email, OTLP/gRPC,
    /// OTLP/HTTP, AMQP.
    Base(u16),
    /// Any free ports.
    Free,
}

/// The relation of a consumer's span to the producer's span.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Relation {
    /// The span is a child of the producer's span, and has a link to it.
    #[default]
    Parent,
    /// The span starts a new trace, with a link to the producer's span.
    Link,
}

/// A receiver of OTLP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Otlp {
    /// Its address, in the form of `OTEL_EXPORTER_OTLP_ENDPOINT`.
    pub endpoint: String,
    /// Its transport.
    pub protocol: OtlpProtocol,
}

/// The Collectors between the services and the sink. They are run by `tracelab collector`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collectors {
    /// The program of the Collector.
    pub program: PathBuf,
    /// The set-up file: of the only Collector, or of the two agents if there are gateways.
    pub file: PathBuf,
    /// The set-up file of the two gateways that the agents send to.
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
const STOP_PATIENCE: Duration = Duration::from_secs(8);

// === impl Config ===

impl Config {
    /// The default lab of the given `tracelab` program: default ports, textbook pace, everything embedded.
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
            allowed_hosts: AllowedHosts::default(),
            stop_patience: STOP_PATIENCE,
            extra_env: Vec::new(),
        }
    }
}

// === impl Ports ===

impl Ports {
    /// The address on which a component listens; port 0 means any free port.
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
    /// The name on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Relation::Parent => "parent",
            Relation::Link => "link",
        }
    }
}

// === impl OtlpProtocol ===

impl OtlpProtocol {
    /// The value in `OTEL_EXPORTER_OTLP_PROTOCOL`.
    pub fn as_str(self) -> &'static str {
        match self {
            OtlpProtocol::Grpc => "grpc",
            OtlpProtocol::HttpProtobuf => "http/protobuf",
        }
    }
}
