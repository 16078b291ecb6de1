//! The memory size of spans: their own size and the capacity of everything that they own.

use std::mem::size_of;

use trace::{Attributes, Event, Link, Resource, Scope, Span, Text, TraceId, Value};

/// The bytes of a trace apart from its spans: its entries in the store's tables.
pub(super) const OF_A_TRACE: usize = 4 * size_of::<TraceId>() + 128;

/// The bytes of a span, without its resource and scope.
pub(super) fn of_span(span: &Span) -> usize {
    size_of::<Span>()
        + of_text(&span.trace_state)
        + of_text(&span.name)
        + of_text(&span.status.message)
        + of_attributes(&span.attributes)
        + span.events.capacity() * size_of::<Event>()
        + span.events.iter().map(of_event).sum::<usize>()
        + span.links.capacity() * size_of::<Link>()
        + span.links.iter().map(of_link).sum::<usize>()
}

pub(super) fn of_resource(resource: &Resource) -> usize {
    size_of::<Resource>() + of_attributes(&resource.attributes) + resource.schema_url.capacity()
}

pub(super) fn of_scope(scope: &Scope) -> usize {
    size_of::<Scope>()
        + scope.name.capacity()
        + scope.version.capacity()
        + of_attributes(&scope.attributes)
        + scope.schema_url.capacity()
}

fn of_event(event: &Event) -> usize {
    of_text(&event.name) + of_attributes(&event.attributes)
}

fn of_link(link: &Link) -> usize {
    of_text(&link.trace_state) + of_attributes(&link.attributes)
}

fn of_attributes(attributes: &Attributes) -> usize {
    let pairs = attributes
        .0
        .iter()
        .map(|(key, value)| of_text(key) + of_value(value));
    attributes.0.capacity() * size_of::<(Text, Value)>() + pairs.sum::<usize>()
}

/// The bytes that a text owns: none if it stands in the text itself.
fn of_text(text: &Text) -> usize {
    match text.is_heap_allocated() {
        true => text.capacity(),
        false => 0,
    }
}

/// The bytes that a value owns, without its own size, which counts with its container.
fn of_value(value: &Value) -> usize {
    match value {
        Value::Empty | Value::Bool(_) | Value::Int(_) | Value::Double(_) => 0,
        Value::String(text) => of_text(text),
        Value::Bytes(bytes) => bytes.capacity(),
        Value::Array(values) => {
            values.capacity() * size_of::<Value>() + values.iter().map(of_value).sum::<usize>()
        }
        Value::Map(map) => of_attributes(map),
    }
}
