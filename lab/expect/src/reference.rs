//! Resolves references to values of other spans, and evaluates comparisons.

use std::cmp::Ordering;

use scenario::{Comparison, Condition, Operand, Pattern, Reference};
use trace::{Fidelity, Link, Value};

use crate::{forest::Forest, plan::identity};

/// The span that a link should refer to.
#[derive(Clone, Copy)]
pub(crate) enum Target<'a> {
    /// This span.
    Span(usize),
    /// Any span that fits the pattern: the exact span is not known yet.
    Like(&'a Pattern),
    /// The span is missing.
    Missing,
}

/// The values that a reference resolves to.
pub(crate) enum Resolved<'t> {
    /// The span is not known yet.
    NotYet,
    /// The span does not exist.
    NoSpan,
    /// The attribute is missing, and its sender dropped attributes.
    Dropped,
    /// The values: none, one, or more if a key was sent twice; and whether the format of the span keeps their
    /// types.
    Values(Vec<&'t Value>, Fidelity),
}

/// Resolves a reference, by the span that is bound to its name.
pub(crate) fn resolve<'t>(
    reference: &Reference,
    target: Target<'_>,
    forest: &Forest<'t>,
) -> Resolved<'t> {
    let index = match target {
        Target::Span(index) => index,
        Target::Like(_) => return Resolved::NotYet,
        Target::Missing => return Resolved::NoSpan,
    };
    let span = forest.span(index);
    let values: Vec<&Value> = span
        .attributes
        .iter()
        .filter(|(key, _)| *key == reference.key)
        .map(|(_, value)| value)
        .collect();
    match values.is_empty() && span.dropped_attributes > 0 {
        true => Resolved::Dropped,
        false => Resolved::Values(values, span.fidelity),
    }
}

/// Whether a condition holds; `None` if that cannot be known.
pub(crate) fn holds<'t>(
    condition: &Condition,
    resolve: impl Fn(&Reference) -> Resolved<'t>,
) -> Option<bool> {
    let mut as_text = false;
    let mut values = |reference| match resolve(reference) {
        Resolved::Values(values, fidelity) => {
            as_text |= fidelity == Fidelity::Text;
            Some(values)
        }
        Resolved::NoSpan => Some(Vec::new()),
        Resolved::NotYet | Resolved::Dropped => None,
    };
    let left = values(&condition.left)?;
    let right = match &condition.right {
        Operand::Value(value) => vec![value],
        Operand::Reference(reference) => values(reference)?,
    };
    let (Some(left), Some(right)) = (left.first(), right.first()) else {
        // A missing value equals nothing.
        return Some(condition.comparison == Comparison::NotEqual);
    };
    if as_text && left.type_name() != right.type_name() {
        return None;
    }
    let ordering = order(left, right);
    Some(match condition.comparison {
        Comparison::Equal => left == right,
        Comparison::NotEqual => left != right,
        Comparison::Less => ordering.is_some_and(Ordering::is_lt),
        Comparison::AtMost => ordering.is_some_and(Ordering::is_le),
        Comparison::Greater => ordering.is_some_and(Ordering::is_gt),
        Comparison::AtLeast => ordering.is_some_and(Ordering::is_ge),
    })
}

/// The order of two values of one type; `None` for different types.
fn order(left: &Value, right: &Value) -> Option<Ordering> {
    match (left, right) {
        (Value::Int(left), Value::Int(right)) => Some(left.cmp(right)),
        (Value::Double(left), Value::Double(right)) => left.partial_cmp(right),
        (Value::String(left), Value::String(right)) => Some(left.cmp(right)),
        (Value::Bool(left), Value::Bool(right)) => Some(left.cmp(right)),
        _ => None,
    }
}

// === impl Target ===

impl Target<'_> {
    /// Whether a link leads to the span.
    pub(crate) fn is(self, link: &Link, forest: &Forest<'_>) -> bool {
        match self {
            Target::Span(index) => {
                let span = forest.span(index);
                (span.trace_id, span.span_id) == (link.trace_id, link.span_id)
            }
            Target::Like(pattern) => forest
                .find(link)
                .is_some_and(|index| !identity(pattern, forest.span(index)).any()),
            Target::Missing => false,
        }
    }
}
