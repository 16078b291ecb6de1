//! One order, and its whole trace: what `tracelab up` shows first, and `tracelab order`.

use std::{
    collections::{HashMap, HashSet},
    future::Future,
    num::NonZeroUsize,
    time::Duration,
};

use diagnose::{Finding, THRESHOLDS, diagnose};
use faults::{Faults, Setting};
use futures::future::join_all;
use loadgen::{Order, Plan, Recording, Step};
use reqwest::Url;
use schedule::Load;
use serde::{Deserialize, Serialize};
use sink::{Query, Store};
use thiserror::Error;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use trace::{Kind, Trace, TraceId};

/// What is ordered, and what goes wrong with it.
#[derive(Clone, Debug, Default)]
pub(crate) struct OrderRequest {
    /// How many lines the cart has. `None`: as many as the faults need, and else three.
    pub lines: Option<NonZeroUsize>,
    /// How many such orders are placed at once. `None`: as many as the faults need.
    pub orders: Option<NonZeroUsize>,
    /// What is switched on for them, and for nobody else.
    pub faults: Faults,
}

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

/// The answer to an [`OrderRequest`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PlacedOrders {
    /// The order to look at: of several, the one in which most is to be found.
    #[serde(flatten)]
    pub order: Placed,
    /// The orders that were placed beside it.
    pub others: Vec<Placed>,
    /// What the faults need to be seen and nobody had asked for; `None`: they need nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken: Option<Taken>,
}

/// What was taken because faults need it to be seen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taken {
    /// How many lines the cart has, if the faults decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lines: Option<usize>,
    /// How many orders were placed at once, if the faults decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub orders: Option<usize>,
    /// How many orders without a fault were placed beside them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub healthy: Option<usize>,
    /// Faults that were switched on too, as the command line writes them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<String>,
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

// === impl Taken ===

impl Taken {
    fn is_nothing(&self) -> bool {
        *self == Taken::default()
    }
}

/// How many orders may be placed at once: what is more is a load, as `tracelab load` makes it.
pub const MOST_ORDERS: usize = 100;

/// How many lines a cart has where nothing is said of it.
const LINES: usize = 3;

/// Fills a cart with this many lines and checks it out, once. An order that the shop refuses is
/// placed all the same: its trace is what is asked for.
///
/// # Errors
///
/// When the shop does not answer, or answers without a trace.
pub async fn place_order(checkout: &Url, cart_lines: NonZeroUsize) -> Result<Placed, OrderError> {
    let order = Order {
        cart_lines,
        coupon: true,
        ..Order::default()
    };
    let mut placed = place(checkout, order, NonZeroUsize::MIN, &Faults::NONE).await?;
    Ok(placed.swap_remove(0))
}

/// Places an order, and with it what its faults need to be seen: lines, company, other faults. `whole` is
/// asked for the trace of each order, and for what links to it, once it can be read; where there are no
/// traces, it answers with none.
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
    // All want the same products, unless more lines are wanted than such products are known.
    let same = lines.is_none() && needed.lines <= needed.skus.len();
    let order = Order {
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
        taken: Some(taken).filter(|taken| !taken.is_nothing()),
    })
}

/// How long nothing must have come of an order with faults: work goes on that nobody waits for, a message
/// comes again, spans are late.
fn rest(faults: &Faults) -> Duration {
    if faults.is_empty() {
        return Duration::ZERO;
    }
    let late = faults.get(&faults::LATE_SPANS);
    let late = late.map_or(Duration::ZERO, |late| late.milliseconds("delay_ms"));
    AFTERWARDS + late.min(LATEST)
}

/// How long is waited for spans that are late: who has them come later looks again.
const LATEST: Duration = Duration::from_secs(10);

/// How long what comes of a fault may take after the reply.
const AFTERWARDS: Duration = Duration::from_millis(400);

/// Which of some orders has the gravest and costliest finding; of equals, the one that took longest.
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
            .map(|finding| (finding.rule.severity, finding.cost))
            .max();
        (gravest, order.first().map(Trace::duration))
    };
    // The first of equals, so that the answer does not hang on the order of a map.
    let weights: Vec<_> = orders.iter().map(weight).collect();
    (0..orders.len())
        .rev()
        .max_by_key(|&at| weights[at])
        .unwrap_or(0)
}

/// Places orders at once, and returns those that the shop answered.
async fn place(
    checkout: &Url,
    order: Order,
    orders: NonZeroUsize,
    faults: &Faults,
) -> Result<Vec<Placed>, OrderError> {
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
        placed.push(Placed {
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

/// The trace of an order once it is whole, and what links to it: no span is missing whose child is
/// there, every message that was sent was processed, and nothing has come for as long as `rest`. After
/// `patience`, whatever there is.
pub async fn whole_order<F, Fut>(
    store: &Store,
    trace_id: TraceId,
    rest: Duration,
    patience: Duration,
    flush: F,
) -> Vec<Trace>
where
    F: Fn() -> Fut,
    Fut: Future<Output = ()>,
{
    let deadline = Instant::now() + patience + rest;
    let (mut spans_before, mut unchanged_since) = (0, Instant::now());
    loop {
        let mut arrivals = store.changes();
        flush().await;
        let traces = with_related(store, trace_id);
        let spans = traces.iter().map(|trace| trace.spans().len()).sum();
        let changed = spans != std::mem::replace(&mut spans_before, spans);
        if changed {
            unchanged_since = Instant::now();
        }
        let at_rest = !changed && unchanged_since.elapsed() >= rest;
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
