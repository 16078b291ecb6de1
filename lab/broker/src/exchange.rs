//! Exchanges: their kinds, their bindings, and which bindings a message matches.
//!
//! It must not know messages, or queues and other exchanges beyond their names. The default exchange is not
//! here: it routes to the queue that has the name of the routing key (see `routing`).

use std::collections::BTreeMap;
use std::sync::Arc;

use amq_protocol::types::FieldTable;

use crate::field_value::weight;
use crate::header_match::{self, Rule};
use crate::memory::Reservation;
use crate::topic;

/// The routing rule of an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Direct,
    Fanout,
    Topic,
    Headers,
}

/// An exchange.
#[derive(Debug)]
pub(crate) struct Exchange {
    pub(crate) settings: Settings,
    bindings: BTreeMap<String, Vec<Binding>>,
    /// Counts its bytes.
    _held: Reservation,
}

/// The properties of a declared exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) kind: Kind,
    pub(crate) durable: bool,
    pub(crate) auto_delete: bool,
    /// Whether clients may not publish to it: only other exchanges and dead-lettering can.
    pub(crate) internal: bool,
    /// The exchange that receives what no binding matches (`alternate-exchange`).
    pub(crate) alternate: Option<String>,
}

/// Where a binding leads.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Destination {
    Queue(Arc<str>),
    Exchange(Arc<str>),
}

#[derive(Debug)]
struct Binding {
    to: Destination,
    /// Bindings with different arguments are different bindings, also where arguments have no effect.
    arguments: FieldTable,
    /// Counts its bytes.
    _held: Reservation,
}

/// What a message is routed by.
pub(crate) trait Address {
    /// Its routing keys: that of its publisher, and those of `CC` and `BCC`.
    fn keys(&self) -> &[&str];
    /// Its headers. They are decoded only for exchanges of that kind.
    fn headers(&self) -> &FieldTable;
}

// === impl Kind ===

impl Kind {
    pub(crate) const ALL: [Self; 4] = [Self::Direct, Self::Fanout, Self::Topic, Self::Headers];

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Fanout => "fanout",
            Self::Topic => "topic",
            Self::Headers => "headers",
        }
    }
}

// === impl Exchange ===

impl Exchange {
    pub(crate) fn new(settings: Settings, held: Reservation) -> Self {
        Self {
            settings,
            bindings: BTreeMap::new(),
            _held: held,
        }
    }

    /// The bytes that an exchange of this name counts, without its bindings.
    pub(crate) fn weight(name: &str) -> usize {
        256 + name.len()
    }

    /// The bytes that a binding counts.
    pub(crate) fn weight_of_binding(key: &str, arguments: &FieldTable) -> usize {
        256 + key.len() + weight(arguments)
    }

    /// The destinations whose bindings a message matches; one may be repeated.
    pub(crate) fn route(&self, address: &dyn Address) -> Vec<&Destination> {
        let keys = address.keys();
        let matching: Box<dyn Iterator<Item = &Binding>> = match self.settings.kind {
            Kind::Direct => Box::new(
                keys.iter()
                    .filter_map(|key| self.bindings.get(*key))
                    .flatten(),
            ),
            Kind::Fanout => Box::new(self.bindings.values().flatten()),
            Kind::Topic => {
                let bindings = self.bindings.iter();
                let matching = bindings
                    .filter(|(pattern, _)| keys.iter().any(|key| topic::matches(pattern, key)));
                Box::new(matching.flat_map(|(_, bindings)| bindings))
            }
            Kind::Headers => {
                let headers = address.headers();
                let bindings = self.bindings.values().flatten();
                Box::new(bindings.filter(|it| {
                    header_match::matches(Rule::of(&it.arguments), &it.arguments, headers)
                }))
            }
        };
        matching.map(|binding| &binding.to).collect()
    }

    /// Whether there is this binding.
    pub(crate) fn is_bound(&self, to: &Destination, key: &str, arguments: &FieldTable) -> bool {
        let bindings = self.bindings.get(key).into_iter().flatten();
        bindings
            .into_iter()
            .any(|it| it.to == *to && it.arguments == *arguments)
    }

