//! Faults that break tracing itself, for a laboratory: what a wrong clock, a lost span or a careless
//! client do to a trace.
//!
//! Nothing of this belongs into a service. It wraps the span processor ([`processor`]) and the
//! propagator ([`propagator`]) from outside, and only where [`Config::sabotaged`] asks for it; the
//! rest of this crate reads, and works, as if it did not exist. Which fault is meant is in the
//! baggage of the request, so a healthy request beside it is left alone.
//!
//! [`Config::sabotaged`]: crate::Config::sabotaged

mod late;
pub(crate) mod processor;
pub(crate) mod propagator;

use std::future::Future;

use faults::{Setting, Value};
use opentelemetry::KeyValue;
use tracing::{Instrument, Span};

pub use propagator::{Injection, injecting};

/// The span event by which a fault is recorded where it acts.
pub const EVENT: &str = "lab.fault";
const NAME: &str = "lab.fault.name";

tokio::task_local! {
    static REQUEST: Span;
}

/// What the event of a fault says: its name, and its parameters.
pub fn event_attributes(setting: &Setting) -> Vec<KeyValue> {
    let mut attributes = vec![KeyValue::new(NAME, setting.fault().name)];
    attributes.extend(setting.parameters().map(|(parameter, value)| {
        let key = format!("lab.fault.{}", parameter.name);
        match value {
            Value::Integer(value) => KeyValue::new(key, value),
            Value::Number(value) => KeyValue::new(key, value),
            Value::Word(value) => KeyValue::new(key, value),
        }
    }));
    attributes
}

/// Handles a request so that [`below_request`] finds its span again, however deep it is called.
pub async fn remember_request<F: Future>(work: F) -> F::Output {
    REQUEST.scope(Span::current(), work).await
}

/// Does work below the span of the request, and not below the step that it belongs to.
pub async fn below_request<F: Future>(work: F) -> F::Output {
    match REQUEST.try_with(Span::clone) {
        Ok(request) => work.instrument(request).await,
        Err(_) => work.await,
    }
}
