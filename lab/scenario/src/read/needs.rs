//! `needs:`: what a scenario, a variant or a single want cannot do without.

use super::{fields::Fields, scalars::Doc};
use crate::{
    Error, Need,
    yaml::{Data, Node},
};

/// A word, or a list of words; an empty list needs nothing.
pub(super) fn needs(doc: &Doc<'_>, node: &Node) -> Result<Vec<Need>, Error> {
    let Data::List(items) = &node.data else {
        return Ok(vec![need(doc, node)?]);
    };
    let mut needs = Vec::new();
    for item in items {
        let need = need(doc, item)?;
        if needs.contains(&need) {
            let message = format!("{:?} is needed twice", need.as_str());
            return Err(doc.error(item.at, message));
        }
        needs.push(need);
    }
    Ok(needs)
}

/// The needs of a scenario or a want, which has none if it does not say so.
pub(super) fn needs_of(doc: &Doc<'_>, fields: &Fields<'_>) -> Result<Vec<Need>, Error> {
    let needs = fields.map("needs", |node| needs(doc, node))?;
    Ok(needs.unwrap_or_default())
}

fn need(doc: &Doc<'_>, node: &Node) -> Result<Need, Error> {
    match &node.data {
        Data::Text(..) => doc.word(node, "need", &Need::ALL.map(|need| (need.as_str(), need))),
        _ => Err(doc.wanted(node, "a need such as textbook, or a list of needs")),
    }
}
