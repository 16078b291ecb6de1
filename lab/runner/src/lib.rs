//! Runs scenarios and gives their verdicts.
//!
//! The ledger of the load generator records the requests and their answers; the sink holds the traces.
//! [`run`] drives the load of each phase of a scenario (the fault, its twin, its near miss), waits until
//! every trace is settled, and compares the ledger with the traces: each faulty trace must fulfil the
//! expectation of the scenario, each trace of a twin or a near miss must not, each request must have a trace,
//! and each span must belong to a request. The traces of a long load are judged as they settle, and forgotten.
//!
//! This crate must not know how a load is driven, how a trace is matched, or how a lab is started.

mod case;
mod check;
mod conditions;
mod digest;
mod drive;
mod environment;
mod error;
mod follow;
mod judge;
mod known;
mod labels;
mod outcome;
mod phase;
mod phase_traces;
mod plan;
mod progress;
mod report;
mod run;
mod sampled_out;
mod scenario_run;
mod set_parameter;
mod settings;
mod settle;
mod stalls;
mod tally;
mod times;
mod traces;
mod twin;

pub use case::{Case, Unexplained};
pub use check::{Checked, check, check_spans};
pub use environment::{EnvironmentError, RunningLabError};
pub use error::RunError;
pub use judge::{LatencyLine, UnsupportedFinding};
pub use labels::{Group, LabelsError, labelled};
pub use outcome::{Finished, Latencies, PhaseReport, PhaseRun};
pub use phase::Phase;
pub use plan::Overrides;
pub use progress::Progress;
pub use report::{FilesError, Kept, Report, junit, markdown, summary, text, write_files};
pub use run::run;
pub use set_parameter::{SetError, SetParameter};
pub use settings::{LabChoice, OutFolder, Settings};
pub use stalls::StallWatch;
