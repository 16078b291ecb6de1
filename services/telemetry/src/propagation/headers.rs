//! HTTP headers as a carrier. Repeated headers stay separate: the propagator decides what a second
//! `traceparent` means.

use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::propagation::{Extractor, Injector};

/// Reads context from the headers of a request.
pub(crate) struct HeaderExtractor<'a>(pub(crate) &'a HeaderMap);

/// Writes context into the headers of a request; it replaces what the headers had.
pub(crate) struct HeaderInjector<'a>(pub(crate) &'a mut HeaderMap);

// === impl HeaderExtractor ===

impl Extractor for HeaderExtractor<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).and_then(|value| value.to_str().ok())
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(HeaderName::as_str).collect()
    }

    fn get_all(&self, key: &str) -> Option<Vec<&str>> {
        // A value that is not ASCII is passed on as a text that every propagator refuses, so that it is not
        // taken for a missing header.
        let values: Vec<_> = self
            .0
            .get_all(key)
            .iter()
            .map(|value| value.to_str().unwrap_or("\u{fffd}"))
            .collect();
        (!values.is_empty()).then_some(values)
    }
}

// === impl HeaderInjector ===

impl Injector for HeaderInjector<'_> {
    fn set(&mut self, key: &str, value: String) {
        let name = HeaderName::from_bytes(key.as_bytes());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(&value)) {
            self.0.insert(name, value);
        }
    }
}
