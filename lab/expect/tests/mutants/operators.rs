//! The ways in which a trace is changed. Each says which span it changed, and what of it.

use std::sync::Arc;

use trace::{Kind, Resource, Span, SpanId, StatusCode, TraceId, Value};

/// A changed trace.
pub(crate) struct Mutant {
    pub(crate) operator: &'static str,
    /// The span that was changed, before it was.
    pub(crate) span: Span,
    pub(crate) spans: Vec<Span>,
}

type Change = fn(&[Span], usize) -> Option<Vec<Span>>;

/// Each way, by its name. `None`: this span cannot be changed like that.
const OPERATORS: [(&str, Change); 27] = [
    ("drop a span", drop_span),
    ("drop a span and all below it", drop_subtree),
    ("reparent to the grandparent", to_grandparent),
    ("reparent to a sibling", to_sibling),
    ("reparent to a parent that is absent", orphan),
    ("make a root of it", root),
    ("an int becomes a double", |spans, at| {
        retype(spans, at, to_double)
    }),
    ("an int becomes its string", |spans, at| {
        retype(spans, at, to_text)
    }),
    ("another int", |spans, at| retype(spans, at, other_int)),
    ("another string", |spans, at| retype(spans, at, other_text)),
    ("another bool", |spans, at| retype(spans, at, other_bool)),
    ("drop the attributes", drop_attributes),
    ("move the attributes to the resource", to_resource),
    ("duplicate, with the same id", duplicate),
    ("duplicate, with an id of its own", double),
    ("truncate to microseconds", truncate),
    ("swap a link", swap_link),
    ("drop the links", drop_links),
    ("clear the status", |spans, at| {
        status(spans, at, StatusCode::Unset)
    }),
    ("an error status", |spans, at| {
        status(spans, at, StatusCode::Error)
    }),
    ("rename", rename),
    ("another kind", kind),
    ("another service", service),
    ("reorder with a sibling", reorder),
    ("shift the clock of its service", shift_clock),
    ("take no time at all", instant),
    ("drop the events", drop_events),
];

/// Of each operator so many mutants at most are made of one trace.
const MOST: usize = 24;

/// The mutants of a trace. Only the spans for which `changes` is true are changed.
pub(crate) fn mutants(spans: &[Span], changes: impl Fn(&Span) -> bool) -> Vec<Mutant> {
    let places: Vec<usize> = (0..spans.len()).filter(|&at| changes(&spans[at])).collect();
    let mut mutants = Vec::new();
    for (operator, change) in OPERATORS {
        let made: Vec<Mutant> = places
            .iter()
            .filter_map(|&at| {
                let changed = change(spans, at).filter(|changed| changed != spans)?;
                Some(Mutant {
                    operator,
                    span: spans[at].clone(),
                    spans: changed,
                })
            })
            .collect();
        let step = made.len().div_ceil(MOST).max(1);
        mutants.extend(made.into_iter().step_by(step));
    }
    mutants
}

fn changed(spans: &[Span], at: usize, change: impl FnOnce(&mut Span)) -> Option<Vec<Span>> {
    let mut spans = spans.to_vec();
    change(&mut spans[at]);
    Some(spans)
}

fn parent(spans: &[Span], at: usize) -> Option<usize> {
    let span = &spans[at];
    let is_parent = |other: &Span| {
        other.trace_id == span.trace_id && Some(other.span_id) == span.parent_span_id
    };
    spans.iter().position(is_parent)
}

/// The next sibling in time that comes from the same service, or any.
fn sibling(spans: &[Span], at: usize) -> Option<usize> {
    let span = &spans[at];
    let mut siblings = (0..spans.len()).filter(|&other| {
        other != at
            && spans[other].trace_id == span.trace_id
            && spans[other].parent_span_id == span.parent_span_id
            && spans[other].span_id != span.span_id
    });
    siblings.next()
}

fn drop_span(spans: &[Span], at: usize) -> Option<Vec<Span>> {
    let mut spans = spans.to_vec();
    spans.remove(at);
    Some(spans)
}

fn drop_subtree(spans: &[Span], at: usize) -> Option<Vec<Span>> {
    let mut gone = vec![spans[at].span_id];
    let mut next = 0;
    while let Some(&id) = gone.get(next) {
        next += 1;
        let below = spans.iter().filter(|span| span.parent_span_id == Some(id));
        for id in below.map(|span| span.span_id).collect::<Vec<_>>() {
            if !gone.contains(&id) {
                gone.push(id);
            }
        }
    }
    let left = spans.iter().filter(|span| !gone.contains(&span.span_id));
    (gone.len() > 1).then(|| left.cloned().collect())
}

fn to_grandparent(spans: &[Span], at: usize) -> Option<Vec<Span>> {
    let grandparent = spans[parent(spans, parent(spans, at)?)?].span_id;
    changed(spans, at, |span| span.parent_span_id = Some(grandparent))
}

fn to_sibling(spans: &[Span], at: usize) -> Option<Vec<Span>> {
    spans[at].parent_span_id?;
    let sibling = spans[sibling(spans, at)?].span_id;
    changed(spans, at, |span| span.parent_span_id = Some(sibling))
}

fn orphan(spans: &[Span], at: usize) -> Option<Vec<Span>> {
    let absent = SpanId::from_bytes([0xee; 8]).ok();
    changed(spans, at, |span| span.parent_span_id = absent)
}

