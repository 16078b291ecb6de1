//! Why a Collector cannot be used.

use std::{fmt, io, net::SocketAddr, path::PathBuf, process::ExitStatus, time::Duration};

use plain::Plain;
use process::Said;
use thiserror::Error;

/// Why a Collector cannot be used.
#[derive(Debug, Error)]
pub enum Error {
    /// No Collector was found on this machine.
    #[error(
        "there is no OpenTelemetry Collector: neither otelcol-contrib nor otelcol is on PATH, nor is there \
         {}; `scripts/parts collector` builds one there, releases are at \
         https://github.com/open-telemetry/opentelemetry-collector-releases (take otelcol-contrib), and \
         --collector BIN names one that is somewhere else", Plain(.parts.display())
    )]
    NotFound {
        /// The place where `scripts/parts` builds it.
        parts: PathBuf,
    },
    /// The file that was named is not a program.
    #[error("{} is no program that can be run; --collector takes the path of an OpenTelemetry Collector", Plain(.0.display()))]
    NoProgram(PathBuf),
    /// The program cannot be started.
    #[error("cannot start {}", Plain(.program.display()))]
    Start {
        /// The program.
        program: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// The set-up cannot be read.
    #[error("cannot read {} (a set-up is a file, such as collector-config/base.yaml, or a folder with agent.yaml and gateway.yaml)", Plain(.file.display()))]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// The set-up does not take its addresses from the environment.
    #[error(
        "{} does not say ${{env:{variable}}}: a set-up must take its addresses from the environment, so that \
         it can run anywhere; write {example}", Plain(.file.display())
    )]
    NoAddress {
        /// The file.
        file: PathBuf,
        /// The variable that it does not use.
        variable: &'static str,
        /// An example of a correct line.
        example: &'static str,
    },
    /// The Collector does not accept the set-up.
    #[error("{} does not take {}:\n{}", Plain(.program.display()), Plain(.file.display()), Indented(.message))]
    Refused {
        /// The program.
        program: PathBuf,
        /// The file.
        file: PathBuf,
        /// The message of the Collector, which names the key or the line.
        message: String,
    },
    /// The Collector ended by itself.
    #[error("the Collector ended ({status}){}", Said(.said))]
    Ended {
        /// Its exit status.
        status: ExitStatus,
        /// The last lines that it wrote.
        said: Vec<String>,
    },
    /// The Collector runs, and does not listen.
    #[error("the Collector does not listen on {address} after {} s{}", .patience.as_secs(), Said(.said))]
    NotReady {
        /// The address where it should listen.
        address: SocketAddr,
        /// The time that was waited for it.
        patience: Duration,
        /// The last lines that it wrote.
        said: Vec<String>,
    },
    /// The value of a variable is not an address.
    #[error("{variable} is {value:?}; it must be HOST:PORT, such as 127.0.0.1:14317")]
    Address {
        /// The variable.
        variable: &'static str,
        /// Its value.
        value: String,
    },
    /// The system has no free port.
    #[error("no free port can be had")]
    Ports(#[source] io::Error),
}

// === impl Error ===

impl Error {
    /// Whether the input is wrong, and not the machine.
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
            write!(f, "  {}", Plain(first))?;
        }
        lines.try_for_each(|line| write!(f, "\n  {}", Plain(line)))
    }
}
