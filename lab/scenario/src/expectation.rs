//! What a trace must look like.
//!
//! The children of a span are matched as a set: the nodes share them out, and each child counts
//! for one node. A node *describes* every child that fits what it says of the span itself; `times`
//! is how many of these there must be, and one is meant where nothing is said. Children that no
//! node describes do not matter, unless the parent is `closed`.

use std::sync::OnceLock;

use regex::{Regex, RegexBuilder};
use trace::{Fidelity, Kind, StatusCode, Value};

use crate::{Count, DoubleRange, DurationRange, IntRange, Position};

/// What a trace must look like: `expect:` of a scenario.
#[derive(Clone, Debug, Default)]
pub struct Expectation {
    /// Counts over the whole trace.
    pub trace: Counts,
    /// The spans at the top of the tree.
    pub tree: Vec<Node>,
    /// Calls that must not be made: `forbid:`.
    pub forbid: Vec<Forbidden>,
    /// What the critical path must go through: `critical-path:`.
    pub critical_path: Vec<PathShare>,
    /// When `forbid` and `critical-path` apply: `when:`. `None`: always.
    pub when: Option<Condition>,
}

/// Counts over the whole trace: `trace:`. What is `None` is not asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Spans that name no parent.
    pub roots: Option<Count>,
    /// Spans whose parents lead to no root: a parent is absent, or they go in a circle.
    pub orphans: Option<Count>,
    /// All spans.
    pub spans: Option<Count>,
    /// Spans with status error.
    pub errors: Option<Count>,
    /// Spans whose id another span of the trace has as well.
    pub duplicates: Option<Count>,
    /// How late the latest part of the trace came, from the end of that part's last span. Only a
    /// trace that was received here has an arrival; of others it is unsupported.
    pub arrival: Option<DurationRange>,
}

/// One node of `tree:`: a span, or `times` of them.
#[derive(Clone, Debug)]
pub struct Node {
    /// Where it stands in the file.
    pub position: Position,
    /// Which span is meant: `span:`.
    pub span: Pattern,
    /// How many there must be.
    pub times: Count,
    /// Attributes of the span itself, in the order of the file.
    pub attributes: Vec<(String, Check)>,
    /// Attributes of its resource. The span's own are never looked at.
    pub resource: Vec<(String, Check)>,
    /// Attributes of its instrumentation scope.
    pub scope: Vec<(String, Check)>,
    /// Its status code.
    pub status: Option<StatusCode>,
    /// How long it may take.
    pub duration: Option<DurationRange>,
    /// How long it may take, as a share of its parent: `">= 50% of parent"` is `0.5..`.
    pub duration_of_parent: Option<DoubleRange>,
    /// How long it may take, as a multiple of the median of the same node in the twin's traces:
    /// `">= 3x twin"` is `3.0..`.
    pub duration_of_twin: Option<DoubleRange>,
    /// Whether it begins and ends within its parent's time: `within-parent`.
    pub within_parent: Option<bool>,
    /// How its spans lie in time, where `times` says there are several.
    pub timing: Option<Timing>,
    /// A span that must be somewhere above it.
    pub ancestor: Option<Pattern>,
    /// When the node applies; where it does not, it is as if it were not written. `None`: always.
    pub when: Option<Condition>,
    /// Events that it must have.
    pub events: Vec<EventNode>,
    /// Links that it must have.
    pub links: Vec<LinkNode>,
    /// Its children; of an `any-depth` child, a descendant.
    pub children: Vec<Node>,
    /// Whether it may have no children but those listed.
    pub closed: bool,
    /// Whether it may stand anywhere below its parent, and not only directly.
    pub any_depth: bool,
    /// Of a node at the top: whether it stands at the top of another trace that has to do with this
    /// one, and not in this one: `elsewhere`.
    pub elsewhere: bool,
    /// How spans beneath it that have names lie in time: `order`, `parallel`, `sequential` with a
    /// list of names.
    pub among: Vec<Among>,
}

/// How several spans lie in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timing {
    /// `parallel`: each two of them overlap.
    Parallel,
    /// `sequential`: no two of them overlap.
    Sequential,
    /// `order`: they start in this order. Only of spans with names.
    Order,
}

