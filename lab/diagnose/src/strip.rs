//! Removes the lab's own data from a trace, so that a rule cannot read the answer there.

use trace::{Attributes, Span, Trace};

/// The prefix of the lab's keys and names.
const LAB: &str = "lab.";

/// Returns the trace without the attributes and events of the lab.
pub fn strip_lab_attributes(trace: &Trace) -> Trace {
    let spans = trace.spans().iter().map(|span| {
        let mut span: Span = span.clone();
        strip(&mut span.attributes);
        span.events.retain(|event| !event.name.starts_with(LAB));
        for event in &mut span.events {
            strip(&mut event.attributes);
        }
        for link in &mut span.links {
            strip(&mut link.attributes);
        }
        span
    });
    Trace::new(trace.id(), spans.collect())
}

fn strip(attributes: &mut Attributes) {
    attributes.0.retain(|(key, _)| !key.starts_with(LAB));
}
