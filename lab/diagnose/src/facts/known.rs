//! [`Known`]: what rules must know of all traces where only a part of them is here.

use std::hash::BuildHasher;

use foldhash::quality::RandomState;
use trace::{Kind, Trace};

use super::{
    peers::{Peers, answered_calls},
    shape::Route,
};
use crate::hash::{HashMap, HashSet};

/// What is known of all traces. Texts are kept as their hashes.
#[derive(Default)]
pub(crate) struct Known {
    pub(crate) peers: Peers,
    hasher: RandomState,
    /// The routes that were answered with a span.
    routes: HashSet<u64>,
    /// The names of each pattern.
    names: HashMap<u64, HashSet<u64>>,
}

// === impl Known ===

impl Known {
    /// Learns the peers and the routes of a trace.
    pub(crate) fn learn(&mut self, trace: &Trace) {
        self.peers.learn(trace);
        for call in answered_calls(trace) {
            self.routes.insert(self.hasher.hash_one(Route::of(call)));
        }
    }

    /// Learns a span name of a pattern: a service, a kind, the name without what differs.
    pub(crate) fn learn_name(&mut self, service: &str, kind: Kind, shape: &str, name: &str) {
        let pattern = self.hasher.hash_one((service, kind, shape));
        let name = self.hasher.hash_one(name);
        self.names.entry(pattern).or_default().insert(name);
    }

    /// Whether calls of this route were answered with a span.
    pub(crate) fn is_answered(&self, route: &Route<'_>) -> bool {
        self.routes.contains(&self.hasher.hash_one(route))
    }

    /// The number of names of a pattern.
    pub(crate) fn names(&self, service: &str, kind: Kind, shape: &str) -> usize {
        let pattern = self.hasher.hash_one((service, kind, shape));
        self.names.get(&pattern).map_or(0, HashSet::len)
    }
}
