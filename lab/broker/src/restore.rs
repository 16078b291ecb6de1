//! Restores the state of a broker from its store.

use std::collections::VecDeque;
use std::sync::Arc;

use amq_protocol::types::ShortString;
use tokio::time::Instant;
use tracing::warn;

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
    /// Adds the stored exchanges, queues, bindings and messages to the state.
    pub(crate) fn restore(&mut self, remembered: Remembered, now: Instant) {
        for it in remembered.exchanges {
            let held = self.memory.hold(Exchange::weight(&it.name));
            let exchange = Exchange::new(it.settings, held);
            self.exchanges.insert(it.name, exchange);
        }
        for queue in remembered.queues {
            self.restore_queue(queue, now);
        }
        for it in remembered.bindings {
            if let Some(exchange) = self.exchanges.get_mut(&it.exchange) {
                let bytes = Exchange::weight_of_binding(&it.key, &it.arguments);
                let held = self.memory.hold(bytes);
                exchange.bind(it.to, &it.key, it.arguments, held);
            }
        }
        for message in remembered.messages {
            self.restore_message(message, now);
        }
        self.unsettled.extend(self.queues.keys().cloned());
        self.settle(now);
    }

    fn restore_queue(&mut self, it: RememberedQueue, now: Instant) {
        // The arguments were accepted when the queue was declared; a broker that accepts fewer says so.
        let arguments = match Arguments::parse(it.arguments, &Queue::described(&it.name)) {
            Ok(arguments) => arguments,
            Err(refusal) => {
                let (name, why) = (&it.name, refusal.text);
                warn!("queue '{name}' stays in the broker's store and is not served: {why}");
                return;
            }
        };
        self.skip_ids(it.id);
        let held = self.memory.hold(Queue::weight(&it.name, &arguments));
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
            _held: held,
        };
        self.queues.insert(it.name, queue);
    }

    fn restore_message(&mut self, it: RememberedMessage, now: Instant) {
        let Some(queue) = self.queues.get_mut(&it.queue) else {
            return;
        };
        // Both were short enough for the wire when they were stored.
        let (Ok(exchange), Ok(routing_key)) = (
            ShortString::try_new(it.exchange),
            ShortString::try_new(it.routing_key),
        ) else {
            return;
        };
        let parts = Parts {
            exchange,
            routing_key,
            copies: it.copies,
            is_persistent: wire::is_persistent(&wire::properties_of(&it.header)),
            header: it.header,
            body: it.body,
            // The queue's entry has the expiry, counted from the message's arrival in the queue.
            expiration: None,
        };
        let message = Arc::new(Message::new(parts, &self.memory));
        let expires_at = it.expires_ms.map(|ms| clock::instant_of(ms, now));
        let kept = self.journal.kept_before(it.id);
        queue.ready.restore(message, expires_at, kept, &self.memory);
    }
}
