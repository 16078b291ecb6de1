//! Writes the expectation that a trace fulfils, as a start for a user's own scenario.

use std::{
    collections::{HashMap, HashSet},
    fmt::Write,
};

use trace::{Event, Span, SpanId, Trace, Value};

/// The deepest level that is written: a scenario file must not be nested deeper.
const DEEPEST: usize = 30;

/// Attributes whose values describe the kind of operation, and not the single operation. The expectation
/// includes their values; for other attributes it only requires that they exist.
const TELLING: [&str; 20] = [
    "db.collection.name",
    "db.operation.name",
    "db.system",
    "db.system.name",
    "error.type",
    "exception.type",
    "http.method",
    "http.request.method",
    "http.response.status_code",
    "http.route",
    "http.status_code",
    "messaging.destination.name",
    "messaging.operation.name",
    "messaging.operation.type",
    "messaging.system",
    "rpc.method",
    "rpc.response.status_code",
    "rpc.service",
    "rpc.system",
    "url.scheme",
];

/// Writes the `expect:` block, in YAML, that a trace fulfils. It omits durations and values that differ from
/// trace to trace, so that other traces of the same kind probably fulfil it too.
pub fn derive(trace: &Trace) -> String {
    let derived = Derived::of(trace);
    let mut text = String::from("expect:\n");
    let duplicates = trace.spans().len() - derived.ids;
    let duplicates = match duplicates {
        0 => String::new(),
        some => format!(", duplicates: {some}"),
    };
    let _ = writeln!(
        text,
        "  trace: {{ roots: {}, orphans: {}, spans: {}, errors: {}{duplicates} }}",
        trace.roots().count(),
        trace.orphans().count() + derived.cycles(),
        trace.spans().len(),
        trace.errors(),
    );
    if !trace.tops().is_empty() {
        text.push_str("  tree:\n");
        derived.push_nodes(&mut text, trace.tops(), 2, 0);
    }
    text
}

/// A trace, and the names of those of its spans that others link to.
struct Derived<'t> {
    trace: &'t Trace,
    names: HashMap<usize, String>,
    by_id: HashMap<SpanId, usize>,
    ids: usize,
}

// === impl Derived ===

