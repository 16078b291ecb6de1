//! Goose journeys through the shop, and the ledger of requests and answers.
//!
//! [`drive`] carries out a [`Plan`]: goose users go through the shop (`PUT /carts/{id}`, then `POST
//! /checkout`), and every request leaves a [`Line`] in the ledger, answered or not. The ledger is the ground
//! truth of a run: the instruments are checked against it.
//!
//! Orders start no traces here: they send no `traceparent`, only baggage `lab.request=<id>`, and the trace id
//! comes from the reply's `traceresponse` header (a draft of the W3C). Services of the user may not send this
//! header, so requests to them carry a `traceparent` whose trace id is chosen here. This crate knows nothing
//! about OpenTelemetry or how traces are stored.
#![warn(
    clippy::missing_errors_doc,
    reason = "callers in other crates must know when a call fails"
)]

mod attack;
mod brake;
mod dispatcher;
mod drive;
mod error;
mod journey;
mod latency;
mod ledger;
mod plan;
mod process;
mod report;

pub use self::{
    brake::Brake,
    drive::{LoadReport, Recording, drive, drive_with_brake},
    error::Error,
    latency::Latency,
    ledger::{Line, LoadProgress, RequestId, Step, UnixNanos},
    plan::{Journey, OrderJourney, Plan, Request, Weighted},
    process::reserve_ctrl_c,
};
