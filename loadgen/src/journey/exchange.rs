//! One request and its reply, through goose.

use std::sync::atomic::Ordering;

use goose::goose::{GooseMethod, GooseRequest, GooseUser};
use reqwest::header::HeaderName;
use serde::Serialize;
use tokio::time::Instant;
use trace::{SpanId, TraceId};

use super::{ShopClient, reply::ReplyFacts};
use crate::ledger::{Line, RequestId, Step};

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

pub(super) const BAGGAGE: HeaderName = HeaderName::from_static("baggage");

/// One request that is about to be made.
pub(super) struct PlannedRequest<'a> {
    pub(super) step: Step,
    pub(super) method: GooseMethod,
    pub(super) path: &'a str,
    pub(super) headers: &'a [(String, String)],
    pub(super) body: Body,
    pub(super) journey: u64,
    pub(super) planned: Instant,
    /// The trace context of the request, if the load generator starts the trace.
    pub(super) context: Option<(TraceId, SpanId)>,
}

/// The body of a request.
pub(super) enum Body {
    Nothing,
    Json(serde_json::Value),
    Text(String),
}

impl ShopClient {
    /// Makes a request through goose, which counts it.
    pub(super) async fn exchange(&self, user: &mut GooseUser, request: PlannedRequest<'_>) -> Line {
        let request_id = self.request_id(&request.step, Some(request.journey));
        let started = self.clock.now();
        let answer = match user.get_request_builder(&request.method, request.path) {
            Ok(mut builder) => {
                builder = builder.header(BAGGAGE, self.baggage(&request_id));
                if let Some((trace_id, span_id)) = request.context {
                    builder = builder.header(TRACEPARENT, format!("00-{trace_id}-{span_id}-01"));
                }
                for (name, value) in request.headers {
                    builder = builder.header(name, value);
                }
                builder = match &request.body {
                    Body::Nothing => builder,
                    Body::Json(json) => builder.json(json),
                    Body::Text(text) => builder.body(text.clone()),
                };
                let goose_request = GooseRequest::builder()
                    .method(request.method)
                    .path(request.path)
                    .name(request.step.as_str())
                    .set_request_builder(builder)
                    .build();
                let replied = async {
                    match user.request(goose_request).await {
                        Ok(asked) => {
                            ReplyFacts::read(asked.response, |body| request.step.read(body)).await
                        }
                        Err(error) => ReplyFacts::none(error.to_string()),
                    }
                };
                tokio::select! {
                    biased;
                    () = self.give_up.cancelled() => {
                        self.given_up.fetch_add(1, Ordering::Relaxed);
                        ReplyFacts::none("the load was stopped before the reply".to_owned())
                    }
                    answer = replied => answer,
                }
            }
            Err(error) => ReplyFacts::none(error.to_string()),
        };
        let answer = ReplyFacts {
            trace_id: request
                .context
                .map(|(trace_id, _)| trace_id)
                .or(answer.trace_id),
            ..answer
        };
        answer.into_line(Line {
            request_id,
            journey: Some(request.journey),
            step: request.step,
            planned: self.clock.at(request.planned),
            started: Some(started),
            ended: Some(self.clock.now()),
            trace_id: None,
            unsampled: false,
            sent_span_id: request.context.map(|(_, span_id)| span_id),
            status: None,
            order_id: None,
            message_id: None,
            reply: None,
        })
    }

    fn baggage(&self, request_id: &RequestId) -> String {
        match self.baggage.is_empty() {
            true => baggage(request_id),
            false => format!("{},{}", baggage(request_id), self.baggage),
        }
    }
}

pub(super) fn baggage(request_id: &RequestId) -> String {
    format!("lab.request={request_id}")
}

// === impl Body ===

impl Body {
    pub(super) fn json(value: &impl Serialize) -> Body {
        Body::Json(serde_json::to_value(value).expect("strings and numbers are JSON"))
    }
}
