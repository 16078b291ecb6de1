//! What of a span is not as it was sent, in words.

use opentelemetry_proto::tonic::{
    common::v1::KeyValue,
    trace::v1::{ResourceSpans, ScopeSpans, Span},
};

/// The messages around spans, without scopes and spans.
pub(super) type Around = (ResourceSpans, ScopeSpans);

/// What is other in a span.
pub(super) fn of_span(sent: &Span, came: &Span) -> String {
    let mut changes = of_attributes(&sent.attributes, &came.attributes);
    let fields = [
        ("trace_state", sent.trace_state != came.trace_state),
        ("parent_span_id", sent.parent_span_id != came.parent_span_id),
        ("flags", sent.flags != came.flags),
        ("name", sent.name != came.name),
        ("kind", sent.kind != came.kind),
        (
            "end_time_unix_nano",
            sent.end_time_unix_nano != came.end_time_unix_nano,
        ),
        ("events", sent.events != came.events),
        ("links", sent.links != came.links),
        (
            "status",
            sent.status.clone().unwrap_or_default() != came.status.clone().unwrap_or_default(),
        ),
        (
            "dropped_attributes_count",
            sent.dropped_attributes_count != came.dropped_attributes_count,
        ),
        (
            "dropped_events_count",
            sent.dropped_events_count != came.dropped_events_count,
        ),
        (
            "dropped_links_count",
            sent.dropped_links_count != came.dropped_links_count,
        ),
    ];
    changes.extend(others(&fields));
    format!("the span {}: {}", sent.name, changes.join(", "))
}

/// What is other in a resource or a scope.
pub(super) fn of_envelope(sent: &Around, came: &Around) -> String {
    let mut changes = Vec::new();
    if sent.0 != came.0 {
        let attributes = |of: &ResourceSpans| of.resource.clone().unwrap_or_default().attributes;
        let mut of_resource = of_attributes(&attributes(&sent.0), &attributes(&came.0));
        of_resource.extend(others(&[(
            "schema_url",
            sent.0.schema_url != came.0.schema_url,
        )]));
        changes.push(format!("the resource: {}", of_resource.join(", ")));
    }
    if sent.1 != came.1 {
        let scope = |of: &ScopeSpans| of.scope.clone().unwrap_or_default();
        let (before, after) = (scope(&sent.1), scope(&came.1));
        let mut of_scope = of_attributes(&before.attributes, &after.attributes);
        of_scope.extend(others(&[
            ("name", before.name != after.name),
            ("version", before.version != after.version),
            ("schema_url", sent.1.schema_url != came.1.schema_url),
        ]));
        changes.push(format!(
            "the scope {}: {}",
            before.name,
            of_scope.join(", ")
        ));
    }
    changes.join("; ")
}

fn others(fields: &[(&str, bool)]) -> Vec<String> {
    let other = fields.iter().filter(|(_, is_other)| *is_other);
    other
        .map(|(name, _)| format!("{name} is another"))
        .collect()
}

fn of_attributes(sent: &[KeyValue], came: &[KeyValue]) -> Vec<String> {
    let of = |all: &[KeyValue], key: &str| all.iter().find(|one| one.key == key).cloned();
    let lost = sent.iter().filter_map(|one| match of(came, &one.key) {
        None => Some(format!("the attribute {} is gone", one.key)),
        Some(there) if there != *one => Some(format!("the attribute {} is another", one.key)),
        Some(_) => None,
    });
    let new = came.iter().filter(|one| of(sent, &one.key).is_none());
    let new = new.map(|one| format!("the attribute {} is new", one.key));
    lost.chain(new).collect()
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::{
        common::v1::{AnyValue, InstrumentationScope, any_value::Value},
        resource::v1::Resource,
    };

    use super::*;

    fn attribute(key: &str, value: &str) -> KeyValue {
        let value = Value::StringValue(value.to_owned());
        KeyValue {
            key: key.to_owned(),
            value: Some(AnyValue { value: Some(value) }),
            ..KeyValue::default()
        }
    }

    #[test]
    fn each_change_of_a_span_is_named() {
        let sent = Span {
            name: "GET /stock".to_owned(),
            kind: 2,
            attributes: vec![attribute("a", "1"), attribute("b", "2")],
            ..Span::default()
        };
        let came = Span {
            kind: 0,
            attributes: vec![attribute("b", "3"), attribute("c", "4")],
            ..sent.clone()
        };
        assert_eq!(
            of_span(&sent, &came),
            "the span GET /stock: the attribute a is gone, the attribute b is another, the attribute c is new, kind is another"
        );
    }

    #[test]
    fn a_resource_that_is_gone_is_named_by_what_it_had() {
        let sent = (
            ResourceSpans {
                resource: Some(Resource {
                    attributes: vec![attribute("service.name", "checkout")],
                    ..Resource::default()
                }),
                ..ResourceSpans::default()
            },
            ScopeSpans {
                scope: Some(InstrumentationScope {
                    name: "shop".to_owned(),
                    version: "1".to_owned(),
                    ..InstrumentationScope::default()
                }),
                ..ScopeSpans::default()
            },
        );
        let mut came = sent.clone();
        came.0.resource = None;
        assert_eq!(
            of_envelope(&sent, &came),
            "the resource: the attribute service.name is gone"
        );
        if let Some(scope) = &mut came.1.scope {
            scope.version.clear();
        }
        assert_eq!(
            of_envelope(&sent, &came),
            "the resource: the attribute service.name is gone; the scope shop: version is another"
        );
    }
}
