//! One order, and its whole trace: what `tracelab up` shows first, and `tracelab order`.

use std::{future::Future, num::NonZeroUsize, time::Duration};

use faults::Faults;
use loadgen::{Load, Order, Plan, Recording, Step};
use reqwest::Url;
use serde::{Deserialize, Serialize};
use sink::{Query, Store};
use thiserror::Error;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use trace::{Kind, Trace, TraceId};

/// An order that was placed, or refused.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Placed {
    /// The trace that the shop made of it.
    pub trace_id: TraceId,
    /// The order; `None` if it was refused before there was one.
    pub order_id: Option<String>,
    /// The status code of the reply.
    pub status: u16,
}

/// Why an order could not be placed.
#[derive(Debug, Error)]
pub enum OrderError {
    /// The order could not even be tried.
    #[error(transparent)]
    Load(#[from] loadgen::Error),
    /// Nobody answered.
    #[error("the shop at {url} does not answer: {why}")]
    Unanswered {
        /// Where checkout was looked for.
        url: Url,
        /// What became of the attempt.
        why: String,
    },
    /// The shop answered, but not with a trace.
    #[error("the reply of {url} names no trace: it has no usable traceresponse header")]
    Untraced {
        /// Where the reply came from.
        url: Url,
    },
}

// === impl OrderError ===

impl OrderError {
    /// Whether it is what was asked for that cannot be had.
    pub(crate) fn is_of_input(&self) -> bool {
        use loadgen::Error::{TooFewProducts, UnknownProduct};
        matches!(
            self,
            OrderError::Load(TooFewProducts { .. } | UnknownProduct { .. })
        )
    }
}

/// Fills a cart with this many lines and checks it out, once. An order that the shop refuses is
/// placed all the same: its trace is what is asked for.
///
/// `faults` are switched on for it, and for nobody else.
pub async fn place_order(
    checkout: &Url,
    cart_lines: NonZeroUsize,
    faults: &Faults,
) -> Result<Placed, OrderError> {
    let order = Order {
        cart_lines,
        coupon: true,
        ..Order::default()
    };
    let plan = Plan {
        target: checkout.clone(),
        journeys: vec![order.into()],
        load: Load::Closed {
            users: NonZeroUsize::MIN,
            requests: 1,
            ramp: Duration::ZERO,
        },
        baggage: faults.to_header(),
        seed: rand::random(),
        patience: Duration::from_secs(30),
    };
    let recording = Recording {
        keep: true,
        journal: None,
        report: None,
    };
    let outcome = loadgen::drive(plan, recording, |_, _| {}, CancellationToken::new()).await?;
    let line = outcome
        .lines
        .into_iter()
        .find(|line| line.step == Step::Checkout)
        .ok_or_else(|| OrderError::Unanswered {
            url: checkout.clone(),
            why: String::new(),
        })?;
    let Some(status) = line.status else {
        let why = line.reply.unwrap_or_default();
        return Err(OrderError::Unanswered {
            url: checkout.clone(),
            why,
        });
    };
    let untraced = || OrderError::Untraced {
        url: checkout.clone(),
    };
    let trace_id = line.trace_id.ok_or_else(untraced)?;
    Ok(Placed {
        trace_id,
        order_id: line.order_id,
        status,
    })
}

/// The trace of an order once it is whole, and what links to it: no span is missing whose child is
/// there, and every message that was sent was processed. After `patience`, whatever there is.
pub async fn whole_order<F, Fut>(
    store: &Store,
    trace_id: TraceId,
    patience: Duration,
    flush: F,
) -> Vec<Trace>
where
    F: Fn() -> Fut,
    Fut: Future<Output = ()>,
{
    let deadline = Instant::now() + patience;
    let mut spans_before = 0;
    loop {
        let mut arrivals = store.changes();
        flush().await;
        let traces = with_related(store, trace_id);
        let spans = traces.iter().map(|trace| trace.spans().len()).sum();
        let at_rest = spans == std::mem::replace(&mut spans_before, spans);
        if Instant::now() >= deadline || (at_rest && is_whole(&traces)) {
            return traces;
        }
        let _ = timeout(Duration::from_millis(20), arrivals.changed()).await;
    }
}

fn with_related(store: &Store, trace_id: TraceId) -> Vec<Trace> {
    let Some(trace) = store.trace(trace_id) else {
        return Vec::new();
    };
    let sent: Vec<String> = trace
        .spans()
        .iter()
        .filter(|span| span.kind == Kind::Producer)
        .filter_map(|span| {
            Some(
                span.attributes
                    .get("messaging.message.id")?
                    .as_str()?
                    .to_owned(),
            )
        })
        .collect();
    let mut traces = vec![trace];
    for message in sent {
        for related in with_attribute(store, "messaging.message.id", &message) {
            if traces.iter().all(|trace| trace.id() != related.id()) {
                traces.push(related);
            }
        }
    }
    traces
}

/// Whether no span is missing whose child is there, and every message that was sent was processed.
pub(crate) fn is_whole<'t>(traces: impl IntoIterator<Item = &'t Trace>) -> bool {
    let traces: Vec<&Trace> = traces.into_iter().collect();
    let complete = traces
        .iter()
        .all(|trace| trace.roots().count() == 1 && trace.orphans().count() == 0);
    // A message that failed comes back, or is buried: sent on by the consumer that gave it up.
    let is_burial = |trace: &Trace, place: usize| {
        let parent = trace.parent(place).map(|parent| trace.span(parent));
        parent.is_some_and(|parent| parent.kind == Kind::Consumer && parent.is_error())
    };
    let (mut sent, mut settled) = (0, 0);
    for trace in &traces {
        for (place, span) in trace.spans().iter().enumerate() {
            match span.kind {
                Kind::Producer if span.is_error() => {}
                Kind::Producer if is_burial(trace, place) => settled += 1,
                Kind::Producer => sent += 1,
                Kind::Consumer if !span.is_error() => settled += 1,
                _ => {}
            }
        }
    }
    complete && !traces.is_empty() && settled >= sent
}

/// The traces of which a span has this attribute.
fn with_attribute(store: &Store, key: &str, value: &str) -> Vec<Trace> {
    let query = Query {
        attribute: Some((key.to_owned(), value.to_owned())),
        ..Query::default()
    };
    store
        .search(&query)
        .into_iter()
        .filter_map(|found| store.trace(found.trace_id))
        .collect()
}
