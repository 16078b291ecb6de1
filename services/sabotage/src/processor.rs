//! `clock-skew`, `missing-span`, `late-spans`, `duplicate-spans`, `unbounded-names`: the exported spans
//! differ from what happened.
//!
//! When a span starts, its context has the baggage of the request: a fault in it is recorded on the span, as
//! an event. When the span ends, this event selects what is done to the span.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use faults::{Fault, Faults, Setting};
use opentelemetry::{
    Context, Value,
    baggage::BaggageExt,
    trace::{Span as _, SpanKind},
};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{Span, SpanData, SpanProcessor},
};
use opentelemetry_semantic_conventions::attribute::{HTTP_REQUEST_METHOD, URL_PATH, URL_QUERY};
use parking_lot::Mutex;

use crate::{
    event::{EVENT, NAME, event_attributes},
    late::Late,
};

/// The faults that act when spans are exported.
static ON_SPANS: [&Fault; 5] = [
    &faults::CLOCK_SKEW,
    &faults::MISSING_SPAN,
    &faults::LATE_SPANS,
    &faults::DUPLICATE_SPANS,
    &faults::UNBOUNDED_NAMES,
];

/// A span processor that changes spans before it passes them to the wrapped processor.
#[derive(Debug)]
pub(crate) struct SabotagedProcessor<P> {
    onward: Arc<P>,
    /// The faults of this service.
    faults: Vec<&'static Fault>,
    late: Mutex<Option<Late>>,
}

// === impl SabotagedProcessor ===

impl<P: SpanProcessor + 'static> SabotagedProcessor<P> {
    pub(crate) fn new(service: &str, onward: P) -> Self {
        let faults = ON_SPANS
            .into_iter()
            .filter(|fault| fault.service == service)
            .collect();
        SabotagedProcessor {
            onward: Arc::new(onward),
            faults,
            late: Mutex::new(None),
        }
    }

    fn asked(&self, context: &Context) -> Faults {
        let baggage = context.baggage();
        let members = baggage
            .iter()
            .map(|(key, (value, properties))| (key.as_str(), value.as_str(), properties.as_str()));
        // A fault that cannot be read was refused when the request came in.
        Faults::from_members(members).unwrap_or_default()
    }

    fn hand_on(&self, span: SpanData, faults: &[Setting]) {
        let late = faults
            .iter()
            .find(|setting| setting.fault() == &faults::LATE_SPANS);
        let Some(setting) = late else {
            return self.onward.on_end(span);
        };
        let mut late = self.late.lock();
        if late.is_none() {
            // Without the thread the spans are not late, which the check of the trace will show.
            *late = Late::start(Arc::clone(&self.onward)).ok();
        }
        let kept = match &*late {
            Some(late) => late.keep(span, setting.milliseconds("delay_ms")),
            None => Err(Box::new(span)),
        };
        if let Err(span) = kept {
            self.onward.on_end(*span);
        }
    }
}

impl<P: SpanProcessor + 'static> SpanProcessor for SabotagedProcessor<P> {
    fn on_start(&self, span: &mut Span, context: &Context) {
        if !self.faults.is_empty() {
            let asked = self.asked(context);
            for setting in self.faults.iter().filter_map(|fault| asked.get(fault)) {
                span.add_event(EVENT, event_attributes(setting));
            }
        }
        self.onward.on_start(span, context);
    }

    fn on_end(&self, mut span: SpanData) {
        let faults = recorded(&span);
        for setting in &faults {
            let fault = setting.fault();
            let serves = span.span_kind == SpanKind::Server;
            if fault == &faults::CLOCK_SKEW {
                shift(&mut span, setting.integer("offset_ms"));
            } else if fault == &faults::UNBOUNDED_NAMES && serves {
                name_after_request(&mut span);
            } else if fault == &faults::MISSING_SPAN && serves {
                return;
            }
        }
        // Twice in its final form, with the changes of the other faults.
        let twice = faults
            .iter()
            .any(|setting| setting.fault() == &faults::DUPLICATE_SPANS);
        if twice {
            self.hand_on(span.clone(), &faults);
        }
        self.hand_on(span, &faults);
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.onward.force_flush()
    }

    fn shutdown_with_timeout(&self, limit: Duration) -> OTelSdkResult {
        let late = self.late.lock().take();
        if let Some(late) = late {
            late.finish();
        }
        self.onward.shutdown_with_timeout(limit)
    }

    fn set_resource(&mut self, resource: &Resource) {
        // The thread of late spans shares the processor, and does not exist before the first span has ended.
        if let Some(onward) = Arc::get_mut(&mut self.onward) {
            onward.set_resource(resource);
        }
    }
}

/// The faults that were recorded on a span when it started.
fn recorded(span: &SpanData) -> Vec<Setting> {
    span.events
        .iter()
        .filter(|event| event.name == EVENT)
        .filter_map(|event| {
            let text = |value: &Value| value.as_str().into_owned();
            let name = event
                .attributes
                .iter()
                .find(|attribute| attribute.key.as_str() == NAME)
                .map(|attribute| text(&attribute.value))?;
            let mut setting = Setting::new(faults::find(&name).ok()?);
            for attribute in &event.attributes {
                let parameter = attribute.key.as_str().strip_prefix("lab.fault.")?;
                // The name of the fault is not a parameter.
                let _ = setting.set(parameter, &text(&attribute.value));
            }
            Some(setting)
        })
        .filter(|setting| ON_SPANS.contains(&setting.fault()))
        .collect()
}

fn shift(span: &mut SpanData, offset_ms: i64) {
    let by = Duration::from_millis(offset_ms.unsigned_abs());
    let shifted = |time: SystemTime| match offset_ms >= 0 {
        true => time.checked_add(by),
        false => time.checked_sub(by),
    };
    let shift = |time: &mut SystemTime| *time = shifted(*time).unwrap_or(*time);
    shift(&mut span.start_time);
    shift(&mut span.end_time);
    for event in &mut span.events.events {
        shift(&mut event.timestamp);
    }
}

/// The name `GET /prices?sku=MUG-BLU` in place of `GET /prices`.
fn name_after_request(span: &mut SpanData) {
    let attribute = |key: &str| {
        let found = span.attributes.iter().find(|kv| kv.key.as_str() == key);
        found.map(|kv| kv.value.as_str().into_owned())
    };
    let method = attribute(HTTP_REQUEST_METHOD).unwrap_or_default();
    let path = attribute(URL_PATH).unwrap_or_default();
    let query = attribute(URL_QUERY).map_or_else(String::new, |query| format!("?{query}"));
    span.name = format!("{method} {path}{query}").into();
}
