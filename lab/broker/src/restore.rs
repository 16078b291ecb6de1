//! How a broker becomes again what it was, from what its store remembers.

use std::collections::VecDeque;
use std::sync::Arc;

use amq_protocol::types::ShortString;
use tokio::time::Instant;

use crate::arguments::Arguments;
use crate::clock;
use crate::exchange::Exchange;
use crate::message::{Message, Parts};
use crate::queue::{Queue, Settings};
use crate::ready::Ready;
use crate::state::State;
use crate::store::{Remembered, RememberedMessage, RememberedQueue};
use crate::wire;

impl State {
    /// Takes over what is remembered.
    pub(crate) fn restore(&mut self, remembered: Remembered, now: Instant) {
        for it in remembered.exchanges {
            let exchange = Exchange::new(it.kind, true, it.auto_delete, it.internal);
            self.exchanges.insert(it.name, exchange);
        }
        for queue in remembered.queues {
            self.restore_queue(queue, now);
        }
        for it in remembered.bindings {
            if let Some(exchange) = self.exchanges.get_mut(&it.exchange) {
                exchange.bind(it.queue, &it.key, it.arguments);
            }
        }
        for message in remembered.messages {
            self.restore_message(message, now);
        }
        self.unsettled.extend(self.queues.keys().cloned());
        self.settle(now);
    }

    fn restore_queue(&mut self, it: RememberedQueue, now: Instant) {
        // They were read when the queue was declared; a version that takes less leaves it out.
        let Ok(arguments) = Arguments::parse(it.arguments, &Queue::described(&it.name)) else {
            return;
        };
        self.skip_ids(it.id);
        let queue = Queue {
            name: Arc::clone(&it.name),
            id: it.id,
            settings: Settings {
                durable: true,
                auto_delete: it.auto_delete,
                owner: None,
            },
            arguments,
            ready: Ready::default(),
            consumers: VecDeque::new(),
            unused_since: now,
            deadline: None,
        };
        self.queues.insert(it.name, queue);
    }

    fn restore_message(&mut self, it: RememberedMessage, now: Instant) {
        let Some(queue) = self.queues.get_mut(&it.queue) else {
            return;
        };
        // Both were short enough for the wire once.
        let (Ok(exchange), Ok(routing_key)) = (
            ShortString::try_new(it.exchange),
            ShortString::try_new(it.routing_key),
        ) else {
            return;
        };
        let parts = Parts {
            exchange,
            routing_key,
            is_persistent: wire::is_persistent(&wire::properties_of(&it.header)),
            header: it.header,
            body: it.body,
            // Its time is counted from when it came to the queue.
            expiration: None,
        };
        let message = Arc::new(Message::new(parts, &self.memory));
        let expires_at = it.expires_ms.map(|ms| clock::instant_of(ms, now));
        let kept = self.journal.kept_before(it.id);
        queue.ready.restore(message, expires_at, kept, &self.memory);
    }
}
