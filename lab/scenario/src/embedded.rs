//! The scenarios that are part of the binary, so that it works in any directory.

use crate::{Error, Scenario, parse, word};

/// Name, path and text of each file in `/scenarios`.
const FILES: [(&str, &str, &str); 1] = [(
    "checkout",
    "scenarios/checkout.yaml",
    include_str!("../../../scenarios/checkout.yaml"),
)];

/// The names of the embedded scenarios.
pub fn names() -> impl Iterator<Item = &'static str> + Clone {
    FILES.iter().map(|(name, _, _)| *name)
}

/// The embedded scenario with this name; the error names the nearest one.
pub fn embedded(name: &str) -> Result<Scenario, Error> {
    match FILES.iter().find(|(known, _, _)| *known == name) {
        Some((_, path, text)) => parse(path, text),
        None => Err(
            Error::of_file(name, "no embedded scenario has this name".to_owned())
                .with_hint(word::suggest(name, names())),
        ),
    }
}
