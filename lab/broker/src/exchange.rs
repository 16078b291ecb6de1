//! Exchanges: their kinds, their bindings, and the routing by keys.
//!
//! It must not know messages, or queues beyond their names. The default exchange is not here: it routes to
//! the queue that has the name of the routing key (see `publish`).

use std::collections::BTreeMap;
use std::sync::Arc;

use amq_protocol::types::FieldTable;

use crate::topic;

/// The routing rule of an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Direct,
    Fanout,
    Topic,
}

/// An exchange.
#[derive(Debug)]
pub(crate) struct Exchange {
    pub(crate) kind: Kind,
    pub(crate) durable: bool,
    pub(crate) auto_delete: bool,
    /// Whether clients may not publish to it. Without bindings between exchanges only a dead-letter exchange
    /// can use such an exchange.
    pub(crate) internal: bool,
    bindings: BTreeMap<String, Vec<Binding>>,
}

#[derive(Debug, PartialEq)]
struct Binding {
    queue: Arc<str>,
    /// The arguments of the binding. They have no effect here, but bindings with different arguments are
    /// different bindings.
    arguments: FieldTable,
}

// === impl Kind ===

impl Kind {
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        [Self::Direct, Self::Fanout, Self::Topic]
            .into_iter()
            .find(|kind| kind.name() == name)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Fanout => "fanout",
            Self::Topic => "topic",
        }
    }
}

// === impl Exchange ===

impl Exchange {
    pub(crate) fn new(kind: Kind, durable: bool, auto_delete: bool, internal: bool) -> Self {
        Self {
            kind,
            durable,
            auto_delete,
            internal,
            bindings: BTreeMap::new(),
        }
    }

    /// The queues that receive a message with this routing key, without repetition.
    pub(crate) fn route(&self, key: &str) -> Vec<Arc<str>> {
        let mut queues: Vec<Arc<str>> = match self.kind {
            Kind::Direct => self
                .bindings
                .get(key)
                .into_iter()
                .flatten()
                .map(|b| Arc::clone(&b.queue))
                .collect(),
            Kind::Fanout => self
                .bindings
                .values()
                .flatten()
                .map(|b| Arc::clone(&b.queue))
                .collect(),
            Kind::Topic => {
                let matching = self
                    .bindings
                    .iter()
                    .filter(|(pattern, _)| topic::matches(pattern, key));
                matching
                    .flat_map(|(_, bindings)| bindings)
                    .map(|b| Arc::clone(&b.queue))
                    .collect()
            }
        };
        queues.sort_unstable();
        queues.dedup();
        queues
    }

    /// Binds a queue. An equal binding that exists already changes nothing.
    pub(crate) fn bind(&mut self, queue: Arc<str>, key: &str, arguments: FieldTable) {
        let bindings = self.bindings.entry(key.to_owned()).or_default();
        let binding = Binding { queue, arguments };
        if !bindings.contains(&binding) {
            bindings.push(binding);
        }
    }

    /// Unbinds a queue. Returns whether the binding existed.
    pub(crate) fn unbind(&mut self, queue: &str, key: &str, arguments: &FieldTable) -> bool {
        self.remove(|bound_key, binding| {
            bound_key == key && &*binding.queue == queue && binding.arguments == *arguments
        })
    }

    /// Removes the bindings of a deleted queue. Returns whether there were any.
    pub(crate) fn forget(&mut self, queue: &str) -> bool {
        self.remove(|_, binding| &*binding.queue == queue)
    }

    /// Whether it has no bindings.
    pub(crate) fn is_unused(&self) -> bool {
        self.bindings.is_empty()
    }

    fn remove(&mut self, is_meant: impl Fn(&str, &Binding) -> bool) -> bool {
        let mut removed = false;
        self.bindings.retain(|key, bindings| {
            let before = bindings.len();
            bindings.retain(|binding| !is_meant(key, binding));
            removed |= bindings.len() < before;
            !bindings.is_empty()
        });
        removed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exchange(kind: Kind, bindings: &[(&str, &str)]) -> Exchange {
        let mut exchange = Exchange::new(kind, false, false, false);
        for (key, queue) in bindings {
            exchange.bind(Arc::from(*queue), key, FieldTable::default());
        }
        exchange
    }

    fn route(exchange: &Exchange, key: &str) -> Vec<String> {
        exchange
            .route(key)
            .iter()
            .map(|queue| queue.to_string())
            .collect()
    }

    #[test]
    fn a_queue_gets_a_message_once_however_often_it_is_bound() {
        let topic = exchange(Kind::Topic, &[("a.*", "q"), ("*.b", "q"), ("#", "r")]);
        assert_eq!(route(&topic, "a.b"), ["q", "r"]);
        let fanout = exchange(Kind::Fanout, &[("x", "q"), ("y", "q")]);
        assert_eq!(route(&fanout, "whatever"), ["q"]);
    }

    #[test]
    fn a_direct_exchange_compares_the_whole_key() {
        let direct = exchange(Kind::Direct, &[("a", "q"), ("a.b", "r"), ("a", "s")]);
        assert_eq!(route(&direct, "a"), ["q", "s"]);
        assert_eq!(route(&direct, "b"), Vec::<String>::new());
    }

    #[test]
    fn unbinding_removes_one_binding_and_forgetting_all_of_a_queue() {
        let mut direct = exchange(Kind::Direct, &[("a", "q"), ("b", "q"), ("b", "r")]);
        assert!(direct.unbind("q", "a", &FieldTable::default()));
        assert!(!direct.unbind("q", "a", &FieldTable::default()));
        assert_eq!(route(&direct, "b"), ["q", "r"]);
        assert!(direct.forget("q"));
        assert_eq!(route(&direct, "b"), ["r"]);
        assert!(!direct.is_unused());
        assert!(direct.forget("r"));
        assert!(direct.is_unused());
    }
}
