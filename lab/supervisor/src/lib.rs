//! Starts the lab, watches it, and stops it.
//!
//! [`Lab::start`] runs the sink in this process, and the broker and the five services of the shop as child
//! processes of the same program, configured by flags and by the standard `OTEL_*` variables. A child that
//! A child that dies is started again at the same address. Events are reported as [`Event`]s; this crate does
//! not print, read arguments, listen to signals, or serve a page.
//!
//! This process holds the pipe of each child's standard input. The end of the pipe makes the child stop, and
//! the system closes the pipe even if this process is killed: no child outlives the lab.

mod child;
mod component;
mod config;
mod data;
mod databases;
mod error;
mod event;
mod flush;
mod folder_lock;
mod keeper;
mod lab;
mod listen;
mod recipe;

pub use process::{
    kill_all,
    memory::{Memory, ProcessMemory},
};

pub use self::{
    component::{Component, Tier},
    config::{Collectors, Config, Otlp, OtlpProtocol, Ports, Relation},
    error::Error,
    event::{Event, Events},
    flush::{Counts, FlushError, Flushed},
    lab::{Addresses, Lab, Service, Stopped},
    listen::listen,
};
