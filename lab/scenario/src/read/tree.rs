//! `expect:`: the counts and the tree.

use trace::{Kind, StatusCode};

use super::{
    attributes::attributes,
    fields::{Fields, Words},
    lint,
    scalars::Doc,
};
use crate::{
    Count, Counts, Error, EventNode, Expectation, LinkNode, Node, Pattern,
    yaml::{self, Data},
};

const EXPECT: Words = Words {
    known: &["trace", "tree"],
    later: &["forbid", "when", "critical-path"],
};
const COUNTS: Words = Words {
    known: &["roots", "orphans", "spans", "errors"],
    later: &[],
};
const NODE: Words = Words {
    known: &[
        "span",
        "times",
        "attributes",
        "resource",
        "scope",
        "status",
        "duration",
        "events",
        "links",
        "children",
        "closed",
        "any-depth",
    ],
    later: &["order", "parallel", "sequential", "when"],
};
const PATTERN: Words = Words {
    known: &["service", "name", "kind", "as"],
    later: &[],
};
const EVENT: Words = Words {
    known: &["name", "attributes", "times"],
    later: &[],
};
const LINK: Words = Words {
    known: &["to", "attributes"],
    later: &[],
};

const KINDS: [(&str, Kind); 6] = [
    ("server", Kind::Server),
    ("client", Kind::Client),
    ("internal", Kind::Internal),
    ("producer", Kind::Producer),
    ("consumer", Kind::Consumer),
    ("unspecified", Kind::Unspecified),
];
const STATUSES: [(&str, StatusCode); 3] = [
    ("unset", StatusCode::Unset),
    ("ok", StatusCode::Ok),
    ("error", StatusCode::Error),
];

/// Reads and lints `expect:`.
pub(super) fn expectation(doc: &Doc<'_>, node: &yaml::Node) -> Result<Expectation, Error> {
    let fields = Fields::of(doc, node, "an expectation", &EXPECT)?;
    let expectation = Expectation {
        trace: fields
            .map("trace", |node| counts(doc, node))?
            .unwrap_or_default(),
        tree: fields
            .map("tree", |node| nodes(doc, node))?
            .unwrap_or_default(),
        forbid: Vec::new(),
        critical_path: Vec::new(),
        when: None,
    };
    if expectation.trace == Counts::default() && expectation.tree.is_empty() {
        return Err(doc
            .error(fields.at(), "nothing is expected")
            .with_hint("write trace: or tree:, so that something can fail"));
    }
    lint::names(doc, &expectation.tree)?;
    Ok(expectation)
}

fn counts(doc: &Doc<'_>, node: &yaml::Node) -> Result<Counts, Error> {
    let fields = Fields::of(doc, node, "trace", &COUNTS)?;
    let count = |name| fields.map(name, |node| doc.count(node));
    let counts = Counts {
        roots: count("roots")?,
        orphans: count("orphans")?,
        spans: count("spans")?,
        errors: count("errors")?,
        duplicates: None,
        arrival: None,
    };
    if let (
        Some(roots),
        Some(Count {
            max: Some(spans), ..
        }),
    ) = (counts.roots, counts.spans)
        && roots.min > spans
    {
        let message = format!("{roots} roots cannot be among {spans} spans");
        return Err(doc.error(fields.at(), message));
    }
    Ok(counts)
}

fn nodes(doc: &Doc<'_>, node: &yaml::Node) -> Result<Vec<Node>, Error> {
    doc.list(node)?
        .iter()
        .map(|item| self::node(doc, item))
        .collect()
}

