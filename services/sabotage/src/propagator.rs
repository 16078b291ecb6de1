//! `lost-context-http`, `lost-context-amqp`, `flipped-sampling`: what is written into the headers of
//! one call is not what should be.

use std::future::Future;

use opentelemetry::{
    Context, TraceFlags,
    propagation::{Extractor, Injector, TextMapPropagator, text_map_propagator::FieldIter},
    trace::{SpanContext, TraceContextExt},
};

/// What is injected into the carriers of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Injection {
    /// Nothing at all.
    Nothing,
    /// The context, with the flag that says it is not sampled.
    Unsampled,
}

tokio::task_local! {
    static INJECTION: Injection;
}

/// Does work whose calls carry what `injection` says.
pub async fn injecting<F: Future>(injection: Injection, work: F) -> F::Output {
    INJECTION.scope(injection, work).await
}

/// A propagator that does what [`injecting`] says, and else what the one within does.
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

/// The same context, baggage included, of a trace that is said not to be sampled.
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
