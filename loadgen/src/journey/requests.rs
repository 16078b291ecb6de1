//! Requests to the user's own services, each of which starts a trace.

use std::{fmt, time::Duration};

use goose::goose::{GooseMethod, GooseUser};
use tokio::time::Instant;
use trace::{SpanId, TraceId};

use super::{
    ShopClient,
    exchange::{Body, PlannedRequest},
};
use crate::{Request, dispatcher::Ticket, ledger::Step};

impl ShopClient {
    pub(super) async fn requests(
        &self,
        user: &mut GooseUser,
        ticket: Ticket,
        late: Duration,
        requests: &[Request],
    ) -> bool {
        let mut written = true;
        for (index, request) in requests.iter().enumerate() {
            let now = Instant::now();
            let planned = match index {
                0 => ticket.planned,
                _ => now.checked_sub(late).unwrap_or(now),
            };
            let line = self
                .exchange(
                    user,
                    PlannedRequest {
                        step: Step::Request(request.to_string()),
                        method: method(&request.method),
                        path: &request.path,
                        headers: &request.headers,
                        body: request.body.clone().map_or(Body::Nothing, Body::Text),
                        journey: ticket.journey,
                        planned,
                        context: new_context(),
                    },
                )
                .await;
            written &= self.ledger.record(line);
        }
        written
    }
}

fn method(name: &str) -> GooseMethod {
    match name {
        "POST" => GooseMethod::Post,
        "PUT" => GooseMethod::Put,
        "PATCH" => GooseMethod::Patch,
        "DELETE" => GooseMethod::Delete,
        "HEAD" => GooseMethod::Head,
        _ => GooseMethod::Get,
    }
}

/// Makes the ids of a new trace, and of the span that the request names as its parent.
fn new_context() -> Option<(TraceId, SpanId)> {
    let (trace_id, span_id) = (rand::random::<u128>(), rand::random::<u64>());
    // Zeros alone are not a valid id; the probability is one in 2^64.
    Some((
        TraceId::from_bytes(trace_id.to_be_bytes()).ok()?,
        SpanId::from_bytes(span_id.to_be_bytes()).ok()?,
    ))
}

// === impl Request ===

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.path)
    }
}
