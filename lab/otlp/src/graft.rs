//! Where the values of attributes stand in the requests of the three signals.
//!
//! The receivers of logs and metrics only count, so a deep value of theirs is left out.

use opentelemetry_proto::tonic::{
    collector::{
        logs::v1::ExportLogsServiceRequest, metrics::v1::ExportMetricsServiceRequest,
        trace::v1::ExportTraceServiceRequest,
    },
    common::v1::KeyValue,
    trace::v1::Span,
};

use crate::mend::{Graft, Parts};

// === impl Graft ===

impl Graft for ExportTraceServiceRequest {
    fn graft(&mut self, parts: &mut Parts) {
        for resource_spans in &mut self.resource_spans {
            if let Some(resource) = &mut resource_spans.resource {
                attributes(&mut resource.attributes, parts);
            }
            for scope_spans in &mut resource_spans.scope_spans {
                if let Some(scope) = &mut scope_spans.scope {
                    attributes(&mut scope.attributes, parts);
                }
                for span in &mut scope_spans.spans {
                    of_span(span, parts);
                }
            }
        }
    }
}

impl Graft for ExportLogsServiceRequest {
    fn graft(&mut self, _parts: &mut Parts) {}
}

impl Graft for ExportMetricsServiceRequest {
    fn graft(&mut self, _parts: &mut Parts) {}
}

fn of_span(span: &mut Span, parts: &mut Parts) {
    attributes(&mut span.attributes, parts);
    for event in &mut span.events {
        attributes(&mut event.attributes, parts);
    }
    for link in &mut span.links {
        attributes(&mut link.attributes, parts);
    }
}

fn attributes(pairs: &mut [KeyValue], parts: &mut Parts) {
    let values = pairs.iter_mut().filter_map(|pair| pair.value.as_mut());
    values.for_each(|value| parts.graft(value));
}