    /// Adds a binding. An equal binding that exists already changes nothing.
    pub(crate) fn bind(
        &mut self,
        to: Destination,
        key: &str,
        arguments: FieldTable,
        held: Reservation,
    ) {
        if !self.is_bound(&to, key, &arguments) {
            let bindings = self.bindings.entry(key.to_owned()).or_default();
            bindings.push(Binding {
                to,
                arguments,
                _held: held,
            });
        }
    }

    /// Removes a binding. Returns whether it existed.
    pub(crate) fn unbind(&mut self, to: &Destination, key: &str, arguments: &FieldTable) -> bool {
        let Some(bindings) = self.bindings.get_mut(key) else {
            return false;
        };
        let before = bindings.len();
        bindings.retain(|it| !(it.to == *to && it.arguments == *arguments));
        let removed = bindings.len() < before;
        if bindings.is_empty() {
            self.bindings.remove(key);
        }
        removed
    }

    /// Removes the bindings to a deleted queue or exchange. Returns whether there were any.
    pub(crate) fn forget(&mut self, to: &Destination) -> bool {
        let mut removed = false;
        self.bindings.retain(|_, bindings| {
            let before = bindings.len();
            bindings.retain(|it| it.to != *to);
            removed |= bindings.len() < before;
            !bindings.is_empty()
        });
        removed
    }

    /// Whether it has no bindings.
    pub(crate) fn is_unused(&self) -> bool {
        self.bindings.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::Memory;

    struct ByKeys<'a>(&'a [&'a str], FieldTable);

    impl Address for ByKeys<'_> {
        fn keys(&self) -> &[&str] {
            self.0
        }

        fn headers(&self) -> &FieldTable {
            &self.1
        }
    }

    fn queue(name: &str) -> Destination {
        Destination::Queue(Arc::from(name))
    }

    fn exchange(kind: Kind, bindings: &[(&str, &str)]) -> Exchange {
        let settings = Settings {
            kind,
            durable: false,
            auto_delete: false,
            internal: false,
            alternate: None,
        };
        let memory = Memory::new(1 << 20);
        let mut exchange = Exchange::new(settings, memory.hold(0));
        for (key, name) in bindings {
            exchange.bind(queue(name), key, FieldTable::default(), memory.hold(0));
        }
        exchange
    }

    fn route(exchange: &Exchange, keys: &[&str]) -> Vec<Destination> {
        let found = exchange.route(&ByKeys(keys, FieldTable::default()));
        let mut found: Vec<_> = found.into_iter().cloned().collect();
        found.sort();
        found.dedup();
        found
    }

    #[test]
    fn all_bindings_of_a_topic_and_of_a_fanout_count() {
        let topic = exchange(Kind::Topic, &[("a.*", "q"), ("*.b", "q"), ("#", "r")]);
        assert_eq!(route(&topic, &["a.b"]), [queue("q"), queue("r")]);
        let fanout = exchange(Kind::Fanout, &[("x", "q"), ("y", "q")]);
        assert_eq!(route(&fanout, &["any"]), [queue("q")]);
    }

    #[test]
    fn a_direct_exchange_compares_the_whole_of_each_key() {
        let direct = exchange(Kind::Direct, &[("a", "q"), ("a.b", "r"), ("a", "s")]);
        assert_eq!(route(&direct, &["a"]), [queue("q"), queue("s")]);
        assert_eq!(route(&direct, &["b"]), []);
        let both = route(&direct, &["a.b", "a"]);
        assert_eq!(both, [queue("q"), queue("r"), queue("s")]);
    }

    #[test]
    fn unbinding_removes_one_binding_and_forgetting_all_of_a_queue() {
        let mut direct = exchange(Kind::Direct, &[("a", "q"), ("b", "q"), ("b", "r")]);
        assert!(direct.unbind(&queue("q"), "a", &FieldTable::default()));
        assert!(!direct.unbind(&queue("q"), "a", &FieldTable::default()));
        assert_eq!(route(&direct, &["b"]), [queue("q"), queue("r")]);
        assert!(direct.forget(&queue("q")));
        assert_eq!(route(&direct, &["b"]), [queue("r")]);
        assert!(!direct.is_unused());
        assert!(direct.forget(&queue("r")));
        assert!(direct.is_unused());
    }
}
