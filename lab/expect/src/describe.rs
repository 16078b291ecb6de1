//! Describes a mismatch as text.

use scenario::{EventNode, LinkNode};
use trace::{Attributes, Event, Fidelity, Link, Span, SpanId, TraceId, Value};

use crate::{
    attributes::Holder,
    compare::{Field, Mismatch, Seen},
    forest::Forest,
    plan::service,
    reference::Target,
    report,
    rules::{described, share},
};

// === impl Mismatch ===

impl Mismatch<'_> {
    /// Describes the mismatch of a span.
    pub(crate) fn describe(&self, span: &Span, forest: &Forest<'_>) -> report::Difference {
        let (field, want, got) = match self.field {
            Field::Service(want) => (
                "service".to_owned(),
                want.to_string(),
                absent_or(service(span)),
            ),
            Field::Name(want) => ("name".to_owned(), want.to_string(), span.name.to_string()),
            Field::Kind(want) => ("kind".to_owned(), want.to_string(), span.kind.to_string()),
            Field::Status(want) => (
                "status".to_owned(),
                want.to_string(),
                span.status.code.to_string(),
            ),
            Field::Duration(want) => {
                let got = match span.end_ns < span.start_ns {
                    true => "an end before the start".to_owned(),
                    false => format!("{:?}", span.duration()),
                };
                ("duration".to_owned(), want.to_string(), got)
            }
            Field::OfParent(want, got) => (
                "duration".to_owned(),
                format!("{} of parent", share(want.min, want.max)),
                match got {
                    Some(got) => format!("{:.1}% of parent", got * 100.0),
                    None => "no parent".to_owned(),
                },
            ),
            Field::OfTwin(want, got) => (
                "duration".to_owned(),
                format!("{want}x twin"),
                match got {
                    Some(got) => format!("{got:.2}x twin"),
                    None => format!(
                        "{:?}, and nothing of a twin to compare it with",
                        span.duration()
                    ),
                },
            ),
            Field::WithinParent(want) => (
                "within-parent".to_owned(),
                want.to_string(),
                (!want).to_string(),
            ),
            Field::Ancestor(want) => ("ancestor".to_owned(), described(want), "none".to_owned()),
            Field::Attribute(holder, key, want) => {
                let (attributes, _) = holder.attributes(span);
                (
                    format!("{}{key}", holder.prefix()),
                    want.to_string(),
                    got(key, attributes),
                )
            }
            Field::Event(want, seen) => event(want, seen, &span.events),
            Field::Link(want, target) => link(want, target, span, forest),
        };
        let as_text = span.fidelity == Fidelity::Text;
        let why = match self.field {
            Field::OfTwin(..) => "cannot be known: no twin was run that has this span",
            Field::Attribute(holder, key, _) if as_text => {
                match holder.attributes(span).0.get(key).is_some() {
                    true => "cannot be known: the format of the trace holds every value as text",
                    false if matches!(holder, Holder::Span) => DROPPED,
                    false => "cannot be known: the format of the trace has no such attributes",
                }
            }
            _ => DROPPED,
        };
        let unknown = (!self.certain).then(|| why.to_owned());
        report::Difference {
            field,
            want,
            got,
            unknown,
        }
    }
}

const DROPPED: &str = "cannot be known: the sender dropped attributes, events or links of a span";

fn typed(value: &Value) -> String {
    format!("{} {value}", value.type_name())
}

fn absent_or(value: Option<&Value>) -> String {
    value.map_or_else(
        || "absent".to_owned(),
        |value| match value {
            Value::String(text) => text.to_string(),
            other => typed(other),
        },
    )
}

/// The value of a key, or all values if it was sent more than once.
fn got(key: &str, attributes: &Attributes) -> String {
    let values: Vec<_> = attributes
        .iter()
        .filter(|(known, _)| *known == key)
        .map(|(_, value)| typed(value))
        .collect();
    match values.as_slice() {
        [] => "absent".to_owned(),
        [one] => one.clone(),
        several => format!("{} values: {}", several.len(), several.join(", ")),
    }
}

fn event(want: &EventNode, seen: Seen, events: &[Event]) -> (String, String, String) {
    let checks: Vec<_> = want
        .attributes
        .iter()
        .map(|(key, check)| format!("{key}: {check}"))
        .collect();
    let with = if checks.is_empty() {
        String::new()
    } else {
        format!(" with {}", checks.join(", "))
    };
    let named: Vec<_> = events
        .iter()
        .filter(|event| want.name.matches(&event.name))
        .collect();
    let got = match (named.as_slice(), seen.fit) {
        ([], _) => format!("none of {} events", events.len()),
        ([one], 0) => {
            let values = want
                .attributes
                .iter()
                .map(|(key, _)| format!("{key}: {}", got(key, &one.attributes)));
            format!("one with {}", values.collect::<Vec<_>>().join(", "))
        }
        (_, fit) => format!("{fit}"),
    };
    (
        format!("event {}", want.name),
        format!("{}{with}", want.times),
        got,
    )
}

fn link(
    want: &LinkNode,
    target: Target<'_>,
    span: &Span,
    forest: &Forest<'_>,
) -> (String, String, String) {
    let name = |trace_id: TraceId, span_id: SpanId| format!("trace {trace_id} span {span_id}");
    let checks: Vec<_> = want
        .attributes
        .iter()
        .map(|(key, check)| format!("{key}: {check}"))
        .collect();
    let with = match checks.is_empty() {
        true => String::new(),
        false => format!(" with {}", checks.join(", ")),
    };
    let wanted = match target {
        Target::Span(index) => {
            let span = forest.span(index);
            name(span.trace_id, span.span_id)
        }
        Target::Like(_) => format!("${}", want.to),
        Target::Missing => format!("${}, which is missing", want.to),
    };
    let link = |link: &Link| {
        let to = name(link.trace_id, link.span_id);
        // The attributes of a link that leads to another span do not matter.
        if with.is_empty() || !target.is(link, forest) {
            return to;
        }
        let values: Vec<_> = want
            .attributes
            .iter()
            .map(|(key, _)| format!("{key}: {}", got(key, &link.attributes)))
            .collect();
        format!("{to} with {}", values.join(", "))
    };
    let links: Vec<_> = span.links.iter().map(link).collect();
    let links = match links.is_empty() {
        true => "no link".to_owned(),
        false => links.join(", "),
    };
    (
        format!("link ${}", want.to),
        format!("{wanted}{with}"),
        links,
    )
}
