//! [`Marks`]: which services and names a trace may have, in 32 bytes.

use std::{borrow::Cow, hash::BuildHasher as _};

use foldhash::quality::RandomState;

/// A Bloom filter of the services, the names and the pairs of both in a trace. It may say that something is there
/// which is not: then a look at the spans decides. A trace of 12 spans fills a fifth of it, so that one search in 25
/// looks in vain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Marks([u64; 4]);

/// Makes marks; its keys are random, so that no sender can choose names that fall on one mark.
#[derive(Clone, Debug, Default)]
pub(super) struct Marker(RandomState);

/// The hash of a text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark(u64);

// === impl Marker ===

impl Marker {
    pub(super) fn service(&self, service: &str) -> Mark {
        Mark(self.0.hash_one((0_u8, service)))
    }

    /// The mark of a name, which may not be UTF-8.
    pub(super) fn name(&self, name: &[u8]) -> Mark {
        let name = match name.is_ascii() {
            true => Cow::Borrowed(name),
            false => match String::from_utf8_lossy(name) {
                Cow::Borrowed(name) => Cow::Borrowed(name.as_bytes()),
                Cow::Owned(name) => Cow::Owned(name.into_bytes()),
            },
        };
        Mark(self.0.hash_one(&*name))
    }
}

// === impl Mark ===

impl Mark {
    /// The mark of a name in a service.
    pub(super) fn of(self, service: Mark) -> Mark {
        Mark(self.0.rotate_left(32) ^ service.0.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }
}

// === impl Marks ===

impl Marks {
    pub(super) fn add(&mut self, mark: Mark) {
        for bit in mark.bits() {
            self.0[bit >> 6] |= 1 << (bit & 63);
        }
    }

    pub(super) fn add_all(&mut self, other: &Marks) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            *mine |= theirs;
        }
    }

    /// Whether what has this mark may be there.
    pub(super) fn may_have(&self, mark: Mark) -> bool {
        let mut bits = mark.bits().into_iter();
        bits.all(|bit| self.0[bit >> 6] & (1 << (bit & 63)) != 0)
    }
}

impl Mark {
    fn bits(self) -> [usize; 2] {
        [(self.0 & 0xff) as usize, (self.0 >> 40 & 0xff) as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_added_may_be_there_and_most_else_is_not() {
        let marker = Marker::default();
        let shop = marker.service("shop");
        let mut marks = Marks::default();
        let names: Vec<String> = (0..12)
            .map(|number| format!("GET /items/{number}"))
            .collect();
        for name in &names {
            let name = marker.name(name.as_bytes());
            marks.add(name);
            marks.add(name.of(shop));
        }
        for name in &names {
            assert!(marks.may_have(marker.name(name.as_bytes()).of(shop)));
        }
        let others = (0..1_000).map(|number| marker.name(format!("POST {number}").as_bytes()));
        let wrong = others.filter(|name| marks.may_have(*name)).count();
        assert!(wrong < 300, "{wrong} of 1,000 others seem to be there");
    }

    #[test]
    fn a_name_that_is_not_utf_8_is_found_as_it_is_shown() {
        let marker = Marker::default();
        let mut marks = Marks::default();
        marks.add(marker.name(b"caf\xc3"));
        assert!(marks.may_have(marker.name("caf\u{fffd}".as_bytes())));
    }
}
