//! Removes queues, exchanges and consumers, with everything that depends on them.

use std::sync::Arc;

use amq_protocol::protocol::{AMQPClass, basic};
use amq_protocol::types::ShortString;
use tokio::time::Instant;

use crate::channel::{ChannelKey, ConnectionId};
use crate::exchange::{Destination, Exchange};
use crate::journal::Change;
use crate::queue::{Consumer, Queue};
use crate::reply_code::{Refusal, ReplyCode};
use crate::state::State;

impl State {
    /// The queue, if it exists and the connection may use it.
    pub(crate) fn queue_mut(
        &mut self,
        name: &str,
        connection: ConnectionId,
    ) -> Result<&mut Queue, Refusal> {
        let Some(queue) = self.queues.get_mut(name) else {
            return Err(Refusal::new(
                ReplyCode::NotFound,
                format!("no {}", Queue::described(name)),
            ));
        };
        queue.check_access(connection)?;
        Ok(queue)
    }

    /// Refuses to add `what` when as much memory is in use as there may be at all.
    pub(crate) fn check_room(&self, what: &str) -> Result<(), Refusal> {
        if self.memory.is_exhausted() {
            let text = format!("no memory for {what}");
            return Err(Refusal::new(ReplyCode::ResourceError, text));
        }
        Ok(())
    }

    /// Deletes a queue and its bindings, and notifies its consumers.
    pub(crate) fn delete_queue(&mut self, name: &Arc<str>) {
        self.disarm(name);
        let Some(queue) = self.queues.remove(name) else {
            return;
        };
        if queue.settings.is_kept() {
            self.journal.note(Change::DeleteQueue { id: queue.id });
        }
        for consumer in queue.consumers {
            self.tell_cancelled(&consumer);
        }
        for exchange in self.forget(&Destination::Queue(Arc::clone(name))) {
            self.delete_exchange(&exchange);
        }
    }

    /// Deletes an auto-delete exchange whose last binding was removed.
    pub(crate) fn delete_exchange_if_done(&mut self, name: &str) {
        if self.exchanges.get(name).is_some_and(is_done) {
            self.delete_exchange(name);
        }
    }

    /// Deletes an exchange, if there is one, with the bindings to it, and the auto-delete exchanges that have
    /// none left then.
    pub(crate) fn delete_exchange(&mut self, name: &str) {
        // Not by recursion: exchanges may be bound in a long row.
        let mut doomed = vec![name.to_owned()];
        while let Some(name) = doomed.pop() {
            let Some(exchange) = self.exchanges.remove(&name) else {
                continue;
            };
            doomed.extend(self.forget(&Destination::Exchange(Arc::from(name.as_str()))));
            if exchange.settings.durable {
                self.journal.note(Change::DeleteExchange { name });
            }
        }
    }

    /// Removes the bindings to a deleted queue or exchange. Returns the auto-delete exchanges of which this
    /// was the last.
    fn forget(&mut self, to: &Destination) -> Vec<String> {
        let mut done = Vec::new();
        for (name, exchange) in &mut self.exchanges {
            if exchange.forget(to) && is_done(exchange) {
                done.push(name.clone());
            }
        }
        done
    }

    /// Removes a consumer from its queue, and deletes an auto-delete queue without consumers.
    pub(crate) fn remove_consumer(
        &mut self,
        at: ChannelKey,
        tag: &ShortString,
        queue: &Arc<str>,
        now: Instant,
    ) {
        let Some(queue) = self.queues.get_mut(queue) else {
            return;
        };
        queue
            .consumers
            .retain(|consumer| !(consumer.at == at && consumer.tag == *tag));
        let name = Arc::clone(&queue.name);
        if !queue.consumers.is_empty() {
            self.unsettled.insert(name);
        } else if queue.settings.auto_delete {
            self.delete_queue(&name);
        } else {
            queue.unused_since = now;
            self.unsettled.insert(name);
        }
    }

    /// Notifies a client that its consumer was cancelled because its queue was deleted.
    fn tell_cancelled(&mut self, consumer: &Consumer) {
        let Some(connection) = self.connections.get_mut(&consumer.at.connection) else {
            return;
        };
        if let Some(channel) = connection.channels.get_mut(&consumer.at.number) {
            channel.consumers.remove(&consumer.tag);
        }
        if connection.understands_cancel {
            let cancel = basic::Cancel {
                consumer_tag: consumer.tag.clone(),
                nowait: true,
            };
            connection.outbox.send(
                consumer.at.number,
                AMQPClass::Basic(basic::AMQPMethod::Cancel(cancel)),
            );
        }
    }
}

/// Whether an exchange is to be deleted because its last binding was removed.
fn is_done(exchange: &Exchange) -> bool {
    exchange.settings.auto_delete && exchange.is_unused()
}