/// How spans that have names lie in time.
#[derive(Clone, Debug)]
pub struct Among {
    /// Where it stands in the file.
    pub position: Position,
    /// How.
    pub timing: Timing,
    /// Their names, without the `$`; two or more.
    pub names: Vec<String>,
}

/// A call that must not be made: no span that fits `to` may be a child of one that fits `from`.
#[derive(Clone, Debug)]
pub struct Forbidden {
    /// Where it stands in the file.
    pub position: Position,
    /// The parent; a bare word is a service.
    pub from: Pattern,
    /// The child; a bare word is a service.
    pub to: Pattern,
    /// Whether `to` must not stand anywhere below `from`, and not only directly.
    pub any_depth: bool,
}

/// What share of the critical path must belong to spans that a pattern fits.
#[derive(Clone, Debug)]
pub struct PathShare {
    /// Where it stands in the file.
    pub position: Position,
    /// The spans; a bare word is a service.
    pub through: Pattern,
    /// The share: `">= 60%"` is `0.6..`.
    pub share: DoubleRange,
}

/// A comparison that decides whether something applies: `"$cache.hit == true"`.
#[derive(Clone, Debug)]
pub struct Condition {
    /// Where it stands in the file.
    pub position: Position,
    /// The left side.
    pub left: Reference,
    /// How the sides are compared. Values of different types are never equal, and none is less.
    pub comparison: Comparison,
    /// The right side.
    pub right: Operand,
}

/// How two values are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    Greater,
    /// `>=`
    AtLeast,
}

/// What stands on the right of a comparison.
#[derive(Clone, Debug)]
pub enum Operand {
    /// A value.
    Value(Value),
    /// An attribute of another span.
    Reference(Reference),
}

/// An attribute of a span that has a name: `$root.order.id` is the attribute `order.id` of the span
/// that is called `root`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// Where it stands in the file.
    pub position: Position,
    /// The name of the span, without the `$`.
    pub span: String,
    /// The key of its attribute.
    pub key: String,
}

/// Which span is meant. What is `None` is not asked; at least one is asked.
#[derive(Clone, Debug, Default)]
pub struct Pattern {
    /// The `service.name` of its resource.
    pub service: Option<Text>,
    /// Its name.
    pub name: Option<Text>,
    /// Which side of a call it is.
    pub kind: Option<Kind>,
    /// The name by which other nodes refer to it, without the `$`.
    pub bound: Option<String>,
}

/// A text that is asked for.
#[derive(Clone, Debug)]
pub enum Text {
    /// Exactly this text.
    Exactly(String),
    /// A regular expression that the whole text must match: `~SELECT .*`.
    Matches(TextPattern),
}

/// A regular expression for a text that some formats hold in lower case.
#[derive(Clone, Debug)]
pub struct TextPattern {
    as_written: Regex,
    /// The same for a text of any case; compiled when the first such text is compared.
    any_case: OnceLock<Regex>,
}

/// What is asked of an attribute.
#[derive(Clone, Debug)]
pub enum Check {
    /// It is there, whatever its value: `present`.
    Present,
    /// It is not there: `absent`. An empty value is there.
    Absent,
    /// It has one of these values, type included.
    AnyOf(Vec<Want>),
}

/// A value that is asked for. All of them fix the type: 20, 20.0 and "20" are three values.
#[derive(Clone, Debug)]
pub enum Want {
    /// Exactly this value.
    Exactly(Value),
    /// An integer in a range: `{ int: 1..3 }`.
    Int(IntRange),
    /// A double in a range: `{ double: 0.5..1.5 }`.
    Double(DoubleRange),
    /// A string that a pattern matches as a whole: `{ matches: "order-[0-9]+" }`.
    Matches(Regex),
    /// The value that another span's attribute has, type included: `$root.order.id`.
    Same(Reference),
}

/// An event that a span must have, `times` of it.
#[derive(Clone, Debug)]
pub struct EventNode {
    /// Its name.
    pub name: Text,
    /// Attributes of the event.
    pub attributes: Vec<(String, Check)>,
    /// How many events must fit; 1 where the file says nothing.
    pub times: Count,
}

