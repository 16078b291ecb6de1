//! [`ReplyFacts`]: the facts in a reply.

use api::{OrderReply, Problem};
use http_client::ReadError;
use reqwest::{
    Response,
    header::{HeaderMap, HeaderName},
};
use serde::de::DeserializeOwned;
use trace::TraceId;

use crate::ledger::{Line, Step};

/// A draft of the W3C, "Trace Context Level 2, Traceresponse"; not a recommendation.
const TRACERESPONSE: HeaderName = HeaderName::from_static("traceresponse");

/// The most bytes that are read of a reply. An order of 500 lines has some 60 KiB.
const LONGEST: usize = 4 << 20;

/// The facts about a request after its reply was read, or after it failed.
#[derive(Default)]
pub(super) struct ReplyFacts {
    pub(super) status: Option<u16>,
    pub(super) trace_id: Option<TraceId>,
    pub(super) unsampled: bool,
    pub(super) order_id: Option<String>,
    pub(super) message_id: Option<String>,
    /// See [`Line::reply`].
    pub(super) reply: Option<String>,
}

// === impl Step ===

impl Step {
    /// Reads the facts of a successful reply to a step.
    pub(super) fn read(&self, body: &[u8]) -> Result<ReplyFacts, String> {
        if *self != Step::Checkout {
            return Ok(ReplyFacts::default());
        }
        let order: OrderReply = read_json(body)?;
        Ok(ReplyFacts {
            order_id: Some(order.order_id),
            message_id: order.message_id,
            ..ReplyFacts::default()
        })
    }
}

// === impl ReplyFacts ===

impl ReplyFacts {
    /// The facts of a request without a reply; `why` is the reason.
    pub(super) fn none(why: String) -> ReplyFacts {
        ReplyFacts {
            reply: Some(why),
            ..ReplyFacts::default()
        }
    }

    /// Reads a reply to its end; `understand` reads the body of a successful reply.
    pub(super) async fn read(
        sent: Result<Response, reqwest::Error>,
        understand: impl FnOnce(&[u8]) -> Result<ReplyFacts, String>,
    ) -> ReplyFacts {
        let response = match sent {
            Ok(response) => response,
            Err(error) => return ReplyFacts::none(with_causes(&error)),
        };
        let status = response.status();
        let (trace_id, unsampled) = trace(response.headers()).unzip();
        let body = match http_client::read(response, LONGEST).await {
            Ok(body) if status.is_success() => understand(&body).unwrap_or_else(ReplyFacts::none),
            Ok(body) => refusal(&body),
            Err(ReadError::Broken(error)) => {
                ReplyFacts::none(format!("the reply broke off: {}", with_causes(&error)))
            }
            Err(error @ ReadError::TooLarge { .. }) => ReplyFacts::none(error.to_string()),
        };
        ReplyFacts {
            status: Some(status.as_u16()),
            trace_id,
            unsampled: unsampled.unwrap_or_default(),
            ..body
        }
    }

    pub(super) fn into_line(self, line: Line) -> Line {
        Line {
            trace_id: self.trace_id,
            unsampled: self.unsampled,
            status: self.status,
            order_id: self.order_id,
            message_id: self.message_id,
            reply: self.reply,
            ..line
        }
    }
}

/// The text of an unsuccessful reply: a problem (RFC 9457), or any other body.
fn refusal(body: &[u8]) -> ReplyFacts {
    match serde_json::from_slice::<Problem>(body) {
        Ok(problem) => ReplyFacts {
            order_id: problem
                .extensions
                .get("order_id")
                .and_then(|id| id.as_str())
                .map(str::to_owned),
            reply: Some(problem.to_string()),
            ..ReplyFacts::default()
        },
        Err(_) => {
            let text = String::from_utf8_lossy(body);
            let text = text.trim();
            let text = if text.is_empty() {
                "an empty reply"
            } else {
                text
            };
            ReplyFacts::none(text.chars().take(200).collect())
        }
    }
}

pub(super) fn read_json<T: DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    serde_json::from_slice(body)
        .map_err(|error| format!("the reply is not what it should be: {error}"))
}

/// Parses `traceresponse: 00-{trace}-{span}-{flags}`: the trace id, and whether the flags say that the trace
/// is not sampled.
fn trace(headers: &HeaderMap) -> Option<(TraceId, bool)> {
    let value = headers.get(TRACERESPONSE)?.to_str().ok()?;
    let mut fields = value.split('-').skip(1);
    let trace_id = fields.next()?.parse().ok()?;
    let flags = fields
        .nth(1)
        .and_then(|flags| u8::from_str_radix(flags, 16).ok());
    Some((trace_id, flags.is_some_and(|flags| flags & 1 == 0)))
}

/// The error and its causes, joined: the outermost error of reqwest does not say what happened.
fn with_causes(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
