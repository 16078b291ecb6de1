//! The span event by which a fault is recorded where it acts.

use faults::{Setting, Value};
use opentelemetry::KeyValue;

/// The name of the event.
pub const EVENT: &str = "lab.fault";

/// The attribute that holds the name of the fault.
pub(crate) const NAME: &str = "lab.fault.name";

/// The attributes of a fault's event: its name and its parameters.
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
