//! Why there is no Collector to send to.

use std::{fmt, io, net::SocketAddr, path::PathBuf, process::ExitStatus, time::Duration};

use process::Said;
use thiserror::Error;

/// Why there is no Collector to send to.
#[derive(Debug, Error)]
pub enum Error {
    /// There is none on this machine, as far as was looked.
    #[error(
        "there is no OpenTelemetry Collector: neither otelcol-contrib nor otelcol is on PATH, nor is there \
         {}; `scripts/parts collector` builds one there, releases are at \
         https://github.com/open-telemetry/opentelemetry-collector-releases (take otelcol-contrib), and \
         --collector BIN names one that is somewhere else", .parts.display()
    )]
    NotFound {
        /// Where `scripts/parts` puts it.
        parts: PathBuf,
    },
    /// The one that was named is no program.
    #[error("{} is no program that can be run; --collector takes the path of an OpenTelemetry Collector", .0.display())]
    NoProgram(PathBuf),
    /// The program that was found cannot be started.
    #[error("cannot start {}", .program.display())]
    Start {
        /// The program.
        program: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The set-up cannot be read.
    #[error("cannot read {} (a set-up is a file, such as collector-config/base.yaml, or a folder with agent.yaml and gateway.yaml)", .file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The set-up does not take its addresses from where they are given.
    #[error(
        "{} does not say ${{env:{variable}}}: a set-up must take its addresses from the environment, so that \
         it can run anywhere; write {example}", .file.display()
    )]
    NoAddress {
        /// The file.
        file: PathBuf,
        /// The variable that it does not mention.
        variable: &'static str,
        /// What would be right.
        example: &'static str,
    },
    /// The Collector does not take the set-up.
    #[error("{} does not take {}:\n{}", .program.display(), .file.display(), Indented(.message))]
    Refused {
        /// The program.
        program: PathBuf,
        /// The file.
        file: PathBuf,
        /// What it says, which names the key or the line.
        message: String,
    },
    /// It came to its end by itself.
    #[error("the Collector ended ({status}){}", Said(.said))]
    Ended {
        /// How.
        status: ExitStatus,
        /// The last lines that it wrote.
        said: Vec<String>,
    },
    /// It runs, and does not listen.
    #[error("the Collector does not listen on {address} after {} s{}", .patience.as_secs(), Said(.said))]
    NotReady {
        /// Where it should.
        address: SocketAddr,
        /// How long it was waited for.
        patience: Duration,
        /// The last lines that it wrote.
        said: Vec<String>,
    },
    /// A variable holds no address.
    #[error("{variable} is {value:?}; it must be HOST:PORT, such as 127.0.0.1:14317")]
    Address {
        /// The variable.
        variable: &'static str,
        /// What it holds.
        value: String,
    },
    /// No free port can be had.
    #[error("no free port can be had")]
    Ports(#[source] io::Error),
}

// === impl Error ===

impl Error {
    /// Whether it is what was asked for that is wrong, and not the machine.
    pub fn is_of_input(&self) -> bool {
        matches!(
            self,
            Error::NoProgram(_)
                | Error::Unreadable { .. }
                | Error::NoAddress { .. }
                | Error::Refused { .. }
                | Error::Address { .. }
        )
    }
}

struct Indented<'a>(&'a str);

impl fmt::Display for Indented<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = self.0.lines();
        if let Some(first) = lines.next() {
            write!(f, "  {first}")?;
        }
        lines.try_for_each(|line| write!(f, "\n  {line}"))
    }
}
