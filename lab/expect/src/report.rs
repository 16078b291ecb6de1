//! The result of a check, for people and for machines.

use std::time::Duration;

use scenario::Position;
use serde::{Serialize, Serializer};
use trace::{SpanId, Text, TraceId, milliseconds};

/// The verdict of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// The trace is as expected.
    Pass,
    /// No failure is known, and a part could not be evaluated.
    Unsupported,
    /// A part failed.
    Fail,
}

/// The result of checking one trace.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The trace.
    pub trace_id: TraceId,
    /// The verdict.
    pub verdict: Verdict,
    /// The expected counts, with the actual counts.
    pub counts: Vec<CountLine>,
    /// The expected tree, with the spans that were found.
    pub tree: Vec<Line>,
}

/// One count over the whole trace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CountLine {
    /// `roots`, `orphans`, `spans` or `errors`.
    pub what: &'static str,
    /// The expected count or range.
    pub want: String,
    /// The count of the trace.
    pub got: u64,
    /// Whether it is in the range.
    pub ok: bool,
}

/// A node of the expectation with its span, or one of them alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    /// The result of the comparison.
    pub mark: Mark,
    /// The service of the span or, without a span, of the node.
    pub service: Text,
    /// The name of the span or, without a span, of the node.
    pub name: Text,
    /// The number of equal lines that this line stands for.
    pub times: u64,
    /// The id of the span; of several spans, the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub span_id: Option<SpanId>,
    /// The duration of the span, in milliseconds; of several spans, the first.
    #[serde(
        rename = "ms",
        skip_serializing_if = "Option::is_none",
        serialize_with = "in_milliseconds"
    )]
    pub nanoseconds: Option<u64>,
    /// The line of the scenario file that expects the span.
    #[serde(
        rename = "line",
        skip_serializing_if = "Option::is_none",
        serialize_with = "line_of"
    )]
    pub position: Option<Position>,
    /// The differences of the span itself.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub differences: Vec<Difference>,
    /// Why the span is missing or should not exist.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// The lines of the children.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub children: Vec<Line>,
}

/// The result of comparing a node with its span.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mark {
    /// `=`: the span is as expected. Its children may differ.
    Same,
    /// `~`: the span differs.
    Differs,
    /// `-`: the span is missing.
    Missing,
    /// `+`: the span should not exist.
    Unexpected,
    /// `?`: the result cannot be known.
    Unsupported,
}

/// A field of a span that differs from the expectation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The field: `status`, the key of an attribute, `event …`, `link …`.
    pub field: String,
    /// The expected value, with its type.
    pub want: String,
    /// The actual value, with its type.
    pub got: String,
    /// Why it cannot be known whether the value is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unknown: Option<String>,
}

// === impl Report ===

impl Report {
    pub(crate) fn new(trace_id: TraceId, counts: Vec<CountLine>, tree: Vec<Line>) -> Self {
        let counted = match counts.iter().all(|line| line.ok) {
            true => Verdict::Pass,
            false => Verdict::Fail,
        };
        let verdict = tree.iter().map(Line::verdict).fold(counted, Verdict::max);
        Report {
            trace_id,
            verdict,
            counts,
            tree,
        }
    }
}

// === impl Line ===

impl Line {
    /// The verdict on this line and all lines below it.
    pub fn verdict(&self) -> Verdict {
        self.children
            .iter()
            .map(Line::verdict)
            .fold(self.mark.verdict(), Verdict::max)
    }

    /// Whether two lines are equal except for their spans.
    fn says_the_same(&self, other: &Line) -> bool {
        let head = |line: &Line| (line.mark, line.times, line.position);
        head(self) == head(other)
            && (&self.service, &self.name, &self.note) == (&other.service, &other.name, &other.note)
            && self.differences == other.differences
            && self.children.len() == other.children.len()
            && self
                .children
                .iter()
                .zip(&other.children)
                .all(|(a, b)| a.says_the_same(b))
    }
}

/// Merges neighbouring lines that are equal.
pub(crate) fn merge(lines: &mut Vec<Line>) {
    lines.iter_mut().for_each(|line| merge(&mut line.children));
    let mut neighbours = lines.windows(2);
    if !neighbours.any(|two| two[0].says_the_same(&two[1])) {
        return;
    }
    let mut merged: Vec<(Line, u64)> = Vec::with_capacity(lines.len());
    for line in lines.drain(..) {
        match merged.last_mut() {
            Some((last, times)) if last.says_the_same(&line) => *times += line.times,
            _ => {
                let times = line.times;
                merged.push((line, times));
            }
        }
    }
    lines.extend(
        merged
            .into_iter()
            .map(|(line, times)| Line { times, ..line }),
    );
}

// === impl Mark ===

impl Mark {
    /// The character for it in the report.
    pub fn as_char(self) -> char {
        match self {
            Mark::Same => '=',
            Mark::Differs => '~',
            Mark::Missing => '-',
            Mark::Unexpected => '+',
            Mark::Unsupported => '?',
        }
    }

    fn verdict(self) -> Verdict {
        match self {
            Mark::Same => Verdict::Pass,
            Mark::Unsupported => Verdict::Unsupported,
            Mark::Differs | Mark::Missing | Mark::Unexpected => Verdict::Fail,
        }
    }
}

fn in_milliseconds<S: Serializer>(
    nanoseconds: &Option<u64>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    nanoseconds
        .map(|nanoseconds| milliseconds(Duration::from_nanos(nanoseconds)))
        .serialize(serializer)
}

fn line_of<S: Serializer>(position: &Option<Position>, serializer: S) -> Result<S::Ok, S::Error> {
    position.map(|position| position.line).serialize(serializer)
}
