//! The resources and scopes that stored spans share: each is kept once, in the bytes that came.

use std::{
    collections::HashMap,
    hash::BuildHasher as _,
    sync::{
        Arc, Weak,
        atomic::{AtomicUsize, Ordering},
    },
};

use foldhash::quality::RandomState;
use otlp::wire::Fields;
use parking_lot::Mutex;

use super::size::allocated;

/// The number of `scope_spans` in `ResourceSpans`, and of `spans` in `ScopeSpans`: what an envelope is without.
const INNER: u32 = 2;

/// A `ResourceSpans` without its scopes.
#[derive(Debug)]
pub(crate) struct Resource {
    bytes: Bytes,
    service: Box<str>,
}

/// A `ScopeSpans` without its spans, of one resource.
#[derive(Debug)]
pub(crate) struct Scope {
    resource: Arc<Resource>,
    bytes: Bytes,
}

/// Bytes that are counted as long as they are there.
#[derive(Debug)]
struct Bytes {
    content: Box<[u8]>,
    hash: u64,
    weight: usize,
    total: Arc<AtomicUsize>,
}

/// All envelopes that are in use.
#[derive(Debug)]
pub(super) struct Envelopes {
    /// The bytes of all envelopes, by their sizes in memory.
    total: Arc<AtomicUsize>,
    hasher: RandomState,
    tables: Mutex<Tables>,
}

#[derive(Debug, Default)]
struct Tables {
    resources: Table<Resource>,
    scopes: Table<Scope>,
}

/// The envelopes of one kind, by the hash of their content. What is no longer in use is removed at times.
#[derive(Debug)]
struct Table<T> {
    by_hash: HashMap<u64, Vec<Weak<T>>, RandomState>,
    /// The number of entries at which those that are no longer in use are removed.
    sweep_at: usize,
}

/// The parts of a message that make its envelope: all before the first inner field, all behind the last one, and
/// what is between them.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Parts<'a> {
    before: &'a [u8],
    behind: &'a [u8],
    /// Whether other fields stand between the inner ones, which no encoder does.
    mixed: bool,
}

const FIRST_SWEEP: usize = 64;

/// The memory of an entry in a table.
const OF_AN_ENTRY: usize = 128;

// === impl Parts ===

impl<'a> Parts<'a> {
    /// The parts of an encoded `ResourceSpans` or `ScopeSpans`.
    pub(super) fn of(message: &'a [u8]) -> Parts<'a> {
        let (mut first, mut last) = (None, 0);
        let mut mixed = false;
        let mut fields = Fields::of(message);
        let at = |fields: &Fields<'_>| message.len() - fields.rest().len();
        loop {
            let start = at(&fields);
            fields.pass(INNER);
            if at(&fields) == start {
                match fields.next() {
                    Some(Ok(field)) if field.number == INNER => {}
                    Some(Ok(_)) => continue,
                    _ => break,
                }
            }
            mixed |= first.is_some() && last != start;
            first.get_or_insert(start);
            last = at(&fields);
        }
        let first = first.unwrap_or(message.len());
        Parts {
            before: &message[..first],
            behind: &message[last.max(first)..],
            mixed,
        }
    }

    /// The memory that an envelope of these parts takes at most, if it is a new one.
    pub(super) fn weight(&self) -> usize {
        // The name of a service is a part of its resource.
        const ITSELF: usize = if size_of::<Resource>() > size_of::<Scope>() {
            size_of::<Resource>()
        } else {
            size_of::<Scope>()
        };
        let bytes = self.before.len() + self.behind.len();
        2 * allocated(bytes) + allocated(ITSELF + 16) + OF_AN_ENTRY
    }

    fn collect(&self, message: &[u8]) -> Vec<u8> {
        if !self.mixed {
            return [self.before, self.behind].concat();
        }
        let fields = Fields::of(message).flatten();
        let outer = fields.filter(|field| field.number != INNER);
        outer.flat_map(|field| field.whole).copied().collect()
    }

    fn is(&self, content: &[u8]) -> bool {
        !self.mixed
            && content.len() == self.before.len() + self.behind.len()
            && content
                .strip_prefix(self.before)
                .is_some_and(|rest| rest == self.behind)
    }
}

// === impl Envelopes ===

impl Envelopes {
    pub(super) fn new() -> Envelopes {
        Envelopes {
            total: Arc::default(),
            hasher: RandomState::default(),
            tables: Mutex::default(),
        }
    }

    /// The bytes of all envelopes in memory.
    pub(super) fn bytes(&self) -> usize {
        self.total.load(Ordering::Relaxed)
    }

    /// The envelope of an encoded `ResourceSpans`.
    pub(super) fn resource(&self, message: &[u8]) -> Arc<Resource> {
        let parts = Parts::of(message);
        let hash = self.hasher.hash_one((parts.before, parts.behind));
        let mut tables = self.tables.lock();
        let known = tables
            .resources
            .find(hash, |known| parts.is(&known.bytes.content));
        known.unwrap_or_else(|| {
            let content = parts.collect(message);
            let service: Box<str> = trace::otlp::service(&content).as_str().into();
            let more = size_of::<Resource>() + 16 + allocated(service.len());
            tables.resources.add(
                hash,
                Resource {
                    bytes: self.bytes_of(content, more, hash),
                    service,
                },
            )
        })
    }

