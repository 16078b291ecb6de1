//! [`Settings`]: how and where scenarios are run.

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use backends::Reader;
use collector::CollectorEffect;
use reqwest::Url;
use supervisor::Config;

use crate::{phase::Phase, plan::Overrides, report::Kept};

/// How scenarios are run.
#[derive(Debug)]
pub struct Settings {
    /// The lab in which scenarios are run.
    pub lab: LabChoice,
    /// The backend that traces are read from instead of the lab's sink. The services of a private lab must export
    /// to it.
    pub backend: Option<Arc<dyn Reader>>,
    /// The effect of a Collector on traces between the services and the sink.
    pub collector_effect: CollectorEffect,
    /// The phases that are run. The twin is also driven if a scenario compares with it.
    pub phases: Vec<Phase>,
    /// The values that replace those of the scenarios.
    pub overrides: Overrides,
    /// The longest time for traces to settle after the load of a phase.
    pub patience: Duration,
    /// The seed that decides which products are bought.
    pub seed: u64,
    /// The number of scenarios that run at the same time, if they act on their own requests alone.
    pub side_by_side: usize,
    /// Whether the load and the pace are those of the scenario files. If not, findings that are caused by the
    /// load are no failure.
    pub as_written: bool,
    /// The addresses for OTLP/gRPC and OTLP/HTTP from the user's services, for a scenario with a target.
    pub receiver: (SocketAddr, SocketAddr),
    /// The folder for what a long load cannot keep until its end: its ledger and its traces.
    pub out: Option<OutFolder>,
}

/// A folder for the files of a run.
#[derive(Clone, Debug)]
pub struct OutFolder {
    /// The folder.
    pub path: PathBuf,
    /// Which traces are written there.
    pub kept: Kept,
}

/// The lab that scenarios are run in.
#[derive(Debug)]
pub enum LabChoice {
    /// A lab that is started for the scenarios.
    Private(Box<Config>),
    /// A lab that runs already, by the address of its page.
    Running(Url),
}
