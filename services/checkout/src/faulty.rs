//! The faults of checkout. Each has a mechanism that programs contain by mistake.

use std::time::Duration;

use chassis::FaultSwitch;
use futures::{FutureExt, future::BoxFuture};
use sabotage::Injection;

use crate::{
    error::{Failed, OrderError},
    orders::Order,
};

/// `abandoned-work`: how long the caller waits for payment; `None` without the fault.
pub(crate) fn patience(faults: FaultSwitch) -> Option<Duration> {
    let setting = faults.acts(&faults::ABANDONED_WORK)?;
    Some(setting.milliseconds("after_ms"))
}

/// `lost-context-http`, `flipped-sampling` and `wrong-parent`: mistakes of a careless client in a call.
pub(crate) async fn call<'a, T: 'a>(
    faults: FaultSwitch,
    call: impl Future<Output = T> + Send + 'a,
) -> T {
    let mut call: BoxFuture<'a, T> = call.boxed();
    if faults.acts(&faults::LOST_CONTEXT_HTTP).is_some() {
        call = sabotage::injecting(Injection::Nothing, call).boxed();
    } else if faults.acts(&faults::FLIPPED_SAMPLING).is_some() {
        call = sabotage::injecting(Injection::Unsampled, call).boxed();
    }
    if faults.acts(&faults::WRONG_PARENT).is_some() {
        call = sabotage::below_request(call).boxed();
    }
    call.await
}

/// `lost-context-amqp`: a message without context.
pub(crate) async fn send<T>(faults: FaultSwitch, send: impl Future<Output = T>) -> T {
    match faults.acts(&faults::LOST_CONTEXT_AMQP) {
        Some(_) => sabotage::injecting(Injection::Nothing, send).await,
        None => send.await,
    }
}

/// `lost-context-spawn`: the reservation is made by a task that was spawned without the current span.
pub(crate) async fn reserve(
    faults: FaultSwitch,
    reservation: impl Future<Output = Result<(), Failed>> + Send + 'static,
) -> Result<(), Failed> {
    if faults.acts(&faults::LOST_CONTEXT_SPAWN).is_none() {
        return reservation.await;
    }
    tokio::spawn(reservation).await.unwrap_or_else(|ended| {
        let why = ended.to_string();
        Err(OrderError::Inventory { why }.into())
    })
}

/// `span-flood`: one span for each round of a loop.
pub(crate) fn flood(faults: FaultSwitch, order: &Order) {
    let Some(setting) = faults.acts(&faults::SPAN_FLOOD) else {
        return;
    };
    let mut points = 0;
    for round in 0..setting.integer("spans") {
        let span = tracing::info_span!("add loyalty point", loyalty.round = round);
        points += span.in_scope(|| order.item_count().min(1));
    }
    tracing::debug!(points, "loyalty points were added");
}
