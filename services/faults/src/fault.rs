//! The description of a fault: what is known of it before it is switched on.

use std::fmt;

use crate::Value;

/// A named misbehaviour of a service, with a real mechanism.
#[derive(Debug, PartialEq)]
pub struct Fault {
    /// Its name, such as `slow-provider`.
    pub name: &'static str,
    /// The service in which it acts.
    pub service: &'static str,
    /// One sentence that says what the service does wrong.
    pub summary: &'static str,
    /// Its parameters.
    pub parameters: &'static [Parameter],
    /// The requests that it affects.
    pub reach: Reach,
    /// The part of the lab without which it cannot act; `None`: it always can.
    pub needs: Option<Need>,
}

/// A parameter of a fault: a number or a word that sets how the fault acts.
#[derive(Debug, PartialEq)]
pub struct Parameter {
    /// Its name; a suffix gives the unit (`_ms`).
    pub name: &'static str,
    /// Its meaning, in a few words.
    pub summary: &'static str,
    /// The values that it may have.
    pub range: Range,
    /// The value that it has when none is given. `None`: the parameter then has no value.
    pub default: Option<Value>,
}

/// The values that a parameter may have.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Range {
    /// A whole number, both ends included.
    Integer(i64, i64),
    /// A number, both ends included.
    Number(f64, f64),
    /// One of these words.
    Words(&'static [&'static str]),
}

/// The requests that a fault affects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Only the request that carries the fault.
    Request,
    /// Other requests as well: the fault makes them contend for something, or stops something that they
    /// share.
    Everyone,
}

/// A part of the lab that a fault needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// A database with locks on rows. SQLite has one lock for the whole database.
    Postgresql,
}

// === impl Fault ===

impl Fault {
    /// Finds a parameter by its name.
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
