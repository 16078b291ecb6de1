//! Removes queues, exchanges and consumers, with everything that depends on them.

use std::sync::Arc;

use amq_protocol::protocol::{AMQPClass, basic};
use amq_protocol::types::ShortString;
use tokio::time::Instant;

use crate::channel::{ChannelKey, ConnectionId};
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
        let mut unbound = Vec::new();
        for (exchange, it) in &mut self.exchanges {
            if it.forget(name) {
                unbound.push(exchange.clone());
            }
        }
        for exchange in unbound {
            self.delete_exchange_if_done(&exchange);
        }
    }

    /// Deletes an auto-delete exchange whose last binding was removed.
    pub(crate) fn delete_exchange_if_done(&mut self, name: &str) {
        if self
            .exchanges
            .get(name)
            .is_some_and(|exchange| exchange.auto_delete && exchange.is_unused())
        {
            self.delete_exchange(name);
        }
    }

    /// Deletes an exchange, if there is one.
    pub(crate) fn delete_exchange(&mut self, name: &str) {
        if self
            .exchanges
            .remove(name)
            .is_some_and(|exchange| exchange.durable)
        {
            let name = name.to_owned();
            self.journal.note(Change::DeleteExchange { name });
        }
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