    /// The envelope of an encoded `ScopeSpans` of this resource.
    pub(super) fn scope(&self, message: &[u8], resource: &Arc<Resource>) -> Arc<Scope> {
        let parts = Parts::of(message);
        let hash = self
            .hasher
            .hash_one((resource.bytes.hash, parts.before, parts.behind));
        let mut tables = self.tables.lock();
        let known = tables.scopes.find(hash, |known| {
            Arc::ptr_eq(&known.resource, resource) && parts.is(&known.bytes.content)
        });
        known.unwrap_or_else(|| {
            tables.scopes.add(
                hash,
                Scope {
                    resource: Arc::clone(resource),
                    bytes: self.bytes_of(parts.collect(message), size_of::<Scope>() + 16, hash),
                },
            )
        })
    }

    /// Counts the bytes of an envelope, and those besides: of itself, and of what it owns.
    fn bytes_of(&self, content: Vec<u8>, besides: usize, hash: u64) -> Bytes {
        let weight = allocated(content.len()) + allocated(besides) + OF_AN_ENTRY;
        self.total.fetch_add(weight, Ordering::Relaxed);
        Bytes {
            content: content.into(),
            hash,
            weight,
            total: Arc::clone(&self.total),
        }
    }
}

// === impl Table ===

impl<T> Table<T> {
    fn find(&self, hash: u64, is_it: impl Fn(&T) -> bool) -> Option<Arc<T>> {
        let there = self.by_hash.get(&hash)?;
        there
            .iter()
            .filter_map(Weak::upgrade)
            .find(|known| is_it(known))
    }

    fn add(&mut self, hash: u64, new: T) -> Arc<T> {
        let new = Arc::new(new);
        if self.by_hash.len() >= self.sweep_at {
            self.by_hash.retain(|_, there| {
                there.retain(|known| known.strong_count() > 0);
                !there.is_empty()
            });
            self.by_hash.shrink_to(FIRST_SWEEP);
            self.sweep_at = FIRST_SWEEP.max(2 * self.by_hash.len());
        }
        let there = self.by_hash.entry(hash).or_default();
        there.retain(|known| known.strong_count() > 0);
        there.push(Arc::downgrade(&new));
        new
    }
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Table {
            by_hash: HashMap::default(),
            sweep_at: FIRST_SWEEP,
        }
    }
}

// === impl Resource ===

impl Resource {
    /// The encoded `ResourceSpans` without its scopes.
    pub(crate) fn encoded(&self) -> &[u8] {
        &self.bytes.content
    }

    pub(super) fn is(&self, parts: &Parts<'_>) -> bool {
        parts.is(&self.bytes.content)
    }

    /// The name of its service; `unknown_service` without one, as in the SDKs.
    pub(crate) fn service(&self) -> &str {
        &self.service
    }
}

// === impl Scope ===

impl Scope {
    pub(super) fn is(&self, parts: &Parts<'_>) -> bool {
        parts.is(&self.bytes.content)
    }

    pub(crate) fn resource(&self) -> &Arc<Resource> {
        &self.resource
    }

    /// The encoded `ScopeSpans` without its spans.
    pub(crate) fn encoded(&self) -> &[u8] {
        &self.bytes.content
    }
}

impl Drop for Bytes {
    fn drop(&mut self) {
        self.total.fetch_sub(self.weight, Ordering::Relaxed);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    use otlp::wire::put_bytes;

    use super::*;

    /// A message with a field 1 and a field 3, and inner fields where the text has a dot.
    fn message(layout: &str) -> Vec<u8> {
        let mut out = Vec::new();
        for part in layout.chars() {
            match part {
                '.' => put_bytes(2, b"inner", &mut out),
                '1' => put_bytes(1, b"\x10\x07", &mut out),
                _ => put_bytes(3, b"url", &mut out),
            }
        }
        out
    }

    #[test]
    fn what_is_alike_is_kept_once_and_counted_while_it_is_used() {
        let envelopes = Envelopes::new();
        let resource = envelopes.resource(&message("1..3"));
        assert_eq!(resource.encoded(), message("13"));
        let once = envelopes.bytes();
        let again = envelopes.resource(&message("1.3"));
        assert!(Arc::ptr_eq(&resource, &again));
        let other = envelopes.resource(&message("1."));
        assert!(!Arc::ptr_eq(&resource, &other));
        let scope = envelopes.scope(&message(".."), &resource);
        assert!(Arc::ptr_eq(
            &scope,
            &envelopes.scope(&message("."), &resource)
        ));
        assert!(!Arc::ptr_eq(
            &scope,
            &envelopes.scope(&message("."), &other)
        ));
        assert!(envelopes.bytes() > once);
        drop((resource, again, other, scope));
        assert_eq!(envelopes.bytes(), 0);
    }

    #[test]
    fn fields_between_the_inner_ones_are_kept_too() {
        let envelopes = Envelopes::new();
        assert_eq!(
            envelopes.resource(&message(".1.3.")).encoded(),
            message("13")
        );
    }

    #[test]
    fn the_tables_forget_what_is_no_longer_used() {
        let envelopes = Envelopes::new();
        for number in 0..10 * FIRST_SWEEP {
            let mut message = Vec::new();
            put_bytes(3, number.to_string().as_bytes(), &mut message);
            drop(envelopes.resource(&message));
        }
        assert!(envelopes.tables.lock().resources.by_hash.len() <= FIRST_SWEEP);
    }
}
