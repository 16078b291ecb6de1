//! Places orders, together with everything that makes the effect of their faults visible.

use std::{
    collections::{HashMap, HashSet},
    future::Future,
    num::NonZeroUsize,
    time::Duration,
};

use diagnose::{Finding, THRESHOLDS, diagnose};
use faults::{Faults, Setting};
use futures::future::join_all;
use loadgen::{OrderJourney, Plan, Recording, Step};
use plain::Plain;
use protocol::{OrderRequest, PlacedOrder, PlacedOrders, Taken};
use reqwest::Url;
use schedule::Load;
use thiserror::Error;
use tokio_util::sync::CancellationToken;
use trace::{Trace, TraceId};

/// Why an order could not be placed.
#[derive(Debug, Error)]
pub enum OrderError {
    /// The attempt failed before the order was sent.
    #[error(transparent)]
    Load(#[from] loadgen::Error),
    /// Checkout did not answer.
    #[error("the shop at {url} does not answer: {}", Plain(why))]
    Unanswered {
        /// The address of checkout.
        url: Url,
        /// The error of the attempt.
        why: String,
    },
    /// The shop answered, but not with a trace.
    #[error("the reply of {url} names no trace: it has no usable traceresponse header")]
    Untraced {
        /// The address of checkout.
        url: Url,
    },
}

// === impl OrderError ===

impl OrderError {
    /// Whether the input is wrong: the request cannot be carried out.
    pub(crate) fn is_of_input(&self) -> bool {
        use loadgen::Error::{TooFewProducts, UnknownProduct};
        matches!(
            self,
            OrderError::Load(TooFewProducts { .. } | UnknownProduct { .. })
        )
    }
}

/// The number of cart lines if neither the request nor a fault gives another number.
const LINES: usize = 3;

/// Fills a cart with `cart_lines` lines and checks it out, once. An order that the shop refuses is
/// returned too: it has a trace.
///
/// # Errors
///
/// When the shop does not answer, or answers without a trace.
pub async fn place_order(
    checkout: &Url,
    cart_lines: NonZeroUsize,
) -> Result<PlacedOrder, OrderError> {
    let order = OrderJourney {
        cart_lines,
        coupon: true,
        ..OrderJourney::default()
    };
    let mut placed = place(checkout, order, NonZeroUsize::MIN, &Faults::NONE).await?;
    Ok(placed.swap_remove(0))
}

/// Places an order, together with everything that makes the effect of its faults visible: cart lines, other
/// orders, other faults.
///
/// `whole` waits until the trace of an order can be read, and returns this trace with the traces that
/// continue it; it returns an empty list if the traces cannot be read here.
///
/// # Errors
///
/// When the shop does not answer, or answers without a trace.
pub(crate) async fn place_orders<F: Future<Output = Vec<Trace>>>(
    checkout: &Url,
    request: OrderRequest,
    whole: impl Fn(TraceId, Duration) -> F,
) -> Result<PlacedOrders, OrderError> {
    let OrderRequest {
        lines,
        orders,
        mut faults,
    } = request;
    let needed = faults.company();
    let companions: Vec<Setting> = faults.companions().collect();
    let taken = Taken {
        lines: Some(needed.lines).filter(|needed| lines.is_none() && *needed > LINES),
        orders: Some(needed.orders).filter(|needed| orders.is_none() && *needed > 1),
        healthy: Some(needed.healthy).filter(|needed| orders.is_none() && *needed > 0),
        faults: companions.iter().map(ToString::to_string).collect(),
    };
    companions
        .into_iter()
        .for_each(|companion| faults.replace(companion));
    // All orders want the same products, unless they need more lines than the fault names products.
    let same = lines.is_none() && needed.lines <= needed.skus.len();
    let order = OrderJourney {
        cart_lines: lines.unwrap_or(several(needed.lines.max(LINES))),
        skus: match same {
            true => needed.skus.iter().map(|sku| (*sku).to_owned()).collect(),
            false => Vec::new(),
        },
        coupon: true,
    };
    let orders = orders.unwrap_or(several(needed.orders));
    let (placed, healthy) = tokio::join!(place(checkout, order.clone(), orders, &faults), async {
        match taken.healthy {
            Some(healthy) => place(checkout, order.clone(), several(healthy), &Faults::NONE).await,
            None => Ok(Vec::new()),
        }
    });
    let (mut placed, healthy) = (placed?, healthy?);
    let rest = rest(&faults);
    let traces = join_all(
        placed
            .iter()
            .chain(&healthy)
            .map(|placed| whole(placed.trace_id, rest)),
    )
    .await;
    let order = placed.swap_remove(most_to_find(&traces[..placed.len()], &traces));
    placed.extend(healthy);
    Ok(PlacedOrders {
        order,
        others: placed,
        taken: Some(taken).filter(|taken| !taken.is_empty()),
    })
}

/// The time for which the trace of an order with these faults must not change before it is read. Work goes on
/// after the reply, messages are redelivered, and spans arrive late.
fn rest(faults: &Faults) -> Duration {
    if faults.is_empty() {
        return Duration::ZERO;
    }
    let late = faults.get(&faults::LATE_SPANS);
    let late = late.map_or(Duration::ZERO, |late| late.milliseconds("delay_ms"));
    AFTER_REPLY + late.min(MAX_LATE)
}

/// The longest wait for late spans. Spans with a longer delay are not awaited.
const MAX_LATE: Duration = Duration::from_secs(10);

/// The longest time that the work of a fault takes after the reply.
const AFTER_REPLY: Duration = Duration::from_millis(400);

/// The index of the order with the most severe and most expensive finding; of equals, the order that took
/// longest.
fn most_to_find(orders: &[Vec<Trace>], all: &[Vec<Trace>]) -> usize {
    if orders.len() < 2 {
        return 0;
    }
    let mut seen = HashSet::new();
    let traces = all.iter().flatten();
    let traces: Vec<Trace> = traces
        .filter(|trace| seen.insert(trace.id()))
        .cloned()
        .collect();
    let found: HashMap<TraceId, Vec<Finding>> = diagnose(&traces, &[], &THRESHOLDS)
        .into_iter()
        .map(|diagnosis| (diagnosis.trace.id(), diagnosis.findings))
        .collect();
    let weight = |order: &Vec<Trace>| {
        let findings = order.iter().filter_map(|trace| found.get(&trace.id()));
        let gravest = findings
            .flatten()
            .map(|finding| (finding.severity, finding.cost))
            .max();
        (gravest, order.first().map(Trace::duration))
    };
    // The first of equals, so that the answer does not depend on the order of a map.
    let weights: Vec<_> = orders.iter().map(weight).collect();
    (0..orders.len())
        .rev()
        .max_by_key(|&at| weights[at])
        .unwrap_or(0)
}

/// Places orders at the same time, and returns those that the shop answered.
async fn place(
    checkout: &Url,
    order: OrderJourney,
    orders: NonZeroUsize,
    faults: &Faults,
) -> Result<Vec<PlacedOrder>, OrderError> {
    let plan = Plan {
        target: checkout.clone(),
        journeys: vec![order.into()],
        load: Load::Closed {
            users: orders,
            requests: orders.get() as u64,
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
    let mut why = String::new();
    let mut placed = Vec::new();
    for line in outcome.lines {
        if line.step != Step::Checkout {
            continue;
        }
        let Some(status) = line.status else {
            why = line.reply.unwrap_or_default();
            continue;
        };
        let untraced = || OrderError::Untraced {
            url: checkout.clone(),
        };
        placed.push(PlacedOrder {
            trace_id: line.trace_id.ok_or_else(untraced)?,
            order_id: line.order_id,
            status,
        });
    }
    match placed.is_empty() {
        false => Ok(placed),
        true => Err(OrderError::Unanswered {
            url: checkout.clone(),
            why,
        }),
    }
}

fn several(number: usize) -> NonZeroUsize {
    NonZeroUsize::new(number).unwrap_or(NonZeroUsize::MIN)
}
