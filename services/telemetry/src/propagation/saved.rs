//! Context that outlives its request: work that is done later, or by another process, goes on in
//! the same trace.

use std::collections::HashMap;

use opentelemetry::{Context, global};
use serde::{Deserialize, Serialize};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// The current context as text, for a database row. It holds what a message header would.
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

    /// The fields as JSON text.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("a map of strings is always valid JSON")
    }

    /// Reads what [`to_json`](Self::to_json) wrote. Text that is something else is an empty
    /// context: work is not lost because its trace is.
    pub fn from_json(text: &str) -> Self {
        serde_json::from_str(text).unwrap_or_default()
    }

    fn context(&self) -> Context {
        global::get_text_map_propagator(|propagator| {
            propagator.extract_with_context(&Context::new(), &self.0)
        })
    }
}

/// Gives a span its remote parent. Where no OpenTelemetry layer is installed there is nothing to
/// give it to.
pub(crate) fn adopt(span: &Span, parent: Context) {
    if let Err(error) = span.set_parent(parent)
        && matches!(error, tracing_opentelemetry::SetParentError::AlreadyStarted)
    {
        tracing::warn!("a span was entered before it was given its parent: {error}");
    }
}
