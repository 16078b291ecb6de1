//! `when:`, and references to attributes of other spans.

use trace::Value;

use super::{scalars::Doc, tree::identifier};
use crate::{Comparison, Condition, Error, Operand, Reference, yaml::Node};

const COMPARISONS: [(&str, Comparison); 6] = [
    ("==", Comparison::Equal),
    ("!=", Comparison::NotEqual),
    ("<=", Comparison::AtMost),
    (">=", Comparison::AtLeast),
    ("<", Comparison::Less),
    (">", Comparison::Greater),
];

/// `"$cache.hit == true"`.
pub(super) fn condition(doc: &Doc<'_>, node: &Node) -> Result<Condition, Error> {
    let wanted = || doc.wanted(node, "a comparison such as \"$cache.hit == true\"");
    let text = doc.text(node)?;
    let (left, comparison, right) = COMPARISONS
        .iter()
        .filter_map(|(sign, comparison)| {
            let at = text.find(sign)?;
            Some((at, *sign, *comparison))
        })
        // Of two signs at one place the longer is meant.
        .min_by_key(|(at, sign, _)| (*at, std::cmp::Reverse(sign.len())))
        .map(|(at, sign, comparison)| (&text[..at], comparison, &text[at + sign.len()..]))
        .ok_or_else(wanted)?;
    let right = right.trim();
    Ok(Condition {
        position: node.at,
        left: reference(doc, node, left.trim())?,
        comparison,
        right: match right.starts_with('$') {
            true => Operand::Reference(reference(doc, node, right)?),
            false => Operand::Value(value(right).ok_or_else(wanted)?),
        },
    })
}

/// `$root.order.id`.
pub(super) fn reference(doc: &Doc<'_>, node: &Node, text: &str) -> Result<Reference, Error> {
    let wanted = || {
        doc.wanted(
            node,
            "an attribute of a span with a name, such as $root.order.id",
        )
    };
    let (span, key) = text
        .strip_prefix('$')
        .and_then(|text| text.split_once('.'))
        .filter(|(_, key)| !key.is_empty())
        .ok_or_else(wanted)?;
    doc.not_of_the_lab(node.at, key);
    Ok(Reference {
        position: node.at,
        span: identifier(doc, node, span)?,
        key: key.to_owned(),
    })
}

fn value(text: &str) -> Option<Value> {
    let quoted = |quote: char| {
        let inner = text.strip_prefix(quote)?.strip_suffix(quote)?;
        Some(Value::from(inner))
    };
    match text {
        "true" => Some(Value::Bool(true)),
        "false" => Some(Value::Bool(false)),
        _ => quoted('"')
            .or_else(|| quoted('\''))
            .or_else(|| text.parse().ok().map(Value::Int))
            .or_else(|| text.parse().ok().map(Value::Double)),
    }
}
