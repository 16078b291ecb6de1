//! A channel in the broker's state: its consumers, its unacknowledged messages, its pending confirms. It must
//! not know queues beyond their names.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use amq_protocol::protocol::{AMQPClass, basic};
use amq_protocol::types::ShortString;

use crate::ready::Entry;
use crate::reply_code::{Refusal, ReplyCode};

/// The id of a connection, unique while the broker runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ConnectionId(pub(crate) u64);

/// The key of a channel: its connection and its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ChannelKey {
    pub(crate) connection: ConnectionId,
    pub(crate) number: u16,
}

/// An open channel.
#[derive(Debug)]
pub(crate) struct Channel {
    /// The queues of its consumers, by consumer tag.
    pub(crate) consumers: HashMap<ShortString, Arc<str>>,
    /// The unacknowledged messages, by delivery tag.
    pub(crate) unacked: BTreeMap<u64, Unacked>,
    last_delivery_tag: u64,
    /// The prefetch of consumers that are added later (`basic.qos`, `global` unset).
    pub(crate) prefetch: u16,
    /// The prefetch that all its consumers share (`global` set); zero: no limit.
    pub(crate) shared_prefetch: u16,
    /// The number of unacknowledged messages of all its consumers.
    pub(crate) consumed: u32,
    pub(crate) confirms: Option<Confirms>,
    /// The queue that an empty queue name refers to.
    pub(crate) last_queue: Option<Arc<str>>,
}

/// A message that was delivered and waits for its acknowledgement.
#[derive(Debug)]
pub(crate) struct Unacked {
    pub(crate) queue: Arc<str>,
    pub(crate) queue_id: u64,
    /// The consumer that received the message; `None` after `basic.get`.
    pub(crate) consumer: Option<ShortString>,
    pub(crate) entry: Entry,
}

/// Publisher confirms: the messages that were published and not yet confirmed.
///
/// They are confirmed in the order in which they were published: each after all messages before it.
#[derive(Debug, Default)]
pub(crate) struct Confirms {
    answered: u64,
    waiting: VecDeque<Answer>,
}

/// The answer to the publisher of a message.
#[derive(Debug)]
struct Answer {
    is_taken: bool,
    /// The batch of the journal that must be stored first.
    ticket: u64,
}

// === impl Channel ===

impl Channel {
    pub(crate) fn new() -> Self {
        Self {
            consumers: HashMap::new(),
            unacked: BTreeMap::new(),
            last_delivery_tag: 0,
            prefetch: 0,
            shared_prefetch: 0,
            consumed: 0,
            confirms: None,
            last_queue: None,
        }
    }

    /// Whether its shared prefetch leaves room for one more unacknowledged message.
    pub(crate) fn has_window(&self) -> bool {
        self.shared_prefetch == 0 || self.consumed < u32::from(self.shared_prefetch)
    }

    pub(crate) fn next_delivery_tag(&mut self) -> u64 {
        self.last_delivery_tag += 1;
        self.last_delivery_tag
    }

    /// Takes the messages of an acknowledgement, in the order of their delivery.
    ///
    /// Tag zero with `multiple` means all; any other tag must exist.
    pub(crate) fn take_unacked(
        &mut self,
        tag: u64,
        multiple: bool,
    ) -> Result<Vec<Unacked>, Refusal> {
        if tag == 0 && multiple {
            return Ok(std::mem::take(&mut self.unacked).into_values().collect());
        }
        let Some(last) = self.unacked.remove(&tag) else {
            let text = format!("unknown delivery tag {tag}");
            return Err(Refusal::new(ReplyCode::PreconditionFailed, text));
        };
        let mut taken = Vec::new();
        if multiple {
            let later = self.unacked.split_off(&tag);
            taken.extend(std::mem::replace(&mut self.unacked, later).into_values());
        }
        taken.push(last);
        Ok(taken)
    }

    /// The queue that a method refers to: an empty name is the last queue that was declared on this channel.
    pub(crate) fn queue_meant(&self, name: &ShortString) -> Result<Arc<str>, Refusal> {
        match (name.as_str(), &self.last_queue) {
            ("", Some(last)) => Ok(Arc::clone(last)),
            ("", None) => Err(Refusal::new(
                ReplyCode::NotFound,
                "no previously declared queue",
            )),
            (name, _) => Ok(Arc::from(name)),
        }
    }
}

// === impl Confirms ===

impl Confirms {
    /// Counts a published message. `ticket` is the batch of the journal that stores it; zero means none.
    pub(crate) fn count(&mut self, is_taken: bool, ticket: u64) {
        self.waiting.push_back(Answer { is_taken, ticket });
    }

    /// The confirms that may be sent now; consecutive equal confirms are combined. `stored` is the last batch
    /// of the journal that is stored.
    pub(crate) fn due(&mut self, stored: u64) -> Vec<AMQPClass> {
        let mut answers = Vec::new();
        let mut taken = 0;
        while let Some(answer) = self.waiting.pop_front_if(|answer| answer.ticket <= stored) {
            if answer.is_taken {
                taken += 1;
            } else {
                answers.extend(self.ack(std::mem::take(&mut taken)));
                answers.push(self.nack());
            }
        }
        answers.extend(self.ack(taken));
        answers
    }

    /// Whether messages wait for the store.
    pub(crate) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    fn ack(&mut self, taken: u64) -> Option<AMQPClass> {
        if taken == 0 {
            return None;
        }
        self.answered += taken;
        let ack = basic::Ack {
            delivery_tag: self.answered,
            multiple: taken > 1,
        };
        Some(AMQPClass::Basic(basic::AMQPMethod::Ack(ack)))
    }

    fn nack(&mut self) -> AMQPClass {
        self.answered += 1;
        let nack = basic::Nack {
            delivery_tag: self.answered,
            multiple: false,
            requeue: false,
        };
        AMQPClass::Basic(basic::AMQPMethod::Nack(nack))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ack(delivery_tag: u64, multiple: bool) -> AMQPClass {
        AMQPClass::Basic(basic::AMQPMethod::Ack(basic::Ack {
            delivery_tag,
            multiple,
        }))
    }

    fn nack(delivery_tag: u64) -> AMQPClass {
        AMQPClass::Basic(basic::AMQPMethod::Nack(basic::Nack {
            delivery_tag,
            multiple: false,
            requeue: false,
        }))
    }

    #[test]
    fn confirms_are_batched_and_a_refusal_divides_the_batch() {
        let mut confirms = Confirms::default();
        assert_eq!(confirms.due(0), []);
        confirms.count(true, 0);
        assert_eq!(confirms.due(0), [ack(1, false)]);
        for is_taken in [true, true, false, true] {
            confirms.count(is_taken, 0);
        }
        assert_eq!(confirms.due(0), [ack(3, true), nack(4), ack(5, false)]);
        assert_eq!(confirms.due(0), []);
    }

    #[test]
    fn what_is_not_stored_is_not_confirmed_nor_what_came_after_it() {
        let mut confirms = Confirms::default();
        for ticket in [1, 2, 0, 3] {
            confirms.count(true, ticket);
        }
        assert_eq!(confirms.due(0), []);
        assert_eq!(confirms.due(1), [ack(1, false)]);
        assert!(confirms.is_waiting());
        assert_eq!(confirms.due(3), [ack(4, true)]);
        assert!(!confirms.is_waiting());
    }
}
