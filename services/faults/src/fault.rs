//! What is known of a fault before it is switched on.

use std::fmt;

use crate::Value;

/// A named misbehaviour with a real mechanism.
#[derive(Debug, PartialEq)]
pub struct Fault {
    /// Its name, such as `slow-provider`.
    pub name: &'static str,
    /// The service in which it acts.
    pub service: &'static str,
    /// What it does, in a sentence.
    pub summary: &'static str,
    /// Its parameters.
    pub parameters: &'static [Parameter],
    /// Whom it touches.
    pub reach: Reach,
    /// What it cannot do without.
    pub needs: Option<Need>,
}

/// A number or a word that says how a fault acts.
#[derive(Debug, PartialEq)]
pub struct Parameter {
    /// Its name; a unit stands at its end (`_ms`).
    pub name: &'static str,
    /// What it is, in a few words.
    pub summary: &'static str,
    /// What it may be.
    pub range: Range,
    /// What it is if nothing is said. `None`: then nothing is said of it at all.
    pub default: Option<Value>,
}

/// What a parameter may be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Range {
    /// A whole number, both ends included.
    Integer(i64, i64),
    /// A number, both ends included.
    Number(f64, f64),
    /// One of these words.
    Words(&'static [&'static str]),
}

/// Whom a fault touches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// The request that carries it, and no other.
    Request,
    /// Requests beside it as well: contention is its point, or it ends what they share.
    Everyone,
}

/// What a fault cannot do without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// A database with locks on rows: SQLite has one lock for all.
    Postgresql,
}

// === impl Fault ===

impl Fault {
    /// The parameter of a name.
    pub fn parameter(&self, name: &str) -> Option<&'static Parameter> {
        self.parameters
            .iter()
            .find(|parameter| parameter.name == name)
    }
}

// === impl Range ===

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Range::Integer(least, most) => write!(f, "a whole number from {least} to {most}"),
            Range::Number(least, most) => write!(f, "a number from {least} to {most}"),
            Range::Words(words) => write!(f, "one of {}", words.join(", ")),
        }
    }
}

// === impl Need ===

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Need::Postgresql => f.write_str("PostgreSQL"),
        }
    }
}
