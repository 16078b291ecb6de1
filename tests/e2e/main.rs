//! End-to-end tests: the real binary, real processes, real AMQP and real OTLP. One test binary, with a
//! module for each topic.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the bans are for what users run"
)]

mod any_traces;
mod bad_input;
mod bench;
mod broker;
mod broker_memory;
mod collector;
mod diagnose;
mod docs;
mod every_scenario;
mod fault_pairs;
mod faults;
mod full_disk;
mod help;
mod large_files;
#[path = "../../lab/broker/tests/rabbitmq/node.rs"]
mod node;
mod nothing_lost;
mod outages;
mod postgres;
mod printed_as_text;
mod real;
mod run;
mod scenarios;
mod seen;
mod shop;
mod silence;
mod sink;
mod stopping;
mod support;
mod unusable_broker;
mod up;
mod validate;
