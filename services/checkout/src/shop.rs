//! What the handlers of checkout share: its database, the services that it calls, the outbox.

use chassis::{Claims, FaultSwitch, Pace};
use telemetry::sql::Database;

use crate::{inventory::Inventory, outbox::Outbox, payment::Payment};

/// Everything that an order needs on its way.
#[derive(Clone, Debug)]
pub struct Shop {
    /// Carts, coupons, orders and the outbox.
    pub db: Database,
    /// The inventory service.
    pub inventory: Inventory,
    /// The payment service.
    pub payment: Payment,
    /// Messages on their way to the broker.
    pub outbox: Outbox,
    /// How long the steps take that a demo cannot do for real.
    pub pace: Pace,
    /// Whether the faults are honoured that a request asks for.
    pub faults: FaultSwitch,
    /// Orders that a request works on right now, so that recovery leaves them alone.
    pub in_hand: Claims,
}
