//! Runs scenarios and comes to a verdict.
//!
//! The load generator's ledger says what was asked and answered; the sink holds what was traced.
//! [`run`] drives the load of each phase of a scenario (the fault, its twin, its near miss), waits until
//! every trace is settled, and holds the one against the other: each faulty trace must be as the
//! scenario expects, each trace of a twin or a near miss must not, each request must have a trace at all,
//! and each span must belong to a request.
//!
//! It must not know how a load is driven, how a trace is matched, or how a lab is started.

mod api;
mod case;
mod check;
mod conditions;
mod described;
mod drive;
mod error;
mod ground;
mod judge;
mod labels;
mod order;
mod outcome;
mod phase;
mod plan;
mod progress;
mod remote;
mod report;
mod run;
mod sampled_out;
mod scenario_run;
mod set_parameter;
mod settings;
mod shop;
mod site;
mod stalls;
mod standing;
mod traces;

pub use api::{Requests, answer, routes};
pub use case::{Case, Unexplained};
pub use check::{Checked, check_spans};
pub use described::{Database, Described};
pub use error::RunError;
pub use ground::GroundError;
pub use judge::{LatencyLine, UnsupportedFinding};
pub use labels::{Group, LabelsError, labelled};
pub use order::{MOST_ORDERS, OrderError, Placed, PlacedOrders, Taken, place_order, whole_order};
pub use outcome::{Finished, Latencies, PhaseReport, PhaseRun};
pub use phase::Phase;
pub use plan::Overrides;
pub use progress::Progress;
pub use remote::RemoteError;
pub use report::{FilesError, Kept, Report, junit, markdown, summary, text, write_files};
pub use run::run;
pub use set_parameter::{SetError, SetParameter};
pub use settings::{Place, Settings};
pub use shop::{Elsewhere, Listens, Shop, describe};
pub use stalls::StallWatch;
pub use standing::StandingError;
