//! Whether a service honours the faults that a request asks for, and how it is asked.
//!
//! A fault is asked for in the baggage of the request, and only there. Where it acts, the service asks
//! [`FaultSwitch::acts`], and the fault is written on the span: no fault acts unseen.

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

/// The header in which somebody without spans says which fault acted.
pub const FAULT_HEADER: &str = "lab-fault";

/// Whether a service honours the faults that a request asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FaultSwitch {
    /// It does: it was started with `--faults`.
    Honoured,
    /// It does not: baggage is passed on and means nothing.
    #[default]
    Ignored,
}

// === impl FaultSwitch ===

impl FaultSwitch {
    /// The fault, if the current request asks for it; it is recorded on the current span.
    pub fn acts(self, fault: &'static Fault) -> Option<Setting> {
        self.asked(fault).inspect(record)
    }

    /// The fault, if the current request asks for it.
    pub fn asked(self, fault: &'static Fault) -> Option<Setting> {
        match self {
            FaultSwitch::Ignored => None,
            FaultSwitch::Honoured => self.among(&telemetry::baggage_members(), fault),
        }
    }

    /// The fault, if the members of a baggage ask for it.
    pub fn among(
        self,
        members: &[(String, String, String)],
        fault: &'static Fault,
    ) -> Option<Setting> {
        match self {
            FaultSwitch::Ignored => None,
            // What cannot be read was refused at the edge.
            FaultSwitch::Honoured => read(members).ok()?.get(fault).cloned(),
        }
    }

    /// Routes that refuse a request for a fault that cannot act, and say why.
    pub fn guard(self, router: Router) -> Router {
        match self {
            FaultSwitch::Ignored => router,
            FaultSwitch::Honoured => router.layer(middleware::from_fn(refuse_unusable)),
        }
    }

    /// A client that records what somebody without spans says of a fault in the headers of a reply.
    pub fn listening(self, client: ClientWithMiddleware) -> ClientWithMiddleware {
        match self {
            FaultSwitch::Ignored => client,
            FaultSwitch::Honoured => ClientBuilder::from_client(client).with(ReplyFaults).build(),
        }
    }
}

/// Writes a fault on the current span.
pub fn record(setting: &Setting) {
    record_fault(setting, &[]);
}

/// Writes a fault on the current span, with what was found out when it acted: how it was sized, say.
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
