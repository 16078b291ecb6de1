//! What becomes of orders whose request ended halfway: because this process was killed, or because
//! what had to be undone could not be reached. Each is completed, or its charge is voided and its
//! stock released. It goes on in the trace of the request.

use std::time::Duration;

use api::ChargeStatus;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::{
    error::OrderError,
    orders::{self, Order},
    process_order::{Priced, quantities, send_email, undo, update_inventory},
    shop::Shop,
};

const LOOK: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Looks for such orders until `shutdown`: at once, and again and again.
pub async fn run(shop: Shop, shutdown: CancellationToken) {
    let mut pause = LOOK;
    loop {
        pause = match recover_all(&shop).await {
            Ok(()) => LOOK,
            Err(error) => {
                tracing::warn!("an order could not be recovered: {error}; again in {pause:?}");
                (pause * 2).min(LONGEST_PAUSE)
            }
        };
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
    }
}

async fn recover_all(shop: &Shop) -> Result<(), OrderError> {
    // One that cannot be recovered now must not keep the others waiting.
    let mut outcome = Ok(());
    for abandoned in orders::pending(&shop.db).await? {
        let Some(_held) = shop.in_hand.try_claim(&abandoned.order.id) else {
            continue;
        };
        // It may have ended between the look and the hold.
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

/// A paid order is completed; any other is undone.
async fn recover(shop: &Shop, order: &Order) -> Result<(), OrderError> {
    let charge = shop.payment.find(&order.id).await?;
    let paid = charge.is_some_and(|charge| charge.status == ChargeStatus::Charged);
    if paid {
        match complete(shop, order).await {
            // Half undone before, or not to be had any more: what is left of it is undone.
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
