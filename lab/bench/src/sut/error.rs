//! [`SutError`]: why a SUT cannot be benchmarked.

use std::{fmt, io, net::SocketAddr, path::PathBuf, process::ExitStatus, time::Duration};

use plain::Plain;
use process::Said;
use thiserror::Error;

/// Why a SUT cannot be benchmarked.
#[derive(Debug, Error)]
pub enum SutError {
    /// The command line is not what a shell takes.
    #[error("{0:?} has a quotation mark or a backslash without its end")]
    Quotes(String),
    /// The command line has no program.
    #[error("{0:?} names no program")]
    NoProgram(String),
    /// There is no Collector.
    #[error(
        "there is no {} on PATH, and no Collector at {}, where `scripts/parts collector` builds one; give the \
         path of the program", Plain(.word), Plain(.parts.display())
    )]
    NoCollector {
        /// The program of the command line.
        word: String,
        /// Where `scripts/parts` builds one.
        parts: PathBuf,
    },
    /// The set-up of a Collector cannot be used.
    #[error(transparent)]
    Setup(#[from] collector::Error),
    /// The command line says where the SUT receives OTLP/HTTP, and OTLP/gRPC is to be sent, or the other way round.
    #[error(
        "the command has {has} and not {lacks}, so that it does not receive what is sent; choose another protocol"
    )]
    OtherProtocol {
        /// Its placeholder.
        has: &'static str,
        /// The placeholder of the protocol that is sent.
        lacks: &'static str,
    },
    /// The program cannot be started.
    #[error("cannot start {}", Plain(.program))]
    Start {
        /// The program.
        program: String,
        /// The error of the system.
        source: io::Error,
    },
    /// The program cannot be kept on its core.
    #[error("cannot keep the SUT on core {core}")]
    Pin {
        /// The core.
        core: usize,
        /// The error of the system.
        source: io::Error,
    },
    /// The system has no free port.
    #[error("no free port can be had")]
    Ports(#[source] io::Error),
    /// The folder of the SUT cannot be made.
    #[error("cannot make a folder for the SUT")]
    Folder(#[source] io::Error),
    /// The program ended before it listened.
    #[error("the SUT ended ({status}) before it listened on {address}{}", Said(.said))]
    Ended {
        /// Its exit status.
        status: ExitStatus,
        /// Where it ought to listen.
        address: SocketAddr,
        /// The last lines that it wrote.
        said: Vec<String>,
    },
    /// The program runs and does not listen.
    #[error(
        "the SUT runs, and does not listen on {address} after {} ({}){}",
        Seconds(.patience), .placeholder, Said(.said)
    )]
    NotReady {
        /// Where it ought to listen.
        address: SocketAddr,
        /// How the command line says that.
        placeholder: &'static str,
        /// The time that was waited.
        patience: Duration,
        /// The last lines that it wrote.
        said: Vec<String>,
    },
    /// The address of a running SUT is none.
    #[error(transparent)]
    NoTarget(#[from] firehose::NoTarget),
    /// The running SUT cannot be reached.
    #[error("nothing listens on {target}")]
    NotReachable {
        /// Where it ought to listen.
        target: String,
        /// The error of the system.
        source: io::Error,
    },
    /// The process of a running SUT is not there.
    #[error("there is no process {0}, which was named as that of the SUT")]
    NoProcess(u32),
}

struct Seconds<'a>(&'a Duration);

// === impl SutError ===

impl SutError {
    /// Whether the input is wrong, and neither the SUT nor the machine.
    pub fn is_of_input(&self) -> bool {
        match self {
            SutError::Setup(error) => error.is_of_input(),
            SutError::Quotes(_)
            | SutError::NoProgram(_)
            | SutError::NoCollector { .. }
            | SutError::OtherProtocol { .. }
            | SutError::NoTarget(_)
            | SutError::NoProcess(_) => true,
            SutError::Start { source, .. } => source.kind() == io::ErrorKind::NotFound,
            _ => false,
        }
    }

    /// The last lines of the SUT, where it was started.
    pub fn said(&self) -> &[String] {
        match self {
            SutError::Ended { said, .. } | SutError::NotReady { said, .. } => said,
            _ => &[],
        }
    }
}

// === impl Seconds ===

impl fmt::Display for Seconds<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} s", self.0.as_secs_f64())
    }
}
