//! Takes from a trace what the lab wrote into it, so that nothing can read the answer off it.

use trace::{Attributes, Span, Trace};

const OURS: &str = "lab.";

/// The trace without attributes and events of the lab.
pub fn strip(trace: &Trace) -> Trace {
    let spans = trace.spans().iter().map(|span| {
        let mut span: Span = span.clone();
        keep_theirs(&mut span.attributes);
        span.events.retain(|event| !event.name.starts_with(OURS));
        for event in &mut span.events {
            keep_theirs(&mut event.attributes);
        }
        for link in &mut span.links {
            keep_theirs(&mut link.attributes);
        }
        span
    });
    Trace::new(trace.id(), spans.collect())
}

fn keep_theirs(attributes: &mut Attributes) {
    attributes.0.retain(|(key, _)| !key.starts_with(OURS));
}
