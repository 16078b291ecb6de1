//! How scenarios are run, and where.

use std::{net::SocketAddr, time::Duration};

use collector::CollectorEffect;
use reqwest::Url;
use supervisor::Config;

use crate::{phase::Phase, plan::Overrides};

/// How scenarios are run.
#[derive(Debug)]
pub struct Settings {
    /// In which lab.
    pub lab: LabChoice,
    /// What becomes of traces between the services and the sink.
    pub collector_effect: CollectorEffect,
    /// Which phases; the twin is driven all the same where a scenario compares with it.
    pub phases: Vec<Phase>,
    /// In place of what the scenarios say.
    pub overrides: Overrides,
    /// How long traces may take to settle once the load of a phase is over.
    pub patience: Duration,
    /// Decides what is bought.
    pub seed: u64,
    /// How many scenarios are run at a time that touch nobody but themselves.
    pub side_by_side: usize,
    /// Whether the load and the pace are those that the scenarios speak of. Where they are not, findings
    /// that come of the load are no surprise.
    pub as_written: bool,
    /// Where services of one's own send OTLP/gRPC and OTLP/HTTP, for a scenario with a target.
    pub receiver: (SocketAddr, SocketAddr),
}

/// The lab that scenarios are run in.
#[derive(Debug)]
pub enum LabChoice {
    /// A lab of their own.
    Private(Box<Config>),
    /// A lab that runs already, whose page is at this address.
    Running(Url),
}
