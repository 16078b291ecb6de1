//! The scenarios that are part of the binary, so that it works in any directory.

use crate::{Error, Scenario, parse, word};

/// Name, path and text of each file in `/scenarios`.
const FILES: &[(&str, &str, &str)] = include!(concat!(env!("OUT_DIR"), "/embedded.rs"));

/// The names of the embedded scenarios.
pub fn names() -> impl Iterator<Item = &'static str> + Clone {
    FILES.iter().map(|(name, _, _)| *name)
}

/// The text of the embedded scenario with this name.
///
/// # Errors
///
/// When no embedded scenario has this name; the error names the nearest.
pub fn text(name: &str) -> Result<&'static str, Error> {
    find(name).map(|(_, _, text)| *text)
}

/// The embedded scenario with this name.
///
/// # Errors
///
/// When no embedded scenario has this name; the error names the nearest.
pub fn embedded(name: &str) -> Result<Scenario, Error> {
    let (_, path, text) = find(name)?;
    parse(path, text)
}

fn find(name: &str) -> Result<&'static (&'static str, &'static str, &'static str), Error> {
    FILES
        .iter()
        .find(|(known, _, _)| *known == name)
        .ok_or_else(|| {
            Error::of_file(name, "no embedded scenario has this name".to_owned())
                .with_hint(word::suggest(name, names()))
        })
}
