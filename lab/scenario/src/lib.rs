//! The scenario file: parse and lint, with a position in every error.
//!
//! A scenario says what load the shop is given and what its traces must look like. This crate
//! turns the file into types ([`Scenario`], [`Expectation`]) and refuses what it does not
//! understand: a word that is not known is an error with its place and the nearest word that is,
//! and never ignored. It must not know how an expectation is checked or how a load is driven.
//!
//! ```
//! let text = "
//! name: one-order
//! title: One order
//! load: { requests: 1, users: 1 }
//! expect:
//!   trace: { roots: 1, orphans: 0 }
//!   tree:
//!     - span: { service: checkout, name: POST /checkout, kind: sever }
//! ";
//! let error = scenario::parse("one-order.yaml", text).unwrap_err();
//! assert_eq!(
//!     error.to_string().lines().next(),
//!     Some(r#"one-order.yaml:8:62: unknown kind "sever"; did you mean "server"?"#),
//! );
//! ```
#![warn(
    clippy::missing_errors_doc,
    reason = "callers in other crates must know when a call fails"
)]

pub mod embedded;
pub mod error;
pub mod expectation;
pub mod file;
pub mod need;
pub mod range;

mod read;
mod skeleton;
mod word;
mod yaml;

use std::path::Path;

pub use embedded::embedded;
pub use error::{Error, Position};
pub use expectation::{
    Among, Check, Comparison, Condition, Counts, EventNode, Expectation, Forbidden, LinkNode, Node,
    Operand, PathShare, Pattern, Reference, Text, TextPattern, Timing, Want,
};
pub use file::{
    FindingWant, Journey, LatencyWant, OrderJourney, Percentile, Request, Scenario, Target,
    TimeWant, Variant, Weighted,
};
pub use need::Need;
pub use range::{Count, DoubleRange, DurationRange, IntRange};
pub use read::{lint, scenario as parse, to_check as parse_to_check};
pub use skeleton::skeleton;

/// No scenario file is longer: 1 MiB.
pub const MAX_BYTES: usize = 1 << 20;

/// The JSON Schema of a scenario file, for editors and other tools.
pub fn schema() -> &'static str {
    include_str!("../schema.json")
}

/// Reads and parses a scenario file.
///
/// # Errors
///
/// When the file cannot be read, or as of [`parse`].
pub fn load(path: &Path) -> Result<Scenario, Error> {
    parse(&path.display().to_string(), &read_text(path)?)
}

/// Reads the text of a scenario file.
///
/// # Errors
///
/// When the file cannot be read or is not UTF-8.
pub fn read_text(path: &Path) -> Result<String, Error> {
    std::fs::read_to_string(path).map_err(|error| {
        Error::of_file(
            &path.display().to_string(),
            format!("cannot be read: {error}"),
        )
    })
}

/// Finds a scenario by what a user typed: the path of a file, or the name of an embedded one.
///
/// What holds a path separator or ends in `.yaml` or `.yml` is a path.
///
/// # Errors
///
/// As of [`load`] for a path, and as of [`embedded()`] for a name.
pub fn find(name_or_path: &str) -> Result<Scenario, Error> {
    match as_path(name_or_path) {
        Some(path) => load(path),
        None => embedded(name_or_path),
    }
}

/// Finds a scenario as [`find`] does, to check recorded traces with it. These may be of any system: services and
/// names that the shop does not have are no mistake.
///
/// # Errors
///
/// As of [`find`], without what is known of the shop.
pub fn find_to_check(name_or_path: &str) -> Result<Scenario, Error> {
    match as_path(name_or_path) {
        Some(path) => parse_to_check(&path.display().to_string(), &read_text(path)?),
        None => embedded(name_or_path),
    }
}

/// Finds the text of a scenario, by the path of a file or the name of an embedded one.
///
/// # Errors
///
/// As of [`read_text`] for a path, and as of [`embedded::text`] for a name.
pub fn find_text(name_or_path: &str) -> Result<String, Error> {
    match as_path(name_or_path) {
        Some(path) => read_text(path),
        None => embedded::text(name_or_path).map(str::to_owned),
    }
}

fn as_path(name_or_path: &str) -> Option<&Path> {
    let path = Path::new(name_or_path);
    let yaml = path
        .extension()
        .is_some_and(|extension| extension == "yaml" || extension == "yml");
    (yaml || path.components().count() > 1).then_some(path)
}
