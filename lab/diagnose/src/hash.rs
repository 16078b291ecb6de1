//! Maps and sets with keys from traces. The hasher is seeded, so that no hostile trace can make them slow.

use std::collections;

use foldhash::fast::RandomState;

pub(crate) type HashMap<K, V> = collections::HashMap<K, V, RandomState>;
pub(crate) type HashSet<T> = collections::HashSet<T, RandomState>;
