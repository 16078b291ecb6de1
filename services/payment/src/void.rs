//! Undoes a charge, or prevents it.

use api::Charge;
use axum::extract::State;
use chassis::http::{Json, Path};
use telemetry::{Failed, step};
use tracing::info_span;

use crate::{Payment, error::Error};

/// `POST /charges/{order_id}/void`: nothing is charged for the order any more, and nothing ever will be,
/// even if a charge is being made now. The request may be repeated.
pub(crate) async fn void(
    State(payment): State<Payment>,
    Path(order_id): Path<String>,
) -> Result<Json<Charge>, Error> {
    Ok(Json(void_charge(&payment, &order_id).await?))
}

/// Voids the charge in the ledger first: a charge that is being made is then refused, or sees that it is
/// voided and refunds the money. The provider is called each time, because an earlier attempt may have ended
/// before that.
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
