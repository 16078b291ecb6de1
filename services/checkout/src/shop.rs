//! What the handlers of checkout share: its database, the services that it calls, the outbox.

use chassis::{Claims, FaultSwitch, Pace};
use telemetry::sql::Database;

use crate::{inventory::Inventory, outbox::Outbox, payment::Payment};

/// The databases, clients and settings that processing an order needs.
#[derive(Clone, Debug)]
pub(crate) struct Shop {
    /// Carts, coupons, orders and the outbox.
    pub(crate) db: Database,
    /// The client of inventory.
    pub(crate) inventory: Inventory,
    /// The client of payment.
    pub(crate) payment: Payment,
    /// The outbox: messages that are to be sent to the broker.
    pub(crate) outbox: Outbox,
    /// The time of the steps that a demo cannot do for real.
    pub(crate) pace: Pace,
    /// Whether the service honours the faults that a request asks for.
    pub(crate) faults: FaultSwitch,
    /// The ids of orders that a request works on now; recovery skips them.
    pub(crate) in_hand: Claims,
}
