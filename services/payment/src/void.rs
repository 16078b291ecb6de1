//! Undoes a charge, or keeps one from ever being made.

use api::Charge;
use axum::extract::State;
use chassis::http::{Json, Path};
use telemetry::{Failed, step};
use tracing::info_span;

use crate::{Payment, error::Error};

/// `POST /charges/{order_id}/void`: nothing is charged for the order any more, and nothing ever will
/// be, whatever of it is still on its way. It may be asked again and again.
pub(crate) async fn void(
    State(payment): State<Payment>,
    Path(order_id): Path<String>,
) -> Result<Json<Charge>, Error> {
    Ok(Json(void_charge(&payment, &order_id).await?))
}

/// Voids here first: then a charge that is on its way is refused, or finds itself voided and gives
/// the money back. The provider is told each time, for an earlier try may have ended before that.
async fn void_charge(payment: &Payment, order_id: &str) -> Result<Charge, Failed<Error>> {
    step(info_span!("void charge", order.id = order_id), async {
        let charge = payment.ledger.void(order_id).await?;
        match &charge.charge_id {
            Some(charge_id) => payment.provider.refund(charge_id).await?,
            None => payment.provider.cancel(order_id).await?,
        }
        Ok(charge)
    })
    .await
}