fn node(doc: &Doc<'_>, node: &yaml::Node) -> Result<Node, Error> {
    let fields = Fields::of(doc, node, "a node of the tree", &NODE)?;
    let attributes_of = |name| {
        fields
            .map(name, |node| attributes(doc, node))
            .map(Option::unwrap_or_default)
    };
    let flag = |name| {
        fields
            .map(name, |node| doc.boolean(node))
            .map(Option::unwrap_or_default)
    };
    let list = |name| {
        fields
            .map(name, |node| doc.list(node))
            .map(Option::unwrap_or_default)
    };
    let read = Node {
        position: fields.at(),
        span: pattern(doc, fields.require(doc, "span")?)?,
        times: fields
            .map("times", |node| doc.count(node))?
            .unwrap_or(Count::ONE),
        attributes: attributes_of("attributes")?,
        resource: attributes_of("resource")?,
        scope: attributes_of("scope")?,
        status: fields.map("status", |node| doc.word(node, "status", &STATUSES))?,
        duration: fields.map("duration", |node| doc.duration_range(node))?,
        duration_of_parent: None,
        duration_of_twin: None,
        within_parent: None,
        timing: None,
        ancestor: None,
        when: None,
        events: list("events")?
            .iter()
            .map(|item| event(doc, item))
            .collect::<Result<_, _>>()?,
        links: list("links")?
            .iter()
            .map(|item| link(doc, item))
            .collect::<Result<_, _>>()?,
        children: fields
            .map("children", |node| nodes(doc, node))?
            .unwrap_or_default(),
        closed: flag("closed")?,
        any_depth: flag("any-depth")?,
        elsewhere: false,
        among: Vec::new(),
    };
    if read.times.max == Some(0) {
        for field in ["children", "closed"] {
            if let Some(node) = fields.get(field) {
                let message = format!("{field:?} has no meaning for a span that must not be there");
                return Err(doc.error(node.at, message).with_hint("times is 0"));
            }
        }
    }
    Ok(read)
}

fn pattern(doc: &Doc<'_>, node: &yaml::Node) -> Result<Pattern, Error> {
    let fields = Fields::of(doc, node, "span", &PATTERN)?;
    let text = |name| fields.map(name, |node| doc.text_or_pattern(node));
    let pattern = Pattern {
        service: text("service")?,
        name: text("name")?,
        kind: fields.map("kind", |node| doc.word(node, "kind", &KINDS))?,
        bound: fields.map("as", |node| bound(doc, node))?,
    };
    if let (Some(service), Some(node)) = (&pattern.service, fields.get("service")) {
        lint::service(doc, node.at, service)?;
    }
    if pattern.service.is_none() && pattern.name.is_none() && pattern.kind.is_none() {
        return Err(doc
            .error(fields.at(), "this does not say which span is meant")
            .with_hint("write service, name or kind"));
    }
    Ok(pattern)
}

/// The name after `as:`, or after the `$` of a reference.
fn bound(doc: &Doc<'_>, node: &yaml::Node) -> Result<String, Error> {
    identifier(doc, node, doc.text(node)?)
}

fn identifier(doc: &Doc<'_>, node: &yaml::Node, name: &str) -> Result<String, Error> {
    let valid = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if name.is_empty() || !name.chars().all(valid) {
        return Err(doc
            .error(node.at, format!("{name:?} is no name for a span"))
            .with_hint("use letters, digits, - and _"));
    }
    Ok(name.to_owned())
}

fn event(doc: &Doc<'_>, node: &yaml::Node) -> Result<EventNode, Error> {
    let fields = Fields::of(doc, node, "an event", &EVENT)?;
    Ok(EventNode {
        name: doc.text_or_pattern(fields.require(doc, "name")?)?,
        attributes: fields
            .map("attributes", |node| attributes(doc, node))?
            .unwrap_or_default(),
        times: fields
            .map("times", |node| doc.count(node))?
            .unwrap_or(Count::ONE),
    })
}

fn link(doc: &Doc<'_>, node: &yaml::Node) -> Result<LinkNode, Error> {
    let fields = Fields::of(doc, node, "a link", &LINK)?;
    let to = fields.require(doc, "to")?;
    let Data::Text(text, _) = &to.data else {
        return Err(doc.wanted(to, "a span such as $producer"));
    };
    let Some(name) = text.strip_prefix('$') else {
        return Err(doc
            .wanted(to, "a span such as $producer")
            .with_hint("name the span with as: and refer to it with a $"));
    };
    Ok(LinkNode {
        position: to.at,
        to: identifier(doc, to, name)?,
        attributes: fields
            .map("attributes", |node| attributes(doc, node))?
            .unwrap_or_default(),
    })
}
