//! Finds the queues of a message: through its exchange, the exchanges that are bound to it, and alternate
//! exchanges.

use std::cell::OnceCell;
use std::collections::HashSet;
use std::sync::Arc;

use amq_protocol::types::FieldTable;

use crate::exchange::{Address, Destination};
use crate::state::State;
use crate::wire;

/// The address of a message in a content header.
pub(crate) struct Envelope<'a> {
    keys: Vec<&'a str>,
    /// The payload of the content header frame.
    header: &'a [u8],
    headers: OnceCell<FieldTable>,
}

// === impl Envelope ===

impl<'a> Envelope<'a> {
    /// `copies` are the routing keys besides `key`.
    pub(crate) fn new(key: &'a str, copies: &'a [String], header: &'a [u8]) -> Self {
        let mut keys = vec![key];
        keys.extend(copies.iter().map(String::as_str));
        Self {
            keys,
            header,
            headers: OnceCell::new(),
        }
    }
}

impl Address for Envelope<'_> {
    fn keys(&self) -> &[&str] {
        &self.keys
    }

    fn headers(&self) -> &FieldTable {
        self.headers.get_or_init(|| {
            let properties = wire::properties_of(self.header);
            properties.headers().clone().unwrap_or_default()
        })
    }
}

// === impl State ===

impl State {
    /// The queues that a message is routed to, each once; `None` if the exchange does not exist.
    ///
    /// An exchange is visited once, so that bindings in a circle end. An alternate exchange that does not
    /// exist, or is the default exchange, receives nothing, as in RabbitMQ.
    pub(crate) fn route(&self, exchange: &str, address: &dyn Address) -> Option<Vec<Arc<str>>> {
        let mut queues: Vec<Arc<str>> = Vec::new();
        if exchange.is_empty() {
            let named = address.keys().iter().copied();
            let existing = named.filter_map(|key| self.queues.get(key));
            queues.extend(existing.map(|queue| Arc::clone(&queue.name)));
        } else {
            let mut seen = HashSet::from([exchange]);
            let mut waiting = vec![self.exchanges.get(exchange)?];
            while let Some(exchange) = waiting.pop() {
                let found = exchange.route(address);
                let alternate = exchange.settings.alternate.as_deref();
                let mut next: Vec<&str> =
                    alternate.filter(|_| found.is_empty()).into_iter().collect();
                for destination in found {
                    match destination {
                        Destination::Queue(name) => queues.push(Arc::clone(name)),
                        Destination::Exchange(name) => next.push(name),
                    }
                }
                next.retain(|name| seen.insert(name));
                waiting.extend(next.into_iter().filter_map(|name| self.exchanges.get(name)));
            }
        }
        queues.sort_unstable();
        queues.dedup();
        Some(queues)
    }
}
