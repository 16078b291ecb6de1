//! `expect:`: the counts and the tree.

use trace::{Kind, StatusCode};

use super::{
    attributes::attributes,
    condition::condition,
    fields::{Fields, Words},
    lint,
    scalars::Doc,
};
use crate::{
    Among, Count, Counts, DoubleRange, DurationRange, Error, EventNode, Expectation, Forbidden,
    LinkNode, Node, PathShare, Pattern, Timing,
    yaml::{self, Data},
};

pub(super) const EXPECT: Words = Words {
    known: &["trace", "tree", "forbid", "critical-path", "when"],
    later: &[],
};
pub(super) const COUNTS: Words = Words {
    known: &[
        "roots",
        "orphans",
        "spans",
        "errors",
        "duplicates",
        "arrival",
    ],
    later: &[],
};
pub(super) const NODE: Words = Words {
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
        "elsewhere",
        "ancestor",
        "within-parent",
        "order",
        "parallel",
        "sequential",
        "when",
    ],
    later: &[],
};
pub(super) const FORBID: Words = Words {
    known: &["from", "to", "any-depth"],
    later: &[],
};
pub(super) const PATH: Words = Words {
    known: &["through", "share"],
    later: &[],
};
pub(super) const PATTERN: Words = Words {
    known: &["service", "name", "kind", "as"],
    later: &[],
};
pub(super) const EVENT: Words = Words {
    known: &["name", "attributes", "times"],
    later: &[],
};
pub(super) const LINK: Words = Words {
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
        forbid: fields
            .map("forbid", |node| {
                let items = doc.list(node)?.iter();
                items.map(|item| forbidden(doc, item)).collect()
            })?
            .unwrap_or_default(),
        critical_path: fields
            .map("critical-path", |node| match &node.data {
                Data::List(items) => items.iter().map(|item| path_share(doc, item)).collect(),
                _ => Ok(vec![path_share(doc, node)?]),
            })?
            .unwrap_or_default(),
        when: fields.map("when", |node| condition(doc, node))?,
    };
    let whole = expectation.forbid.len() + expectation.critical_path.len();
    if expectation.trace == Counts::default() && expectation.tree.is_empty() && whole == 0 {
        return Err(doc
            .error(fields.at(), "nothing is expected")
            .with_hint("write trace: or tree:, so that something can fail"));
    }
    lint::names(doc, &expectation);
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
        duplicates: count("duplicates")?,
        arrival: fields.map("arrival", |node| doc.duration_range(node))?,
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
    let durations = fields
        .map("duration", |node| durations(doc, node))?
        .unwrap_or_default();
    let (timing, among) = timings(doc, &fields)?;
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
        duration: durations.absolute,
        duration_of_parent: durations.of_parent,
        duration_of_twin: durations.of_twin,
        within_parent: fields.map("within-parent", |node| doc.boolean(node))?,
        timing,
        ancestor: fields.map("ancestor", |node| pattern(doc, node))?,
        when: fields.map("when", |node| condition(doc, node))?,
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
        elsewhere: flag("elsewhere")?,
        among,
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

/// What `duration:` says: one want, or a list of them.
#[derive(Default)]
struct Durations {
    absolute: Option<DurationRange>,
    of_parent: Option<DoubleRange>,
    of_twin: Option<DoubleRange>,
}

fn durations(doc: &Doc<'_>, node: &yaml::Node) -> Result<Durations, Error> {
    let items = match &node.data {
        Data::List(items) => items.as_slice(),
        _ => std::slice::from_ref(node),
    };
    let mut durations = Durations::default();
    let twice = |node: &yaml::Node| doc.error(node.at, "this is asked twice");
    for item in items {
        let text = match &item.data {
            Data::Text(text, _) => text.as_str(),
            _ => "",
        };
        let before = if let Some(share) = text.strip_suffix("of parent") {
            let share = doc.share(item, share)?;
            durations.of_parent.replace(share).is_some()
        } else if let Some(factor) = text.strip_suffix("twin") {
            let factor = doc.factor(item, factor)?;
            durations.of_twin.replace(factor).is_some()
        } else {
            let range = doc.duration_range(item)?;
            durations.absolute.replace(range).is_some()
        };
        if before {
            return Err(twice(item));
        }
    }
    Ok(durations)
}