/// A link that a span must have.
#[derive(Clone, Debug)]
pub struct LinkNode {
    /// Where it stands in the file.
    pub position: Position,
    /// The bound name of the span that is linked to, without the `$`.
    pub to: String,
    /// Attributes of the link.
    pub attributes: Vec<(String, Check)>,
}

// === impl Text ===

impl Text {
    /// Whether a text is what is asked for.
    pub fn matches(&self, text: &str) -> bool {
        match self {
            Text::Exactly(want) => want == text,
            Text::Matches(pattern) => pattern.as_written.is_match(text),
        }
    }

    /// Whether the name of a span or a service, read from a format of this fidelity, is what is asked for. A
    /// name whose case the format does not keep is compared without it.
    pub fn fits(&self, name: &str, fidelity: Fidelity) -> bool {
        match (self, fidelity) {
            (_, Fidelity::Exact) => self.matches(name),
            (Text::Exactly(want), Fidelity::Text) => want.to_lowercase() == name.to_lowercase(),
            (Text::Matches(pattern), Fidelity::Text) => pattern.any_case().is_match(name),
        }
    }
}

impl std::fmt::Display for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Text::Exactly(want) => f.write_str(want),
            Text::Matches(pattern) => write!(f, "~{}", bare(&pattern.as_written)),
        }
    }
}

// === impl TextPattern ===

impl TextPattern {
    fn any_case(&self) -> &Regex {
        self.any_case.get_or_init(|| {
            let pattern = RegexBuilder::new(self.as_written.as_str())
                .case_insensitive(true)
                .build();
            // Only its size can be too large.
            pattern.unwrap_or_else(|_| self.as_written.clone())
        })
    }
}

impl From<Regex> for TextPattern {
    fn from(as_written: Regex) -> Self {
        TextPattern {
            as_written,
            any_case: OnceLock::new(),
        }
    }
}

// === impl Check ===

impl std::fmt::Display for Check {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Check::Present => f.write_str("present"),
            Check::Absent => f.write_str("absent"),
            Check::AnyOf(wants) => {
                let wants: Vec<_> = wants.iter().map(Want::to_string).collect();
                f.write_str(&wants.join(" or "))
            }
        }
    }
}

// === impl Want ===

impl Want {
    /// Whether a value is what is asked for, type included. A NaN that is asked for is any NaN.
    /// [`Want::Same`] refers to another span. Only the caller has the trace and can look it up; here it is
    /// false.
    pub fn matches(&self, value: &Value) -> bool {
        match (self, value) {
            (Want::Exactly(Value::Double(want)), Value::Double(got)) => {
                want == got || (want.is_nan() && got.is_nan())
            }
            (Want::Exactly(want), got) => want == got,
            (Want::Int(range), Value::Int(got)) => range.contains(*got),
            (Want::Double(range), Value::Double(got)) => range.contains(*got),
            (Want::Matches(pattern), Value::String(got)) => pattern.is_match(got),
            _ => false,
        }
    }
}

impl std::fmt::Display for Want {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Want::Exactly(value) => write!(f, "{} {value}", value.type_name()),
            Want::Int(range) => write!(f, "int {range}"),
            Want::Double(range) => write!(f, "double {range}"),
            Want::Matches(pattern) => write!(f, "string ~{}", bare(pattern)),
            Want::Same(reference) => write!(f, "the same as {reference}"),
        }
    }
}

// === impl Reference ===

impl std::fmt::Display for Reference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "${}.{}", self.span, self.key)
    }
}

/// A pattern anchored at both ends, as all patterns of this language are.
pub(crate) fn anchored(pattern: &str) -> Result<Regex, regex::Error> {
    // Checked alone first: `a)(b` would be valid inside the anchors.
    Regex::new(pattern)?;
    Regex::new(&format!("{PREFIX}{pattern}{SUFFIX}"))
}

const PREFIX: &str = r"\A(?:";
const SUFFIX: &str = r")\z";

/// The pattern as the file has it.
fn bare(pattern: &Regex) -> &str {
    let text = pattern.as_str();
    text.strip_prefix(PREFIX)
        .and_then(|text| text.strip_suffix(SUFFIX))
        .unwrap_or(text)
}
