//! `latency:`: what times must come to over all traces.

use super::{
    fields::{Fields, Words},
    needs::needs_of,
    scalars::Doc,
    tree,
};
use crate::{
    Error, LatencyWant, Need, Pattern, Percentile, Text, TimeWant,
    yaml::{Data, Node},
};

pub(super) const LATENCY: Words = Words {
    known: &["span", "own", "p50", "p90", "p99", "needs"],
    later: &[],
};

const PERCENTILES: [(&str, Percentile); 3] = [
    ("p50", Percentile::P50),
    ("p90", Percentile::P90),
    ("p99", Percentile::P99),
];

/// One, or a list.
pub(super) fn wants(doc: &Doc<'_>, node: &Node) -> Result<Vec<LatencyWant>, Error> {
    match &node.data {
        Data::List(items) => items.iter().map(|item| want(doc, item)).collect(),
        _ => Ok(vec![want(doc, node)?]),
    }
}

fn want(doc: &Doc<'_>, node: &Node) -> Result<LatencyWant, Error> {
    let fields = Fields::of(doc, node, "latency", &LATENCY)?;
    let mut percentiles = Vec::new();
    for (name, percentile) in PERCENTILES {
        if let Some(node) = fields.get(name) {
            let text = doc.text(node)?;
            let want = match text.strip_suffix("twin") {
                Some(factor) => TimeWant::OfTwin(doc.factor(node, factor)?),
                None => TimeWant::Absolute(doc.duration_range(node)?),
            };
            percentiles.push((percentile, want));
        }
    }
    if percentiles.is_empty() {
        return Err(doc
            .error(fields.at(), "nothing is asked of the latency")
            .with_hint("write p50, p90 or p99"));
    }
    let own = fields.map("own", |node| doc.boolean(node))?;
    let own = own.unwrap_or_default();
    let needs = needs_of(doc, &fields)?;
    if own && needs.contains(&Need::Textbook) {
        let message = "what is measured without pace (own: true) does not need the textbook pace";
        doc.complain(doc.error(fields.at(), message));
    }
    Ok(LatencyWant {
        position: fields.at(),
        span: fields.map("span", |node| span(doc, node))?,
        own,
        percentiles,
        needs,
    })
}

/// A pattern, or the service and the name in one text: `inventory GET /prices`.
fn span(doc: &Doc<'_>, node: &Node) -> Result<Pattern, Error> {
    let Data::Text(text, _) = &node.data else {
        return tree::pattern(doc, node);
    };
    let (service, name) = text.split_once(' ').ok_or_else(|| {
        doc.wanted(
            node,
            "a service and a name such as \"inventory GET /prices\"",
        )
    })?;
    Ok(Pattern {
        service: Some(Text::Exactly(service.to_owned())),
        name: Some(Text::Exactly(name.trim().to_owned())),
        kind: None,
        bound: None,
    })
}
