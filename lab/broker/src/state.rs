//! [`State`]: all data of the broker, and the rule by which it comes to rest.
//!
//! One mutex guards it (see [`crate::broker`]) and nothing in it waits. An operation makes its change and
//! marks the queues that may have work; [`State::settle`] then serves these queues until no work is left. The
//! state must not know sockets: messages for a client go to its outbox.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use amq_protocol::protocol::AMQPClass;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::channel::{Channel, ChannelKey, ConnectionId};
use crate::dead_letter::DeadLetter;
use crate::exchange::{Exchange, Kind, Settings};
use crate::journal::Journal;
use crate::memory::Memory;
use crate::outbox::Outbox;
use crate::queue::Queue;

/// The state of the broker.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) exchanges: HashMap<String, Exchange>,
    pub(crate) queues: HashMap<Arc<str>, Queue>,
    pub(crate) connections: HashMap<ConnectionId, Connection>,
    pub(crate) memory: Memory,
    pub(crate) journal: Journal,
    /// The last batch of the journal that is stored.
    stored: u64,
    /// The connections whose confirms wait for the store.
    unconfirmed: BTreeSet<ConnectionId>,
    /// The last number that was given to a connection, a queue or a generated name.
    last_id: u64,
    /// The queues that may have work.
    pub(crate) unsettled: BTreeSet<Arc<str>>,
    /// Messages that died and are not yet routed to their dead-letter exchange.
    pub(crate) dead_letters: VecDeque<DeadLetter>,
    /// The deadlines of the queues.
    deadlines: BTreeSet<(Instant, Arc<str>)>,
    /// Notified when the first of the deadlines changes.
    pub(crate) first_deadline_changed: Arc<Notify>,
}

/// A connection whose handshake is done.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) outbox: Arc<Outbox>,
    /// The user of its login.
    pub(crate) user: String,
    /// Whether it understands a `basic.cancel` from the broker.
    pub(crate) understands_cancel: bool,
    pub(crate) channels: HashMap<u16, Channel>,
}

/// The exchanges that are always there: name, kind, whether it is internal. Nothing is published to the last,
/// as in a RabbitMQ without tracing.
const PREDECLARED: [(&str, Kind, bool); 6] = [
    ("amq.direct", Kind::Direct, false),
    ("amq.fanout", Kind::Fanout, false),
    ("amq.topic", Kind::Topic, false),
    ("amq.headers", Kind::Headers, false),
    ("amq.match", Kind::Headers, false),
    ("amq.rabbitmq.trace", Kind::Topic, true),
];

// === impl State ===

impl State {
    pub(crate) fn new(memory: Memory, journal: Journal) -> Self {
        let exchanges = PREDECLARED.map(|(name, kind, internal)| {
            let settings = Settings {
                kind,
                durable: true,
                auto_delete: false,
                internal,
                alternate: None,
            };
            (name.to_owned(), Exchange::new(settings, memory.hold(0)))
        });
        Self {
            exchanges: HashMap::from(exchanges),
            queues: HashMap::new(),
            connections: HashMap::new(),
            memory,
            journal,
            stored: 0,
            unconfirmed: BTreeSet::new(),
            last_id: 0,
            unsettled: BTreeSet::new(),
            dead_letters: VecDeque::new(),
            deadlines: BTreeSet::new(),
            first_deadline_changed: Arc::default(),
        }
    }

    /// The next unused number.
    pub(crate) fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    /// Excludes this number and all lower numbers.
    pub(crate) fn skip_ids(&mut self, last: u64) {
        self.last_id = self.last_id.max(last);
    }

    /// Adds a connection.
    pub(crate) fn connect(&mut self, connection: Connection) -> ConnectionId {
        let id = ConnectionId(self.next_id());
        self.connections.insert(id, connection);
        id
    }

    /// Removes a connection: its channels are closed and its exclusive queues deleted.
    pub(crate) fn disconnect(&mut self, id: ConnectionId, now: Instant) {
        let Some(connection) = self.connections.get(&id) else {
            return;
        };
        let mut numbers: Vec<u16> = connection.channels.keys().copied().collect();
        numbers.sort_unstable();
        for number in numbers {
            self.close_channel(
                ChannelKey {
                    connection: id,
                    number,
                },
                now,
            );
        }
        let owned = self
            .queues
            .values()
            .filter(|queue| queue.settings.owner == Some(id));
        let owned: Vec<_> = owned.map(|queue| Arc::clone(&queue.name)).collect();
        for name in owned {
            self.delete_queue(&name);
        }
        self.connections.remove(&id);
    }

    /// Opens a channel.
    pub(crate) fn open_channel(&mut self, at: ChannelKey) {
        self.connection_mut(at.connection)
            .channels
            .insert(at.number, Channel::new());
    }

