//! Copies of templates, and what senders say of receivers.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod accounts;
mod answers;
mod examples;
mod patch;
mod proxy;
mod receivers;

use std::sync::Arc;

use firehose::{Batch, Encoding, Framing, Template};

/// How many spans the built-in order has.
const SPANS: usize = 12;

/// A request with a number of the built-in orders.
fn orders(traces: usize, encoding: Encoding, framing: Framing) -> Batch {
    let template = Arc::new(Template::new(&firehose::typical()).unwrap());
    Batch::new(template, 3, traces * SPANS, encoding, framing).unwrap()
}
