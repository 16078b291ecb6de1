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
mod check;
mod conditions;
mod drive;
mod findings;
mod ground;
mod judge;
mod labels;
mod latency;
mod left_out;
mod order;
mod part;
mod remote;
mod report;
mod run;
mod set_parameter;
mod shop;
mod stalls;
mod standing;
mod traces;

pub use api::{Database, Described, Requests, answer, describe, routes};
pub use check::{Checked, check_spans};
pub use findings::{OF_THE_LOAD, UnsupportedFinding};
pub use ground::GroundError;
pub use judge::{Case, Unexplained};
pub use labels::{Group, LabelsError, labelled};
pub use latency::LatencyLine;
pub use order::{MOST_ORDERS, OrderError, Placed, PlacedOrders, Taken, place_order, whole_order};
pub use part::{Overrides, Phase};
pub use remote::RemoteError;
pub use report::{
    FilesError, Kept, Latencies, PhaseReport, Report, junit, markdown, summary, text, write_files,
};
pub use run::{Finished, PhaseRun, Place, Progress, RunError, Settings, run};
pub use set_parameter::{SetError, SetParameter};
pub use shop::{Elsewhere, Listens, Shop};
pub use standing::StandingError;