    /// Closes a channel: confirms its published messages, cancels its consumers, requeues its unacknowledged
    /// messages.
    pub(crate) fn close_channel(&mut self, at: ChannelKey, now: Instant) {
        self.send_confirms(at.connection);
        let Some(channel) = self
            .connection_mut(at.connection)
            .channels
            .remove(&at.number)
        else {
            return;
        };
        // The messages go back first, so that an auto-delete queue with another consumer keeps them.
        for unacked in channel.unacked.into_values() {
            self.requeue(unacked);
        }
        for (tag, queue) in channel.consumers {
            self.remove_consumer(at, &tag, &queue, now);
        }
    }

    /// The channel, which the session of its connection has opened.
    pub(crate) fn channel_mut(&mut self, at: ChannelKey) -> &mut Channel {
        let channel = self
            .connection_mut(at.connection)
            .channels
            .get_mut(&at.number);
        channel.expect("a session names only channels that it has opened and not closed")
    }

    pub(crate) fn connection_mut(&mut self, id: ConnectionId) -> &mut Connection {
        self.connections
            .get_mut(&id)
            .expect("a session uses its connection only until it disconnects")
    }

    /// Sends a method to a client.
    pub(crate) fn reply(&self, at: ChannelKey, method: AMQPClass) {
        if let Some(connection) = self.connections.get(&at.connection) {
            connection.outbox.send(at.number, method);
        }
    }

    /// Sends the confirms that are due on the channels of a connection.
    pub(crate) fn send_confirms(&mut self, id: ConnectionId) {
        let stored = self.stored;
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        let mut is_waiting = false;
        for (number, channel) in &mut connection.channels {
            let Some(confirms) = &mut channel.confirms else {
                continue;
            };
            for answer in confirms.due(stored) {
                connection.outbox.send(*number, answer);
            }
            is_waiting |= confirms.is_waiting();
        }
        if is_waiting {
            self.unconfirmed.insert(id);
        }
    }

    /// Records that the journal is stored up to a batch, and sends the confirms that waited for it.
    pub(crate) fn stored(&mut self, ticket: u64) {
        self.stored = ticket;
        for id in std::mem::take(&mut self.unconfirmed) {
            self.send_confirms(id);
        }
    }

    /// Marks all queues that a connection consumes: deliveries may be possible again.
    pub(crate) fn unsettle_consumed_by(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get(&id) else {
            return;
        };
        let consumers = connection
            .channels
            .values()
            .flat_map(|channel| channel.consumers.values());
        self.unsettled.extend(consumers.cloned());
    }

    /// Serves the queues that may have work, and routes the messages that died, until no work is left.
    ///
    /// It always ends: an expired message does not return to a queue in which it was before (see
    /// [`crate::dead_letter`]), and a rejected message was delivered to a client before.
    pub(crate) fn settle(&mut self, now: Instant) {
        loop {
            if let Some(name) = self.unsettled.pop_first() {
                self.serve(&name, now);
                self.arm(&name);
            } else if let Some(dead) = self.dead_letters.pop_front() {
                self.publish_dead_letter(dead, now);
            } else {
                return;
            }
        }
    }

    /// The time at which [`Self::expire`] is to be called.
    pub(crate) fn first_deadline(&self) -> Option<Instant> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// Expires the queues and messages whose deadline has passed.
    pub(crate) fn expire(&mut self, now: Instant) {
        while let Some((_, name)) = self.deadlines.first().filter(|(at, _)| *at <= now).cloned() {
            self.disarm(&name);
            match self.queues.get(&name) {
                Some(queue) if queue.dies_at().is_some_and(|at| at <= now) => {
                    self.delete_queue(&name)
                }
                Some(_) => {
                    self.unsettled.insert(name);
                }
                None => {}
            }
        }
        self.settle(now);
    }

    /// Removes the deadline of a queue.
    pub(crate) fn disarm(&mut self, name: &Arc<str>) {
        if let Some(queue) = self.queues.get_mut(name)
            && let Some(at) = queue.deadline.take()
        {
            self.deadlines.remove(&(at, Arc::clone(name)));
        }
    }

    /// Sets the deadline of a queue by its present content.
    fn arm(&mut self, name: &Arc<str>) {
        let Some(queue) = self.queues.get_mut(name) else {
            return;
        };
        let next = queue.next_deadline();
        if queue.deadline == next {
            return;
        }
        let first = self.deadlines.first().map(|(at, _)| *at);
        if let Some(old) = std::mem::replace(&mut queue.deadline, next) {
            self.deadlines.remove(&(old, Arc::clone(name)));
        }
        if let Some(next) = next {
            self.deadlines.insert((next, Arc::clone(name)));
            if first.is_none_or(|first| next < first) {
                self.first_deadline_changed.notify_one();
            }
        }
    }
}
