//! What a check found, for people and for machines.

use scenario::Position;
use serde::{Serialize, Serializer};
use trace::{SpanId, TraceId};

/// The verdict of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// The trace is as expected.
    Pass,
    /// Nothing is known to be wrong, and something could not be evaluated.
    Unsupported,
    /// Something is wrong.
    Fail,
}

/// The result of checking one trace.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The trace.
    pub trace_id: TraceId,
    /// The verdict.
    pub verdict: Verdict,
    /// The counts that were asked for.
    pub counts: Vec<CountLine>,
    /// The tree that was asked for, with what was found.
    pub tree: Vec<Line>,
}

/// One count over the whole trace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CountLine {
    /// `roots`, `orphans`, `spans` or `errors`.
    pub what: &'static str,
    /// The count or the range that was asked for.
    pub want: String,
    /// The count of the trace.
    pub got: u64,
    /// Whether it is in the range.
    pub ok: bool,
}

/// A node of the expectation with its span, or either of them alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    /// Which of these it is.
    pub mark: Mark,
    /// The service, of the span if there is one, else of the node.
    pub service: String,
    /// The name, of the span if there is one, else of the node.
    pub name: String,
    /// How many lines like this one it stands for.
    pub times: u64,
    /// The span; of several, the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub span_id: Option<SpanId>,
    /// How long the span took, in milliseconds; of several, the first.
    #[serde(
        rename = "ms",
        skip_serializing_if = "Option::is_none",
        serialize_with = "milliseconds"
    )]
    pub nanoseconds: Option<u64>,
    /// The line of the scenario file that asks for it.
    #[serde(
        rename = "line",
        skip_serializing_if = "Option::is_none",
        serialize_with = "line_of"
    )]
    pub position: Option<Position>,
    /// What differs in the span itself.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub differences: Vec<Difference>,
    /// Why the span is missing or should not be there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// What was found of the children.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub children: Vec<Line>,
}

/// How a node and its span compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mark {
    /// `=`: the span is as it should be. Its children may not be.
    Same,
    /// `~`: something differs in the span.
    Differs,
    /// `-`: there is no span.
    Missing,
    /// `+`: there should be no span.
    Unexpected,
    /// `?`: it cannot be known.
    Unsupported,
}

/// A field of a span that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The field: `status`, the key of an attribute, `event …`, `link …`.
    pub field: String,
    /// What was asked for, with its type.
    pub want: String,
    /// What is there, with its type.
    pub got: String,
    /// Why it cannot be known whether it is wrong.
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
    /// The verdict on this line and all beneath it.
    pub fn verdict(&self) -> Verdict {
        self.children
            .iter()
            .map(Line::verdict)
            .fold(self.mark.verdict(), Verdict::max)
    }

    /// Whether two lines say the same, if of different spans.
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

/// Makes one line of neighbours that say the same.
pub(crate) fn merge(lines: &mut Vec<Line>) {
    lines.iter_mut().for_each(|line| merge(&mut line.children));
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
    /// The character that stands for it.
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

fn milliseconds<S: Serializer>(
    nanoseconds: &Option<u64>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    nanoseconds
        .map(|nanoseconds| nanoseconds as f64 / 1e6)
        .serialize(serializer)
}

fn line_of<S: Serializer>(position: &Option<Position>, serializer: S) -> Result<S::Ok, S::Error> {
    position.map(|position| position.line).serialize(serializer)
}
