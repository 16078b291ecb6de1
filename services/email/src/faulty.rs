//! The faults of email. Each has a mechanism that consumers contain by mistake.

use std::{collections::HashSet, time::Duration};

use api::OrderPlaced;
use chassis::FaultSwitch;
use faults::{Fault, Setting};
use lapin::{message::Delivery, types::ShortString};
use parking_lot::{Mutex, MutexGuard};

/// The faults that decide how a delivery is processed.
#[derive(Debug, Default)]
pub(crate) struct Intake {
    /// The ids of messages whose acknowledgement was lost; each loses it only once.
    unacknowledged: Mutex<HashSet<String>>,
}

/// How a delivery is processed.
#[derive(Debug)]
pub(crate) enum Course {
    /// Concurrently with others: no fault acts.
    Normal,
    /// Alone, while all others wait: the mail server is slow and takes one mail at a time (`slow-consumer`).
    Alone,
    /// Its acknowledgement is lost (`duplicate-delivery`).
    Unacknowledged,
    /// Together with others (`batch-consume`).
    Batched(Setting),
}

// === impl Intake ===

impl Intake {
    /// How a delivery is processed, decided by the faults in its baggage.
    pub(crate) fn course(&self, faults: FaultSwitch, delivery: &Delivery) -> Course {
        if let Some(setting) = asked(faults, delivery, &faults::BATCH_CONSUME) {
            return Course::Batched(setting);
        }
        if self.lost_ack(faults, delivery).is_some() {
            return Course::Unacknowledged;
        }
        match asked(faults, delivery, &faults::SLOW_CONSUMER) {
            Some(_) => Course::Alone,
            None => Course::Normal,
        }
    }

    /// `duplicate-delivery`, if the acknowledgement of this delivery must be lost: that happens once for
    /// each message.
    pub(crate) fn lost_ack(&self, faults: FaultSwitch, delivery: &Delivery) -> Option<Setting> {
        let setting = asked(faults, delivery, &faults::DUPLICATE_DELIVERY)?;
        (!self.losses().contains(message_id(delivery))).then_some(setting)
    }

    /// Stores that the acknowledgement of a message was lost.
    pub(crate) fn remember_loss(&self, delivery: &Delivery) {
        self.losses().insert(message_id(delivery).to_owned());
    }

    fn losses(&self) -> MutexGuard<'_, HashSet<String>> {
        self.unacknowledged.lock()
    }
}

fn message_id(delivery: &Delivery) -> &str {
    let id = delivery.properties.message_id().as_ref();
    id.map(ShortString::as_str).unwrap_or_default()
}

/// `poison-message`: an address for which no mail can be made, until the message has failed often enough.
pub(crate) fn poison(
    faults: FaultSwitch,
    delivery: &Delivery,
    order: &OrderPlaced,
    failed: i64,
) -> OrderPlaced {
    match asked(faults, delivery, &faults::POISON_MESSAGE) {
        Some(setting) if failed < setting.integer("failures") => {
            chassis::fault_switch::record(&setting);
            OrderPlaced {
                email: "nobody@".to_owned(),
                ..order.clone()
            }
        }
        _ => order.clone(),
    }
}

/// `slow-consumer`: how long the mail server takes.
pub(crate) fn slowness(faults: FaultSwitch, delivery: &Delivery) -> Option<Duration> {
    let setting = asked(faults, delivery, &faults::SLOW_CONSUMER)?;
    chassis::fault_switch::record(&setting);
    Some(setting.milliseconds("ms"))
}

/// A fault, if the message asks for it. The span of several messages has no baggage, so the message's own is
/// read.
fn asked(faults: FaultSwitch, delivery: &Delivery, fault: &'static Fault) -> Option<Setting> {
    faults.among(&telemetry::amqp::baggage_members(delivery), fault)
}
