//! Context that outlives its request: work that is done later, or by another process, continues the same
//! trace.

use std::collections::HashMap;

use opentelemetry::{Context, global};
use serde::{Deserialize, Serialize};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// The current context as text, for a database row. It contains the same fields as a message header.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SavedContext(HashMap<String, String>);

// === impl SavedContext ===

impl SavedContext {
    /// Saves the context of the current span.
    pub fn current() -> Self {
        let mut fields = HashMap::new();
        let context = Span::current().context();
        global::get_text_map_propagator(|propagator| {
            propagator.inject_context(&context, &mut fields);
        });
        SavedContext(fields)
    }

    /// Makes a span that was not entered yet a child of the saved context.
    pub fn adopt(&self, span: &Span) {
        adopt(span, self.context());
    }

    /// Writes the fields as JSON text.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("a map of strings is always valid JSON")
    }

    /// Reads the text that [`to_json`](Self::to_json) wrote. Any other text is an empty context: work is
    /// done even if its trace is lost.
    pub fn from_json(text: &str) -> Self {
        serde_json::from_str(text).unwrap_or_default()
    }

    fn context(&self) -> Context {
        global::get_text_map_propagator(|propagator| {
            propagator.extract_with_context(&Context::new(), &self.0)
        })
    }
}

/// Sets the remote parent of a span. Without an OpenTelemetry layer it has no effect.
pub(crate) fn adopt(span: &Span, parent: Context) {
    if let Err(error) = span.set_parent(parent)
        && matches!(error, tracing_opentelemetry::SetParentError::AlreadyStarted)
    {
        tracing::warn!("a span was entered before it was given its parent: {error}");
    }
}
