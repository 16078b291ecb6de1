//! What email does wrong when it is asked to. Each is a mechanism that consumers have by mistake.

use std::{collections::HashSet, time::Duration};

use api::OrderPlaced;
use chassis::FaultSwitch;
use faults::{Fault, Setting};
use lapin::{message::Delivery, types::ShortString};
use parking_lot::{Mutex, MutexGuard};

/// The faults that decide how a delivery is taken off the queue.
#[derive(Debug, Default)]
pub(crate) struct Intake {
    /// Messages whose acknowledgement was lost, which happens to each only once.
    unacknowledged: Mutex<HashSet<String>>,
}

/// How a delivery is processed.
#[derive(Debug)]
pub(crate) enum Course {
    /// Beside others, as it should be.
    Normal,
    /// By itself, while all others wait: there is one slow mail server (`slow-consumer`).
    Alone,
    /// Its acknowledgement is lost (`duplicate-delivery`).
    Unacknowledged,
    /// Together with others (`batch-consume`).
    Batched(Setting),
}

// === impl Intake ===

impl Intake {
    /// How a delivery is to be processed, by what its baggage asks for.
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

    /// `duplicate-delivery`, if the acknowledgement of this delivery is to be lost: it is for each message
    /// whose own was not lost before.
    pub(crate) fn lost_ack(&self, faults: FaultSwitch, delivery: &Delivery) -> Option<Setting> {
        let setting = asked(faults, delivery, &faults::DUPLICATE_DELIVERY)?;
        (!self.losses().contains(message_id(delivery))).then_some(setting)
    }

    /// Remembers that the acknowledgement of a message was lost.
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

/// `poison-message`: an address to which no letter can be written, until it has failed often enough.
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

/// A fault, if the message asks for it: the span that processes several messages has the baggage of none.
fn asked(faults: FaultSwitch, delivery: &Delivery, fault: &'static Fault) -> Option<Setting> {
    faults.among(&telemetry::amqp::baggage_members(delivery), fault)
}
