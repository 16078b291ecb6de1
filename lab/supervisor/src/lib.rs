//! Starts the lab, watches it, and stops it.
//!
//! [`Lab::start`] runs the sink and the page in this process, and the broker and the five services
//! of the shop as child processes: the very program that serves them everywhere else, told by flags
//! and by the standard `OTEL_*` variables. A child that dies is started again at the same address.
//! What happens is told as [`Event`]s; nothing here prints, reads arguments or listens to signals.
//!
//! A child's standard input is a pipe that is held here. Its end is the sign to stop, and the
//! system gives that sign even if this process is killed: no child outlives the lab.

mod child;
mod config;
mod data;
mod databases;
mod error;
mod event;
mod flush;
mod keeper;
mod lab;
mod part;
mod recipe;

pub use process::memory::{Memory, ProcessMemory};

pub use self::{
    config::{Collectors, Config, Otlp, OtlpProtocol, Pace, Ports, Relation},
    error::Error,
    event::{Event, Events},
    flush::{Counts, FlushError, Flushed},
    lab::{Addresses, Lab, Service, Stopped},
    part::{Part, Tier},
};
