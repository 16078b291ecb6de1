//! Where something stands in a request, for messages.

use std::fmt;

use thiserror::Error;

/// Something in a JSON document that OTLP does not have in that place.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{place}: {want} is needed, not {got}")]
pub struct Mismatch {
    /// Where it is.
    pub place: Place,
    /// What has its place there.
    pub want: String,
    /// What is there.
    pub got: String,
}

/// The way to a value in a request: `resourceSpans[0].scopeSpans[1].spans[2].kind`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place(Vec<Step>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Key(&'static str),
    Index(usize),
}

// === impl Place ===

impl Place {
    pub(crate) fn push(&mut self, step: Step) {
        self.0.push(step);
    }

    pub(crate) fn pop(&mut self) {
        self.0.pop();
    }

    /// The number of steps.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Goes back to this number of steps.
    pub(crate) fn truncate(&mut self, steps: usize) {
        self.0.truncate(steps);
    }

    /// A place from steps that were collected from the inside to the outside.
    pub(crate) fn from_inside(mut steps: Vec<Step>) -> Place {
        steps.reverse();
        Place(steps)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("the document");
        }
        for (at, step) in self.0.iter().enumerate() {
            match step {
                Step::Key(key) if at == 0 => f.write_str(key)?,
                Step::Key(key) => write!(f, ".{key}")?,
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}
