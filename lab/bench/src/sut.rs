//! [`Sut`]: the system under test (SUT), a program that the benchmark starts or one that runs already.
//!
//! A [`SutCommand`] is a command line. Its placeholders and the variables of `collector-config/README.md` tell the
//! program where to receive and where to send:
//!
//! | placeholder | variable | what |
//! | --- | --- | --- |
//! | `{in}` | `COLLECTOR_OTLP_GRPC` | `HOST:PORT` where it receives OTLP/gRPC |
//! | `{in_http}` | `COLLECTOR_OTLP_HTTP` | `HOST:PORT` where it receives OTLP/HTTP |
//! | `{out}` | `LAB_OTLP_GRPC` | `HOST:PORT` of the receiving end, for both |
//! | `{dir}` | `BENCH_DIR` | a folder of its own, empty at the start, kept over a restart |
//!
//! It must not know what is sent, or what comes back.

use std::{fmt, net::SocketAddr, time::Duration};

use firehose::Protocol;

mod addresses;
mod command_line;
mod error;
mod running;
mod started;

pub use self::{
    command_line::SutCommand,
    error::SutError,
    running::RunningSut,
    started::{Ended, StartedSut},
};

/// The longest wait until a SUT listens. A Collector takes about a second.
pub const START_PATIENCE: Duration = Duration::from_secs(25);

/// What is benchmarked.
#[derive(Clone, Debug)]
pub enum SutSpec {
    /// A program that the benchmark starts.
    Command(SutCommand),
    /// A program that runs already.
    Running(RunningSut),
    /// The receiving end itself.
    Sink,
}

/// How a SUT is started, or reached.
#[derive(Clone, Debug)]
pub struct SutSettings {
    /// The receiving end, where the SUT sends to by OTLP/gRPC or OTLP/HTTP.
    pub out: SocketAddr,
    /// The protocol that is sent to it: it is ready when it listens for that.
    pub protocol: Protocol,
    /// The core on which all its threads run; `None` is any.
    pub core: Option<usize>,
    /// The longest wait until it listens, such as [`START_PATIENCE`].
    pub patience: Duration,
}

/// A SUT that listens.
#[derive(Debug)]
pub enum Sut {
    /// The benchmark has started it, and ends it.
    Started(Box<StartedSut>),
    /// It was there before.
    Running(RunningSut),
}

/// How a SUT ended that ought to run.
#[derive(Clone, Debug)]
pub struct Death {
    /// `exit status: 1` or `signal: 9 (SIGKILL)`; `None` where the benchmark has not started it.
    pub status: Option<std::process::ExitStatus>,
    /// The last lines that it wrote; empty where the benchmark has not started it.
    pub said: Vec<String>,
}

// === impl SutSpec ===

impl SutSpec {
    /// Starts the program, or sees whether the running one is there, and waits until it listens; `None` for the
    /// receiving end itself, which is started by the caller.
    ///
    /// # Errors
    ///
    /// [`SutError`]: it cannot be started, ends, or does not listen in time.
    pub async fn start(&self, settings: SutSettings) -> Result<Option<Sut>, SutError> {
        Ok(match self {
            SutSpec::Command(command) => {
                let started = StartedSut::start(command, settings).await?;
                Some(Sut::Started(Box::new(started)))
            }
            SutSpec::Running(running) => {
                running.reach(settings.patience).await?;
                Some(Sut::Running(running.clone()))
            }
            SutSpec::Sink => None,
        })
    }
}

/// The SUT in words: its command line, or its address.
impl fmt::Display for SutSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SutSpec::Command(command) => command.fmt(f),
            SutSpec::Running(running) => running.fmt(f),
            SutSpec::Sink => f.write_str("the receiving end itself"),
        }
    }
}

// === impl Sut ===

impl Sut {
    /// Where requests are sent.
    pub fn target(&self) -> firehose::Target {
        match self {
            Sut::Started(sut) => sut.target(),
            Sut::Running(sut) => sut.target().clone(),
        }
    }

    /// The process to measure, with all its descendants; `None` if it was not named.
    pub fn pid(&self) -> Option<u32> {
        match self {
            Sut::Started(sut) => Some(sut.pid()),
            Sut::Running(sut) => sut.pid(),
        }
    }

    /// The last lines that it has written so far.
    pub fn said(&self) -> Vec<String> {
        match self {
            Sut::Started(sut) => sut.said(),
            Sut::Running(_) => Vec::new(),
        }
    }

    /// Waits until it ends by itself, which may be for ever. It may be dropped and called again.
    pub async fn died(&mut self) -> Death {
        match self {
            Sut::Started(sut) => sut.died().await,
            Sut::Running(sut) => sut.died().await,
        }
    }

    /// Ends it, if the benchmark has started it.
    pub async fn stop(self) -> Option<Ended> {
        match self {
            Sut::Started(sut) => Some(sut.stop().await),
            Sut::Running(_) => None,
        }
    }
}

// === impl Death ===

impl fmt::Display for Death {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.status {
            Some(status) => write!(f, "the SUT ended ({status}){}", process::Said(&self.said)),
            None => f.write_str("the SUT ended"),
        }
    }
}
