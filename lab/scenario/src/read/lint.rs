//! What can be known to be wrong before any trace is seen: names that stand for nothing.

use std::collections::HashMap;

use super::scalars::Doc;
use crate::{Error, Node, Position, Text, word};

/// The services of the shop that have spans. The provider, a third party, has none.
const SERVICES: [&str; 4] = ["checkout", "payment", "inventory", "email"];

/// Refuses a service that the shop does not have.
pub(super) fn service(doc: &Doc<'_>, at: Position, service: &Text) -> Result<(), Error> {
    if SERVICES.iter().any(|known| service.matches(known)) {
        return Ok(());
    }
    let error = doc.error(
        at,
        format!(
            "the shop has no service {:?} with spans",
            service.to_string()
        ),
    );
    Err(match service {
        Text::Exactly(name) => error.with_hint(word::suggest(name, SERVICES.into_iter())),
        Text::Matches(_) => error.with_hint(format!("known: {}", SERVICES.join(", "))),
    })
}

/// Where a name is bound.
struct Binding {
    at: Position,
    /// Whether the tree has more than one span of this name, each in its own branch.
    repeated: bool,
}

/// Refuses names that are bound twice, and references to a name that stands for no span or for
/// more than one.
pub(super) fn names(doc: &Doc<'_>, tree: &[Node]) -> Result<(), Error> {
    let mut bindings = HashMap::new();
    for node in tree {
        bind(doc, node, false, &mut bindings)?;
    }
    tree.iter()
        .try_for_each(|node| refer(doc, node, &mut Vec::new(), &bindings))
}

fn bind<'t>(
    doc: &Doc<'_>,
    node: &'t Node,
    repeated: bool,
    bindings: &mut HashMap<&'t str, Binding>,
) -> Result<(), Error> {
    let repeated = repeated || node.times.max.is_none_or(|max| max > 1);
    if let Some(name) = &node.span.bound {
        if node.times.max == Some(0) {
            let message = format!("${name} would be a span that must not be there");
            return Err(doc.error(node.position, message));
        }
        let binding = Binding {
            at: node.position,
            repeated,
        };
        if let Some(first) = bindings.insert(name, binding) {
            let message = format!("${name} is already the span at {}", first.at);
            return Err(doc.error(node.position, message));
        }
    }
    node.children
        .iter()
        .try_for_each(|child| bind(doc, child, repeated, bindings))
}

/// Checks the references of a node and of those below it; `above` holds the names on the way.
fn refer<'t>(
    doc: &Doc<'_>,
    node: &'t Node,
    above: &mut Vec<&'t str>,
    bindings: &HashMap<&'t str, Binding>,
) -> Result<(), Error> {
    let depth = above.len();
    above.extend(node.span.bound.as_deref());
    for link in &node.links {
        let name = link.to.as_str();
        match bindings.get(name) {
            None => {
                let hint = match bindings.is_empty() {
                    true => "name it with as:".to_owned(),
                    false => word::suggest(name, bindings.keys().copied()),
                };
                let message = format!("${name} is no span of this tree");
                return Err(doc.error(link.position, message).with_hint(hint));
            }
            Some(binding) if binding.repeated && !above.contains(&name) => {
                let message = format!("${name} may be more than one span");
                let hint = "refer to it from below it, or let it be there once";
                return Err(doc.error(link.position, message).with_hint(hint));
            }
            Some(_) => {}
        }
    }
    for child in &node.children {
        refer(doc, child, above, bindings)?;
    }
    above.truncate(depth);
    Ok(())
}
