//! A diagnosis as text and Markdown for people, and as JSON for machines.

mod json;
mod markdown;
mod text;

pub use json::to_json;
pub use markdown::markdown;
pub use text::{Style, text};

use trace::CriticalPath;

use crate::Diagnosis;
use crate::hash::HashMap;

/// A section of a critical path: the contribution of one span.
#[derive(Clone, Debug, PartialEq)]
pub struct Section {
    /// The index of the span in the trace.
    pub place: usize,
    /// The part of the path that is the span's own time, in nanoseconds.
    pub ns: u64,
}

/// The sections of a critical path, one for each span, in the order in which the spans first appear on it.
pub fn sections(path: &CriticalPath) -> Vec<Section> {
    let mut sections: Vec<Section> = Vec::new();
    let mut known = HashMap::default();
    for segment in &path.segments {
        let at = *known.entry(segment.span).or_insert_with(|| {
            sections.push(Section {
                place: segment.span,
                ns: 0,
            });
            sections.len() - 1
        });
        sections[at].ns += segment.end_ns - segment.start_ns;
    }
    sections
}

impl Diagnosis<'_> {
    /// The critical path of the user's request; `None` in a trace without spans.
    pub fn path(&self) -> Option<&CriticalPath> {
        let root = self.walk.steps.first()?.place;
        self.paths
            .iter()
            .find(|path| path.root == root)
            .or(self.paths.first())
    }

    /// The critical paths of work that messages started, for which the user did not wait.
    pub fn later(&self) -> impl Iterator<Item = &CriticalPath> {
        self.paths
            .iter()
            .filter(|path| self.trace.parent(path.root).is_some())
    }

    /// The time from the start of the trace to the end of the last work that a message started, in
    /// nanoseconds; `None` without such work.
    pub fn end_to_end_ns(&self) -> Option<u64> {
        let last = self
            .later()
            .map(|path| self.trace.span(path.root).end_ns)
            .max()?;
        Some(last.saturating_sub(self.trace.start_ns()))
    }
}
