//! What the handlers of checkout share: its database, the services that it calls, the outbox.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
};

use chassis::{FaultSwitch, Pace};
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
    pub in_hand: InHand,
}

/// The ids of what somebody works on at this moment.
#[derive(Clone, Debug, Default)]
pub struct InHand(Arc<Mutex<HashSet<String>>>);

/// Holds one id until it is dropped.
#[derive(Debug)]
pub struct Held {
    ids: InHand,
    id: String,
}

// === impl InHand ===

impl InHand {
    /// Takes an id in hand, or `None` if somebody has it already.
    pub fn hold(&self, id: &str) -> Option<Held> {
        let taken = self.ids().insert(id.to_owned());
        taken.then(|| Held {
            ids: self.clone(),
            id: id.to_owned(),
        })
    }

    fn ids(&self) -> std::sync::MutexGuard<'_, HashSet<String>> {
        // A set of strings is whole even if somebody panicked beside it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.ids.ids().remove(&self.id);
    }
}
