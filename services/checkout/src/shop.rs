//! What the handlers of checkout share: its database, the services that it calls, the outbox.

use chassis::{Claims, FaultSwitch, Pace};
use telemetry::sql::Database;

use crate::{inventory::Inventory, outbox::Outbox, payment::Payment};

/// Everything that an order needs on its way.
#[derive(Clone, Debug)]
pub(crate) struct Shop {
    /// Carts, coupons, orders and the outbox.
    pub(crate) db: Database,
    /// The inventory service.
    pub(crate) inventory: Inventory,
    /// The payment service.
    pub(crate) payment: Payment,
    /// Messages on their way to the broker.
    pub(crate) outbox: Outbox,
    /// How long the steps take that a demo cannot do for real.
    pub(crate) pace: Pace,
    /// Whether the faults are honoured that a request asks for.
    pub(crate) faults: FaultSwitch,
    /// Orders that a request works on right now, so that recovery leaves them alone.
    pub(crate) in_hand: Claims,
}
