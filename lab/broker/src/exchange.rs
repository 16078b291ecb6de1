//! Exchanges: what kind they are, what is bound to them, and where a routing key leads.
//!
//! It must not know messages or queues beyond their names. The default exchange is none of these:
//! it leads to the queue of the routing key's name (see `publish`).

use std::collections::BTreeMap;
use std::sync::Arc;

use amq_protocol::types::FieldTable;

use crate::topic;

/// How an exchange routes.
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
    /// Clients may not publish to it. Without bindings between exchanges only a dead-letter
    /// exchange can make use of that.
    pub(crate) internal: bool,
    bindings: BTreeMap<String, Vec<Binding>>,
}

#[derive(Debug, PartialEq)]
struct Binding {
    queue: Arc<str>,
    /// They have no effect here, but two bindings that differ in them are two.
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

    /// The queues that a message with this routing key goes to, each once.
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

    /// Binds a queue; binding it again in the same way changes nothing.
    pub(crate) fn bind(&mut self, queue: Arc<str>, key: &str, arguments: FieldTable) {
        let bindings = self.bindings.entry(key.to_owned()).or_default();
        let binding = Binding { queue, arguments };
        if !bindings.contains(&binding) {
            bindings.push(binding);
        }
    }

    /// Unbinds a queue; whether it was bound in that way.
    pub(crate) fn unbind(&mut self, queue: &str, key: &str, arguments: &FieldTable) -> bool {
        self.remove(|bound_key, binding| {
            bound_key == key && &*binding.queue == queue && binding.arguments == *arguments
        })
    }

    /// Forgets a queue that is deleted; whether it was bound.
    pub(crate) fn forget(&mut self, queue: &str) -> bool {
        self.remove(|_, binding| &*binding.queue == queue)
    }

    /// Whether nothing is bound to it.
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
