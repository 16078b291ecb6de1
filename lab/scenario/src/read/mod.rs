//! Nodes into types: one file for each part of the scenario file.

mod attributes;
mod fields;
mod lint;
mod scalars;
mod scenario;
mod tree;

pub use scenario::scenario;
