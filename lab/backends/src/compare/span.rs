//! What became of one span.

use std::collections::HashMap;

use trace::{Kind, Span, SpanId, StatusCode};

use super::{
    Difference, clipped,
    items::{events, links},
    values::{self, Attributes},
};
use crate::loss::{Field, How, Loss};

/// Compares a span with the one that came back. `new_ids` are the ids that have changed.
pub(super) fn compare(
    sent: &Span,
    got: &Span,
    new_ids: &HashMap<SpanId, SpanId>,
) -> Vec<Difference> {
    let mut found = Vec::new();
    ids(sent, got, new_ids, &mut found);
    text(Field::Name, &sent.name, &got.name, &mut found);
    if sent.kind != got.kind {
        let how = match got.kind {
            Kind::Unspecified => How::Missing,
            _ => How::Changed,
        };
        found.push(Difference::of(
            Loss::new(Field::Kind, how),
            format!("{:?}", sent.kind),
            format!("{:?}", got.kind),
        ));
    }
    time(Field::Start, sent.start_ns, got.start_ns, &mut found);
    time(Field::End, sent.end_ns, got.end_ns, &mut found);
    status(sent, got, &mut found);
    text(
        Field::TraceState,
        &sent.trace_state,
        &got.trace_state,
        &mut found,
    );
    number(Field::Flags, sent.flags, got.flags, &mut found);
    number(
        Field::DroppedAttributes,
        sent.dropped_attributes,
        got.dropped_attributes,
        &mut found,
    );
    number(
        Field::DroppedEvents,
        sent.dropped_events,
        got.dropped_events,
        &mut found,
    );
    number(
        Field::DroppedLinks,
        sent.dropped_links,
        got.dropped_links,
        &mut found,
    );
    let mut of_span = Attributes::of(&sent.attributes, &got.attributes);
    resource_and_scope(sent, got, &mut of_span, &mut found);
    of_span.tell(Field::Attribute, &mut found);
    events(sent, got, &mut found);
    links(sent, got, &mut found);
    found
}

fn ids(sent: &Span, got: &Span, new_ids: &HashMap<SpanId, SpanId>, found: &mut Vec<Difference>) {
    let is_new = new_ids.get(&sent.span_id) == Some(&got.span_id);
    let swapped_back = is_new && new_ids.values().any(|id| *id == sent.span_id);
    if sent.span_id != got.span_id && !swapped_back {
        found.push(Difference::of(
            Loss::new(Field::SpanId, How::Changed),
            sent.span_id.to_string(),
            got.span_id.to_string(),
        ));
    }
    if sent.trace_id != got.trace_id {
        found.push(Difference::of(
            Loss::new(Field::TraceId, How::Changed),
            sent.trace_id.to_string(),
            got.trace_id.to_string(),
        ));
    }
    let parent = |id: Option<SpanId>| id.map_or("none".to_owned(), |id| id.to_string());
    let follows = || {
        // Children of a span whose id has changed follow it.
        let new = sent.parent_span_id.and_then(|id| new_ids.get(&id));
        new.is_some() && got.parent_span_id == new.copied()
    };
    if sent.parent_span_id != got.parent_span_id && !follows() {
        let how = match (sent.parent_span_id, got.parent_span_id) {
            (Some(_), None) => How::Missing,
            (None, Some(_)) => How::Added,
            _ => How::Changed,
        };
        found.push(Difference::of(
            Loss::new(Field::Parent, how),
            parent(sent.parent_span_id),
            parent(got.parent_span_id),
        ));
    }
}

fn status(sent: &Span, got: &Span, found: &mut Vec<Difference>) {
    if sent.status.code != got.status.code {
        let how = match got.status.code {
            StatusCode::Unset => How::Missing,
            _ => How::Changed,
        };
        found.push(Difference::of(
            Loss::new(Field::Status, how),
            format!("{:?}", sent.status.code),
            format!("{:?}", got.status.code),
        ));
    }
    text(
        Field::StatusMessage,
        &sent.status.message,
        &got.status.message,
        found,
    );
}

/// Attributes of resource and scope that stand among those of the span were moved there.
fn resource_and_scope<'a>(
    sent: &'a Span,
    got: &'a Span,
    of_span: &mut Attributes<'a>,
    found: &mut Vec<Difference>,
) {
    for (field, sent, got) in [
        (
            Field::ResourceAttribute,
            &sent.resource.attributes,
            &got.resource.attributes,
        ),
        (
            Field::ScopeAttribute,
            &sent.scope.attributes,
            &got.scope.attributes,
        ),
    ] {
        let mut attributes = Attributes::of(sent, got);
        attributes.moved_to(of_span, field, found);
        attributes.tell(field, found);
    }
    text(Field::ScopeName, &sent.scope.name, &got.scope.name, found);
    text(
        Field::ScopeVersion,
        &sent.scope.version,
        &got.scope.version,
        found,
    );
    text(
        Field::ResourceSchemaUrl,
        &sent.resource.schema_url,
        &got.resource.schema_url,
        found,
    );
    text(
        Field::ScopeSchemaUrl,
        &sent.scope.schema_url,
        &got.scope.schema_url,
        found,
    );
    number(
        Field::ResourceDropped,
        sent.resource.dropped_attributes,
        got.resource.dropped_attributes,
        found,
    );
    number(
        Field::ScopeDropped,
        sent.scope.dropped_attributes,
        got.scope.dropped_attributes,
        found,
    );
}

/// Compares two texts that are no attributes.
pub(super) fn text(field: Field, sent: &str, got: &str, found: &mut Vec<Difference>) {
    if sent == got {
        return;
    }
    let how = match (sent.is_empty(), got.is_empty()) {
        (true, _) => How::Added,
        (_, true) => How::Missing,
        _ => values::of_texts(sent, got),
    };
    found.push(Difference::of(
        Loss::new(field, how),
        quoted(sent),
        quoted(got),
    ));
}

fn quoted(text: &str) -> String {
    match text {
        "" => "nothing".to_owned(),
        text => clipped(&format!("{text:?}")),
    }
}

/// Compares two numbers of which 0 stands for none.
pub(super) fn number(field: Field, sent: u32, got: u32, found: &mut Vec<Difference>) {
    if sent == got {
        return;
    }
    let how = match (sent, got) {
        (0, _) => How::Added,
        (_, 0) => How::Missing,
        _ => How::Changed,
    };
    found.push(Difference::of(
        Loss::new(field, how),
        sent.to_string(),
        got.to_string(),
    ));
}

/// Compares two times, in nanoseconds since the Unix epoch.
pub(super) fn time(field: Field, sent: u64, got: u64, found: &mut Vec<Difference>) {
    if sent == got {
        return;
    }
    let how = match got {
        0 => How::Missing,
        _ if got == sent - sent % 1_000 => How::CutToMicroseconds,
        // An end that is made of a start and a duration may be one microsecond off.
        _ if got.is_multiple_of(1_000) && sent.abs_diff(got) < 2_000 => How::RoundedToMicroseconds,
        _ if got == sent - sent % 1_000_000 => How::CutToMilliseconds,
        _ => How::Changed,
    };
    found.push(Difference::of(
        Loss::new(field, how),
        format!("{sent} ns"),
        format!("{got} ns"),
    ));
}
