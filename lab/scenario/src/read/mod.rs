//! Nodes into types: one file for each part of the scenario file.

mod attributes;
mod condition;
mod fields;
mod journey;
mod latency;
mod lint;
mod load;
mod names;
mod scalars;
mod scenario;
mod tree;

pub use scenario::{lint, scenario};
