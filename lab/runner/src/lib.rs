//! Runs a scenario against a lab and comes to a verdict.
//!
//! The load generator's ledger says what was asked and answered; the sink holds what was traced.
//! [`run`] drives the load, waits until every trace is settled, and holds the one against the
//! other: each checkout must have the trace that the scenario expects, each request must have a
//! trace at all, and each span must belong to a request.
//!
//! It must not know how a load is driven, how a trace is matched, or how a lab is started.

mod api;
mod judge;
mod order;
mod report;
mod run;
mod settle;

pub use api::{Described, Requests, answer, describe, routes};
pub use judge::{Case, Judgement, Unexplained};
pub use order::{OrderError, Placed, place_order, whole_order};
pub use report::{Latencies, Phase, Report, ScenarioReport};
pub use run::{Finished, Progress, RunError, Settings, run};