impl<'t> Derived<'t> {
    fn of(trace: &'t Trace) -> Derived<'t> {
        let mut by_id = HashMap::new();
        let mut twice = HashSet::new();
        for (index, span) in trace.spans().iter().enumerate() {
            if by_id.insert(span.span_id, index).is_some() {
                twice.insert(span.span_id);
            }
        }
        let ids = by_id.len();
        by_id.retain(|id, _| !twice.contains(id));
        let mut shown: Vec<(usize, usize)> = Vec::new();
        for (index, depth) in trace.walk() {
            if depth < DEEPEST {
                shown.push((index, depth));
            }
        }
        let shown_spans: HashSet<usize> = shown.iter().map(|(index, _)| *index).collect();
        let mut names = HashMap::new();
        for (index, _) in &shown {
            for link in &trace.span(*index).links {
                let target = by_id.get(&link.span_id).copied();
                let target = target
                    .filter(|target| link.trace_id == trace.id() && shown_spans.contains(target));
                if let Some(target) = target {
                    let next = format!("linked-{}", names.len() + 1);
                    names.entry(target).or_insert(next);
                }
            }
        }
        Derived {
            trace,
            names,
            by_id,
            ids,
        }
    }

    /// The number of spans at the top that are neither root nor orphan: where a cycle was cut.
    fn cycles(&self) -> usize {
        let (roots, orphans) = (self.trace.roots().count(), self.trace.orphans().count());
        self.trace.tops().len() - roots - orphans
    }

    /// Writes the nodes of siblings; equal nodes are written once.
    fn push_nodes(&self, text: &mut String, siblings: &[usize], level: usize, depth: usize) {
        let mut nodes: Vec<(String, usize)> = Vec::new();
        for &index in siblings {
            let node = self.node(index, level, depth);
            match nodes.iter_mut().find(|(known, _)| *known == node) {
                Some((_, times)) => *times += 1,
                None => nodes.push((node, 1)),
            }
        }
        for (node, times) in nodes {
            let (first, rest) = node.split_once('\n').unwrap_or((&node, ""));
            text.push_str(first);
            text.push('\n');
            if times > 1 {
                let _ = writeln!(text, "{}  times: {times}", "  ".repeat(level));
            }
            text.push_str(rest);
        }
    }

    fn node(&self, index: usize, level: usize, depth: usize) -> String {
        let span = self.trace.span(index);
        let indent = "  ".repeat(level);
        let service = span.resource.attributes.get("service.name");
        let mut node = format!("{indent}- span: {{ ");
        if let Some(Value::String(service)) = service {
            let _ = write!(node, "service: {}, ", name(service));
        }
        let _ = write!(node, "name: {}, kind: {}", name(&span.name), span.kind);
        if let Some(bound) = self.names.get(&index) {
            let _ = write!(node, ", as: {bound}");
        }
        let _ = writeln!(node, " }}\n{indent}  status: {}", span.status.code);
        // Such a span is not of the service that the SDKs write where none is given.
        match service {
            Some(Value::String(_)) => {}
            Some(_) => {
                let _ = writeln!(node, "{indent}  resource: {{ service.name: present }}");
            }
            None => {
                let _ = writeln!(node, "{indent}  resource: {{ service.name: absent }}");
            }
        }
        let attributes = attributes(span.attributes.iter());
        if !attributes.is_empty() {
            let _ = writeln!(node, "{indent}  attributes:");
            for (key, want) in attributes {
                let _ = writeln!(node, "{indent}    {key}: {want}");
            }
        }
        push_events(&mut node, &indent, &span.events);
        self.push_links(&mut node, &indent, span);
        let children = self.trace.children(index);
        if depth + 1 < DEEPEST {
            let _ = writeln!(node, "{indent}  closed: true");
            if !children.is_empty() {
                let _ = writeln!(node, "{indent}  children:");
                self.push_nodes(&mut node, children, level + 2, depth + 1);
            }
        }
        node
    }

    fn push_links(&self, node: &mut String, indent: &str, span: &Span) {
        let links = span.links.iter().filter_map(|link| {
            let target = self.by_id.get(&link.span_id)?;
            let in_trace = link.trace_id == self.trace.id();
            self.names.get(target).filter(|_| in_trace)
        });
        let mut links: Vec<String> = links.map(|to| format!("{{ to: ${to} }}")).collect();
        links.dedup();
        if !links.is_empty() {
            let _ = writeln!(node, "{indent}  links: [{}]", links.join(", "));
        }
    }
}

fn push_events(node: &mut String, indent: &str, events: &[Event]) {
    let mut names: Vec<(&str, usize)> = Vec::new();
    for event in events.iter().filter(|event| !is_of_the_lab(&event.name)) {
        match names.iter_mut().find(|(name, _)| *name == event.name) {
            Some((_, times)) => *times += 1,
            None => names.push((&event.name, 1)),
        }
    }
    if names.is_empty() {
        return;
    }
    let _ = writeln!(node, "{indent}  events:");
    for (of, times) in names {
        let _ = write!(node, "{indent}    - {{ name: {}", name(of));
        if times > 1 {
            let _ = write!(node, ", times: {times}");
        }
        let mut alike = events.iter().filter(|event| event.name == of);
        let asked = alike.next().map_or(Vec::new(), |event| {
            let telling = event.attributes.iter();
            attributes(telling.filter(|(key, _)| times == 1 && TELLING.contains(key)))
        });
        if !asked.is_empty() {
            let asked: Vec<String> = asked
                .iter()
                .map(|(key, want)| format!("{key}: {want}"))
                .collect();
            let _ = write!(node, ", attributes: {{ {} }}", asked.join(", "));
        }
        let _ = writeln!(node, " }}");
    }
}

/// Each key once, with the expectation for its value.
fn attributes<'a>(attributes: impl Iterator<Item = (&'a str, &'a Value)>) -> Vec<(String, String)> {
    let mut asked: Vec<(&str, String)> = Vec::new();
    for (key, value) in attributes.filter(|(key, _)| !is_of_the_lab(key)) {
        let present = || "present".to_owned();
        match asked.iter_mut().find(|(known, _)| *known == key) {
            // It cannot be known which of several values is meant.
            Some((_, want)) => *want = present(),
            None if TELLING.contains(&key) => {
                asked.push((key, exactly(value).unwrap_or_else(present)));
            }
            None => asked.push((key, present())),
        }
    }
    let mut asked: Vec<(String, String)> = asked
        .into_iter()
        .map(|(key, want)| (scalar(key), want))
        .collect();
    asked.sort();
    asked
}

fn exactly(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if text.starts_with(['$', '~']) => {
            Some(format!("{{ string: {} }}", scalar(text)))
        }
        Value::String(text) => Some(scalar(text)),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Int(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Whether a key is the lab's own. An expectation must not use such keys.
fn is_of_the_lab(key: &str) -> bool {
    key == "lab" || key.starts_with("lab.")
}

/// Writes a name; a name that would be read as a pattern is written as a pattern that matches it.
fn name(text: &str) -> String {
    match text.starts_with('~') || text.is_empty() {
        true => scalar(&format!("~{}", escaped(text))),
        false => scalar(text),
    }
}

/// A regular expression that matches only this text.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if r"\.+*?()|[]{}^$#&-~".contains(c) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

/// Writes a text as YAML: without quotes if it cannot be read as another type.
fn scalar(text: &str) -> String {
    const WORDS: [&str; 10] = [
        "true", "false", "null", "yes", "no", "on", "off", "present", "absent", "empty",
    ];
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '/' | '-' | ' ');
    let is_plain = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(plain)
        && !text.ends_with(' ')
        && !text.contains("..")
        && !WORDS.contains(&text.to_ascii_lowercase().as_str());
    if is_plain {
        return text.to_owned();
    }
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            ' '..='~' => quoted.push(c),
            c => {
                let _ = write!(quoted, "\\U{:08X}", u32::from(c));
            }
        }
    }
    quoted.push('"');
    quoted
}
