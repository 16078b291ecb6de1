//! `lost-context-http`, `lost-context-amqp`, `flipped-sampling`: the headers of one call are written
//! wrongly.

use std::future::Future;

use opentelemetry::{
    Context, TraceFlags,
    propagation::{Extractor, Injector, TextMapPropagator, text_map_propagator::FieldIter},
    trace::{SpanContext, TraceContextExt},
};

/// The context that is injected into the carriers of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Injection {
    /// No context.
    Nothing,
    /// The context, with the sampled flag cleared.
    Unsampled,
}

tokio::task_local! {
    static INJECTION: Injection;
}

/// Runs `work`; its calls get the context that `injection` selects.
pub async fn injecting<F: Future>(injection: Injection, work: F) -> F::Output {
    INJECTION.scope(injection, work).await
}

/// A propagator that injects what [`injecting`] selects, and by default the context of the wrapped
/// propagator.
#[derive(Debug)]
pub(crate) struct SabotagedPropagator<P>(pub(crate) P);

// === impl SabotagedPropagator ===

impl<P: TextMapPropagator> TextMapPropagator for SabotagedPropagator<P> {
    fn inject_context(&self, context: &Context, injector: &mut dyn Injector) {
        match INJECTION.try_with(|injection| *injection) {
            Err(_) => self.0.inject_context(context, injector),
            Ok(Injection::Nothing) => {}
            Ok(Injection::Unsampled) => self.0.inject_context(&unsampled(context), injector),
        }
    }

    fn extract_with_context(&self, context: &Context, extractor: &dyn Extractor) -> Context {
        self.0.extract_with_context(context, extractor)
    }

    fn fields(&self) -> FieldIter<'_> {
        self.0.fields()
    }
}

/// The same context with its baggage, and with the sampled flag cleared.
fn unsampled(context: &Context) -> Context {
    let span = context.span();
    let span = span.span_context();
    context.with_remote_span_context(SpanContext::new(
        span.trace_id(),
        span.span_id(),
        span.trace_flags() & !TraceFlags::SAMPLED,
        span.is_remote(),
        span.trace_state().clone(),
    ))
}
