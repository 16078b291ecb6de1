//! What email does wrong when it is asked to. Each is a mechanism that consumers have by mistake.

use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use api::OrderPlaced;
use chassis::FaultSwitch;
use faults::Setting;
use lapin::{message::Delivery, types::ShortString};

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
    Unacknowledged(Setting),
    /// Together with others (`batch-consume`).
    Batched(Setting),
}

// === impl Intake ===

impl Intake {
    /// How a delivery is to be processed, by what its baggage asks for.
    pub(crate) fn course(&self, faults: FaultSwitch, delivery: &Delivery) -> Course {
        if faults == FaultSwitch::Ignored {
            return Course::Normal;
        }
        let members = telemetry::amqp::baggage_members(delivery);
        let asked = |fault| faults.among(&members, fault);
        if let Some(setting) = asked(&faults::BATCH_CONSUME) {
            return Course::Batched(setting);
        }
        if let Some(setting) = asked(&faults::DUPLICATE_DELIVERY)
            && self.is_first_loss(delivery)
        {
            return Course::Unacknowledged(setting);
        }
        match asked(&faults::SLOW_CONSUMER) {
            Some(_) => Course::Alone,
            None => Course::Normal,
        }
    }

    fn is_first_loss(&self, delivery: &Delivery) -> bool {
        let id = delivery.properties.message_id().as_ref();
        let id = id.map(ShortString::as_str).unwrap_or_default().to_owned();
        // A set of strings is whole even if somebody panicked beside it.
        self.unacknowledged
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(id)
    }
}

/// `poison-message`: an address to which no letter can be written, until it has failed often enough.
pub(crate) fn poison(faults: FaultSwitch, order: &OrderPlaced, failed: i64) -> OrderPlaced {
    match faults.asked(&faults::POISON_MESSAGE) {
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
pub(crate) fn slowness(faults: FaultSwitch) -> Option<Duration> {
    let setting = faults.acts(&faults::SLOW_CONSUMER)?;
    Some(setting.milliseconds("ms"))
}
