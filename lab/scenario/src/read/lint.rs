//! What can be known to be wrong before any trace is seen: names that stand for nothing.

use std::collections::HashMap;

use super::{names, scalars::Doc};
use crate::{Check, Condition, Expectation, Node, Operand, Position, Reference, Text, Want, word};

/// Complains of a service that the shop does not have.
pub(super) fn service(doc: &Doc<'_>, at: Position, service: &Text) {
    if !doc.of_shop || names::SERVICES.iter().any(|known| service.matches(known)) {
        return;
    }
    let error = doc.error(
        at,
        format!(
            "the shop has no service {:?} with spans",
            service.to_string()
        ),
    );
    doc.complain(match service {
        Text::Exactly(name) => error.with_hint(word::suggest(name, names::SERVICES.into_iter())),
        Text::Matches(_) => error.with_hint(format!("known: {}", names::SERVICES.join(", "))),
    });
}

/// Complains of a name that no span of the service has. A pattern may match what varies.
pub(super) fn span_name(doc: &Doc<'_>, at: Position, service: Option<&Text>, name: &Text) {
    let Text::Exactly(name) = name else { return };
    let known = names::of(service);
    if !doc.of_shop || known.is_empty() || known.contains(&name.as_str()) {
        return;
    }
    let whose = match service {
        Some(service) => format!("{service} emits no span"),
        None => "the shop emits no span".to_owned(),
    };
    doc.complain(
        doc.error(at, format!("{whose} {name:?}"))
            .with_hint(word::suggest(name, known.iter().copied())),
    );
}

/// Where a name is bound.
struct Binding {
    at: Position,
    /// Whether the tree has more than one span of this name, each in its own branch.
    repeated: bool,
}

/// Names that are bound in a tree.
type Bindings<'t> = HashMap<&'t str, Binding>;

/// Complains of names that are bound twice, and of references to a name that stands for no span or
/// for more than one.
pub(super) fn names(doc: &Doc<'_>, expectation: &Expectation) {
    let mut bindings = HashMap::new();
    for node in &expectation.tree {
        bind(doc, node, false, &mut bindings);
    }
    for node in &expectation.tree {
        refer(doc, node, &mut Vec::new(), &bindings);
    }
    if let Some(when) = &expectation.when {
        condition(doc, when, &[], &bindings);
    }
    check_counts(doc, expectation);
}

/// Complains if the nodes of the tree alone are more spans than the trace may have.
fn check_counts(doc: &Doc<'_>, expectation: &Expectation) {
    fn least(node: &Node) -> u64 {
        if node.elsewhere || node.when.is_some() {
            return 0;
        }
        let below: u64 = node.children.iter().map(least).sum();
        node.times.min.saturating_mul(below.saturating_add(1))
    }
    let Some(most) = expectation.trace.spans.and_then(|spans| spans.max) else {
        return;
    };
    let least: u64 = expectation.tree.iter().map(least).sum();
    if least > most
        && let Some(node) = expectation.tree.first()
    {
        let message = format!("the tree has at least {least} spans, and the trace at most {most}");
        doc.complain(doc.error(node.position, message));
    }
}

fn bind<'t>(doc: &Doc<'_>, node: &'t Node, repeated: bool, bindings: &mut Bindings<'t>) {
    let repeated = repeated || node.times.max.is_none_or(|max| max > 1);
    if let Some(name) = &node.span.bound {
        if node.times.max == Some(0) {
            let message = format!("${name} would be a span that must not be there");
            doc.complain(doc.error(node.position, message));
        }
        let binding = Binding {
            at: node.position,
            repeated,
        };
        if let Some(first) = bindings.insert(name, binding) {
            let message = format!("${name} is already the span at {}", first.at);
            doc.complain(doc.error(node.position, message));
        }
    }
    for child in &node.children {
        if child.elsewhere {
            let message = "only a node at the top of the tree may be elsewhere";
            doc.complain(doc.error(child.position, message));
        }
        bind(doc, child, repeated, bindings);
    }
}

/// Checks the references of a node and of those below it; `above` holds the names on the way.
fn refer<'t>(doc: &Doc<'_>, node: &'t Node, above: &mut Vec<&'t str>, bindings: &Bindings<'t>) {
    let depth = above.len();
    above.extend(node.span.bound.as_deref());
    for link in &node.links {
        name(doc, link.position, &link.to, above, bindings);
    }
    let of_links = node.links.iter().flat_map(|link| &link.attributes);
    let of_events = node.events.iter().flat_map(|event| &event.attributes);
    let own = [&node.attributes, &node.resource, &node.scope];
    let checks = own.into_iter().flatten().chain(of_links).chain(of_events);
    for (_, check) in checks {
        let Check::AnyOf(wants) = check else { continue };
        for want in wants {
            if let Want::Same(to) = want {
                reference(doc, to, above, bindings);
            }
        }
    }
    for among in &node.among {
        for named in &among.names {
            let below = node.children.iter().any(|child| binds(child, named));
            if !below {
                name(doc, among.position, named, above, bindings);
                if bindings.contains_key(named.as_str()) {
                    let message = format!("${named} is not below this span");
                    doc.complain(doc.error(among.position, message));
                }
            }
        }
    }
    if let Some(when) = &node.when {
        condition(doc, when, above, bindings);
    }
    for child in &node.children {
        refer(doc, child, above, bindings);
    }
    above.truncate(depth);
}

fn binds(node: &Node, name: &str) -> bool {
    node.span.bound.as_deref() == Some(name) || node.children.iter().any(|child| binds(child, name))
}

fn condition(doc: &Doc<'_>, when: &Condition, above: &[&str], bindings: &Bindings<'_>) {
    reference(doc, &when.left, above, bindings);
    if let Operand::Reference(right) = &when.right {
        reference(doc, right, above, bindings);
    }
}

fn reference(doc: &Doc<'_>, to: &Reference, above: &[&str], bindings: &Bindings<'_>) {
    name(doc, to.position, &to.span, above, bindings);
}

fn name(doc: &Doc<'_>, at: Position, name: &str, above: &[&str], bindings: &Bindings<'_>) {
    match bindings.get(name) {
        None => {
            let hint = match bindings.is_empty() {
                true => "name it with as:".to_owned(),
                false => word::suggest(name, bindings.keys().copied()),
            };
            let message = format!("${name} is no span of this tree");
            doc.complain(doc.error(at, message).with_hint(hint));
        }
        Some(binding) if binding.repeated && !above.contains(&name) => {
            let message = format!("${name} may be more than one span");
            let hint = "refer to it from below it, or let it be there once";
            doc.complain(doc.error(at, message).with_hint(hint));
        }
        Some(_) => {}
    }
}
