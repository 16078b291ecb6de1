//! Ends the orders whose request ended halfway: because this process was killed, or because a service was
//! away when the order had to be undone. Each order is completed, or its charge is voided and its stock
//! released. The work continues the trace of the request.

use std::time::Duration;

use api::ChargeStatus;
use backon::{BackoffBuilder, ExponentialBuilder};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::{
    error::OrderError,
    orders::{self, Order},
    process_order::{Priced, quantities, send_email, undo, update_inventory},
    shop::Shop,
};

/// The pause between two rounds while none fails.
const LOOK: Duration = Duration::from_secs(1);

/// The longest pause after a round that failed.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// The pauses after failed rounds: each is twice the one before.
const PAUSES: ExponentialBuilder = ExponentialBuilder::new()
    .with_min_delay(Duration::from_secs(2))
    .with_max_delay(LONGEST_PAUSE)
    .without_max_times();

/// Looks for such orders until `shutdown`: at once, and after every pause.
pub(crate) async fn run(shop: Shop, shutdown: CancellationToken) {
    let mut pauses = PAUSES.build();
    loop {
        let pause = match recover_all(&shop).await {
            Ok(()) => {
                pauses = PAUSES.build();
                LOOK
            }
            Err(error) => {
                let pause = pauses.next().unwrap_or(LONGEST_PAUSE);
                tracing::warn!("an order could not be recovered: {error}; again in {pause:?}");
                pause
            }
        };
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
    }
}

async fn recover_all(shop: &Shop) -> Result<(), OrderError> {
    // An order that cannot be recovered now must not delay the others.
    let mut outcome = Ok(());
    for abandoned in orders::pending(&shop.db).await? {
        let Some(_held) = shop.in_hand.try_claim(&abandoned.order.id) else {
            continue;
        };
        // The order may have ended between the query and the claim.
        if !orders::is_pending(&shop.db, &abandoned.order.id).await? {
            continue;
        }
        let span =
            tracing::info_span!(parent: None, "recover order", order.id = abandoned.order.id);
        abandoned.context.adopt(&span);
        let recovered = recover(shop, &abandoned.order).instrument(span).await;
        outcome = outcome.and(recovered);
    }
    outcome
}

/// Completes a paid order; undoes any other.
async fn recover(shop: &Shop, order: &Order) -> Result<(), OrderError> {
    let charge = shop.payment.find(&order.id).await?;
    let paid = charge.is_some_and(|charge| charge.status == ChargeStatus::Charged);
    if paid {
        match complete(shop, order).await {
            // The order was partly undone before, or its products were sold out since: the rest of it is
            // undone.
            Err(
                error @ (OrderError::Released
                | OrderError::OutOfStock { .. }
                | OrderError::UnknownSku { .. }),
            ) => {
                undo(shop, order).await?;
                orders::fail(&shop.db, &order.id, error.kind()).await?;
            }
            outcome => outcome?,
        }
    } else {
        undo(shop, order).await?;
        orders::fail(&shop.db, &order.id, "interrupted").await?;
    }
    Ok(())
}

async fn complete(shop: &Shop, order: &Order) -> Result<(), OrderError> {
    update_inventory(shop.clone(), order.clone()).await?;
    let skus: Vec<&str> = quantities(&order.lines).into_keys().collect();
    let prices = shop.inventory.prices(&skus).await?;
    let priced = Priced::new(&order.lines, &prices, order.percent_off)?;
    send_email(shop, order, priced).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_bound_and_never_end() {
        let pauses: Vec<u64> = PAUSES.build().take(6).map(|it| it.as_secs()).collect();
        assert_eq!(pauses, [2, 4, 8, 16, 30, 30]);
    }
}
