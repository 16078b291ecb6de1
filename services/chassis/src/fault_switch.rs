//! [`FaultSwitch`]: whether a service honours the faults that a request asks for.
//!
//! A request asks for a fault in its baggage, and in no other way. Where a fault would act, the service
//! calls [`FaultSwitch::acts`], which records the fault on the span: no fault acts unseen.

use std::fmt::Display;

use api::Problem;
use axum::{
    Router,
    extract::Request,
    http::{Extensions, StatusCode},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use faults::{Fault, Faults, Setting};
use opentelemetry::KeyValue;
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware, Middleware};
use tracing::Span;

use crate::{http::Refusal, unusable_fault};

/// The header of a reply in which a service without spans names the faults that acted.
pub const FAULT_HEADER: &str = "lab-fault";

/// Whether a service honours the faults that a request asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FaultSwitch {
    /// Faults are honoured: the service was started with `--faults`.
    Honoured,
    /// Faults are ignored: baggage is passed on and has no effect.
    #[default]
    Ignored,
}

// === impl FaultSwitch ===

impl FaultSwitch {
    /// The setting of the fault, if the current request asks for it; the fault is recorded on the current
    /// span.
    pub fn acts(self, fault: &'static Fault) -> Option<Setting> {
        self.asked(fault).inspect(record)
    }

    /// The setting of the fault, if the current request asks for it.
    pub fn asked(self, fault: &'static Fault) -> Option<Setting> {
        match self {
            FaultSwitch::Ignored => None,
            FaultSwitch::Honoured => self.among(&telemetry::baggage_members(), fault),
        }
    }

    /// The setting of the fault, if the members of a baggage ask for it.
    pub fn among(
        self,
        members: &[(String, String, String)],
        fault: &'static Fault,
    ) -> Option<Setting> {
        match self {
            FaultSwitch::Ignored => None,
            // A fault that cannot be read was refused when the request came in.
            FaultSwitch::Honoured => read(members).ok()?.get(fault).cloned(),
        }
    }

    /// Wraps routes: a request for a fault that cannot act is refused, with the reason.
    pub fn guard(self, router: Router) -> Router {
        match self {
            FaultSwitch::Ignored => router,
            FaultSwitch::Honoured => router.layer(middleware::from_fn(refuse_unusable)),
        }
    }

    /// A client that records the faults that a service without spans names in the headers of its reply.
    pub fn listening(self, client: ClientWithMiddleware) -> ClientWithMiddleware {
        match self {
            FaultSwitch::Ignored => client,
            FaultSwitch::Honoured => ClientBuilder::from_client(client).with(ReplyFaults).build(),
        }
    }
}

/// Records a fault on the current span.
pub fn record(setting: &Setting) {
    record_fault(setting, &[]);
}

/// Records a fault on the current span, with facts that were known only when it acted, such as its size.
pub fn record_fault(setting: &Setting, found_out: &[(&str, f64)]) {
    use tracing_opentelemetry::OpenTelemetrySpanExt;
    let mut attributes = sabotage::event_attributes(setting);
    for (name, value) in found_out {
        attributes.push(KeyValue::new(format!("lab.fault.{name}"), *value));
    }
    Span::current().add_event(sabotage::EVENT, attributes);
}

fn read(members: &[(String, String, String)]) -> Result<Faults, faults::Error> {
    Faults::from_members(
        members
            .iter()
            .map(|(key, value, properties)| (key.as_str(), value.as_str(), properties.as_str())),
    )
}

async fn refuse_unusable(request: Request, next: Next) -> Response {
    let arrived = read(&telemetry::baggage_members());
    match unusable_fault::check(request.headers(), arrived) {
        Ok(()) => sabotage::remember_request(next.run(request)).await,
        Err(error) => refusal(&error).into_response(),
    }
}

/// The reply to a request for a fault that cannot be switched on.
pub fn refusal(error: &impl Display) -> Refusal {
    let status = StatusCode::BAD_REQUEST;
    let problem = Problem::new(status, "bad-fault", "The fault cannot be switched on");
    Refusal(problem.detail(error.to_string()))
}

struct ReplyFaults;

#[async_trait::async_trait]
impl Middleware for ReplyFaults {
    async fn handle(
        &self,
        request: reqwest::Request,
        extensions: &mut Extensions,
        next: reqwest_middleware::Next<'_>,
    ) -> reqwest_middleware::Result<reqwest::Response> {
        let response = next.run(request, extensions).await?;
        let told = response.headers().get(FAULT_HEADER);
        for setting in told
            .and_then(|told| told.to_str().ok())
            .into_iter()
            .flat_map(|told| told.split(','))
        {
            if let Ok(setting) = setting.trim().parse() {
                record(&setting);
            }
        }
        Ok(response)
    }
}