/// `parallel: true` of the node's own spans; `parallel: [a, b]` of spans beneath it.
fn timings(doc: &Doc<'_>, fields: &Fields<'_>) -> Result<(Option<Timing>, Vec<Among>), Error> {
    let words = [
        ("parallel", Timing::Parallel),
        ("sequential", Timing::Sequential),
        ("order", Timing::Order),
    ];
    let (mut own, mut among) = (None, Vec::new());
    for (word, timing) in words {
        let Some(node) = fields.get(word) else {
            continue;
        };
        match &node.data {
            Data::List(items) => {
                let names: Vec<String> = items
                    .iter()
                    .map(|item| {
                        let name = doc.text(item)?;
                        identifier(doc, item, name.strip_prefix('$').unwrap_or(name))
                    })
                    .collect::<Result<_, _>>()?;
                if names.len() < 2 {
                    return Err(doc.error(node.at, "two names or more have an order"));
                }
                among.push(Among {
                    position: node.at,
                    timing,
                    names,
                });
            }
            Data::Bool(true) if timing != Timing::Order => {
                if own.replace(timing).is_some() {
                    return Err(doc.error(node.at, "spans are parallel or sequential, not both"));
                }
                let several = fields.map("times", |node| doc.count(node))?;
                if several.is_none_or(|times| times.max.is_some_and(|max| max < 2)) {
                    return Err(doc
                        .error(node.at, format!("one span alone is not {word}"))
                        .with_hint("write times: with 2 or more, or a list of names"));
                }
            }
            _ if timing == Timing::Order => {
                return Err(doc.wanted(node, "a list of names such as [reserve, charge]"));
            }
            _ => return Err(doc.wanted(node, "true or a list of names")),
        }
    }
    Ok((own, among))
}

fn forbidden(doc: &Doc<'_>, node: &yaml::Node) -> Result<Forbidden, Error> {
    let fields = Fields::of(doc, node, "a forbidden call", &FORBID)?;
    Ok(Forbidden {
        position: fields.at(),
        from: service_or_pattern(doc, fields.require(doc, "from")?)?,
        to: service_or_pattern(doc, fields.require(doc, "to")?)?,
        any_depth: fields
            .map("any-depth", |node| doc.boolean(node))?
            .unwrap_or_default(),
    })
}

fn path_share(doc: &Doc<'_>, node: &yaml::Node) -> Result<PathShare, Error> {
    let fields = Fields::of(doc, node, "critical-path", &PATH)?;
    let share_node = fields.require(doc, "share")?;
    let share = doc.share(share_node, doc.text(share_node)?)?;
    if share.min > 1.0 {
        return Err(doc.error(share_node.at, "no share of a path is more than 100%"));
    }
    Ok(PathShare {
        position: fields.at(),
        through: service_or_pattern(doc, fields.require(doc, "through")?)?,
        share,
    })
}

fn service_or_pattern(doc: &Doc<'_>, node: &yaml::Node) -> Result<Pattern, Error> {
    let Data::Text(..) = &node.data else {
        return pattern(doc, node);
    };
    let service = doc.text_or_pattern(node)?;
    lint::service(doc, node.at, &service);
    Ok(Pattern {
        service: Some(service),
        ..Pattern::default()
    })
}

pub(super) fn pattern(doc: &Doc<'_>, node: &yaml::Node) -> Result<Pattern, Error> {
    let fields = Fields::of(doc, node, "span", &PATTERN)?;
    let text = |name| fields.map(name, |node| doc.text_or_pattern(node));
    let pattern = Pattern {
        service: text("service")?,
        name: text("name")?,
        kind: fields.map("kind", |node| doc.word(node, "kind", &KINDS))?,
        bound: fields.map("as", |node| bound(doc, node))?,
    };
    if let (Some(service), Some(node)) = (&pattern.service, fields.get("service")) {
        lint::service(doc, node.at, service);
    }
    if let (Some(name), Some(node)) = (&pattern.name, fields.get("name")) {
        lint::span_name(doc, node.at, pattern.service.as_ref(), name);
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

pub(super) fn identifier(doc: &Doc<'_>, node: &yaml::Node, name: &str) -> Result<String, Error> {
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
    let name = fields.require(doc, "name")?;
    doc.not_of_the_lab(name.at, doc.text(name)?);
    Ok(EventNode {
        name: doc.text_or_pattern(name)?,
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
