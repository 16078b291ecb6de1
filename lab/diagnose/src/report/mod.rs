//! A diagnosis as text and Markdown for people, and as JSON for machines.

mod json;
mod markdown;
mod neighbours;
mod text;

pub use json::{one_to_json, to_json};
pub use markdown::markdown;
pub use neighbours::{neighbours_markdown, neighbours_text};
pub use text::{Style, text};

use trace::{CriticalPath, Top};

use crate::{Diagnosis, Finding, format::format_ns, hash::HashMap};

/// A section of a critical path: the contribution of one span.
#[derive(Clone, Debug, PartialEq)]
pub struct Section {
    /// The index of the span in the trace.
    pub place: usize,
    /// The part of the path that is the span's own time, in nanoseconds.
    pub ns: u64,
}

/// Why a critical path is separate from that of the user's request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Apart {
    /// It belongs to another root.
    Root,
    /// It belongs to a span whose parent is missing, or whose cycle was cut.
    Cut,
    /// A message started the work.
    Message,
    /// The work goes on after its request has ended.
    After,
}

/// The highest number of paths that are apart in a text for people.
const SHOWN_APART: usize = 12;

impl Apart {
    /// The word in the JSON document.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Apart::Root => "root",
            Apart::Cut => "orphan",
            Apart::Message => "message",
            Apart::After => "after",
        }
    }
}

/// The cost of a finding, with its share of the wait: `costs 12 ms, 3 % of the wait`.
fn cost(finding: &Finding) -> Option<String> {
    let ns = u64::try_from(finding.cost.as_nanos()).unwrap_or(u64::MAX);
    let cost = format!("costs {}", format_ns(ns));
    match finding.share {
        _ if ns == 0 => None,
        None => Some(cost),
        Some(share) if share < 0.001 => Some(format!("{cost}, less than 0.1 % of the wait")),
        Some(share) if share < 0.01 => Some(format!("{cost}, {:.1} % of the wait", share * 100.0)),
        Some(share) => Some(format!("{cost}, {:.0} % of the wait", share * 100.0)),
    }
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

    /// All critical paths but that of the user's request, each with the reason why it is separate: those of
    /// other roots, those of work that messages started, and those of work that goes on after its request.
    pub fn apart(&self) -> impl Iterator<Item = (Apart, &CriticalPath)> {
        let first = self.path().map(|path| path.root);
        let apart = |path: &CriticalPath| match self.trace.top(path.root) {
            None => Apart::Message,
            Some(Top::Root) => Apart::Root,
            Some(Top::Orphan | Top::Cycle) => Apart::Cut,
        };
        let others = self
            .paths
            .iter()
            .filter(move |path| Some(path.root) != first)
            .map(move |path| (apart(path), path));
        let after = self.after.iter().map(|path| (Apart::After, path));
        others.chain(after)
    }

    /// The title of a path that is apart: `Later, through a message: process order.placed`.
    pub(crate) fn title(&self, apart: Apart, path: &CriticalPath) -> String {
        let name = &self.trace.span(path.root).name;
        let parent = self.trace.parent(path.root);
        let below = parent.map_or("", |parent| self.trace.span(parent).name.as_str());
        match apart {
            Apart::Root => format!("Beside it, from a root of its own: {name}"),
            Apart::Cut => format!("Beside it, below a span that is not here: {name}"),
            Apart::Message => format!("Later, through a message: {name}"),
            Apart::After => format!("After its request had ended: {name}, below {below}"),
        }
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