fn root(spans: &[Span], at: usize) -> Option<Vec<Span>> {
    changed(spans, at, |span| span.parent_span_id = None)
}

fn retype(spans: &[Span], at: usize, change: fn(&Value) -> Option<Value>) -> Option<Vec<Span>> {
    changed(spans, at, |span| {
        for (_, value) in &mut span.attributes.0 {
            if let Some(other) = change(value) {
                *value = other;
            }
        }
    })
}

fn to_double(value: &Value) -> Option<Value> {
    value.as_int().map(|number| Value::Double(number as f64))
}

fn to_text(value: &Value) -> Option<Value> {
    value.as_int().map(|number| Value::from(number.to_string()))
}

fn other_int(value: &Value) -> Option<Value> {
    value.as_int().map(|number| Value::Int(number + 1_000_003))
}

fn other_text(value: &Value) -> Option<Value> {
    value
        .as_str()
        .map(|text| Value::from(format!("not {text}")))
}

fn other_bool(value: &Value) -> Option<Value> {
    match value {
        Value::Bool(truth) => Some(Value::Bool(!truth)),
        _ => None,
    }
}

fn drop_attributes(spans: &[Span], at: usize) -> Option<Vec<Span>> {
    changed(spans, at, |span| span.attributes.0.clear())
}

fn to_resource(spans: &[Span], at: usize) -> Option<Vec<Span>> {
    changed(spans, at, |span| {
        let moved = std::mem::take(&mut span.attributes.0);
        let mut resource = Resource::clone(&span.resource);
        resource.attributes.0.extend(moved);
        span.resource = Arc::new(resource);
    })
}

fn duplicate(spans: &[Span], at: usize) -> Option<Vec<Span>> {
    let mut spans = spans.to_vec();
    spans.push(spans[at].clone());
    Some(spans)
}

fn double(spans: &[Span], at: usize) -> Option<Vec<Span>> {
    let mut spans = spans.to_vec();
    let mut other = spans[at].clone();
    other.span_id = SpanId::from_bytes([0xdd; 8]).ok()?;
    spans.push(other);
    Some(spans)
}

fn truncate(spans: &[Span], at: usize) -> Option<Vec<Span>> {
    // All spans lose their nanoseconds at once: as a backend keeps them.
    (at == 0).then(|| {
        let cut = |span: &Span| Span {
            start_ns: span.start_ns / 1_000 * 1_000,
            end_ns: span.end_ns / 1_000 * 1_000,
            ..span.clone()
        };
        spans.iter().map(cut).collect()
    })
}

fn swap_link(spans: &[Span], at: usize) -> Option<Vec<Span>> {
    let other = TraceId::from_bytes([0xcc; 16]).ok()?;
    let mine = spans[at].span_id;
    changed(spans, at, |span| {
        for (place, link) in span.links.iter_mut().enumerate() {
            // To itself, which is a span that is there, or to a trace that is not.
            match place % 2 {
                0 => link.span_id = mine,
                _ => link.trace_id = other,
            }
        }
    })
}

fn drop_links(spans: &[Span], at: usize) -> Option<Vec<Span>> {
    changed(spans, at, |span| span.links.clear())
}

fn status(spans: &[Span], at: usize, code: StatusCode) -> Option<Vec<Span>> {
    changed(spans, at, |span| span.status.code = code)
}

fn rename(spans: &[Span], at: usize) -> Option<Vec<Span>> {
    changed(spans, at, |span| {
        span.name = format!("{} 2", span.name).into()
    })
}

fn kind(spans: &[Span], at: usize) -> Option<Vec<Span>> {
    changed(spans, at, |span| {
        span.kind = match span.kind {
            Kind::Internal => Kind::Client,
            _ => Kind::Internal,
        };
    })
}

fn service(spans: &[Span], at: usize) -> Option<Vec<Span>> {
    changed(spans, at, |span| {
        let mut resource = Resource::clone(&span.resource);
        for (key, value) in &mut resource.attributes.0 {
            if key == "service.name" {
                *value = Value::from("somebody");
            }
        }
        span.resource = Arc::new(resource);
    })
}

fn reorder(spans: &[Span], at: usize) -> Option<Vec<Span>> {
    let other = sibling(spans, at)?;
    let mut spans = spans.to_vec();
    let (one, two) = (spans[at].clone(), spans[other].clone());
    (spans[at].start_ns, spans[at].end_ns) = (two.start_ns, two.end_ns);
    (spans[other].start_ns, spans[other].end_ns) = (one.start_ns, one.end_ns);
    Some(spans)
}

fn shift_clock(spans: &[Span], at: usize) -> Option<Vec<Span>> {
    const BY: u64 = 700_000_000;
    let service = spans[at].service();
    // Of each service once: by its first span.
    let first = spans.iter().position(|span| span.service() == service)?;
    (first == at).then(|| {
        let shifted = |span: &Span| match span.service() == service {
            true => Span {
                start_ns: span.start_ns + BY,
                end_ns: span.end_ns + BY,
                ..span.clone()
            },
            false => span.clone(),
        };
        spans.iter().map(shifted).collect()
    })
}

fn instant(spans: &[Span], at: usize) -> Option<Vec<Span>> {
    changed(spans, at, |span| span.end_ns = span.start_ns)
}

fn drop_events(spans: &[Span], at: usize) -> Option<Vec<Span>> {
    changed(spans, at, |span| span.events.clear())
}
