//! [`Gathered`]: the body of a request.

use bytes::{Bytes, BytesMut};

/// The body of a request, without a copy where it comes in one piece.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    first: Bytes,
    rest: BytesMut,
}

// === impl Gathered ===

impl Gathered {
    pub(super) fn add(&mut self, piece: Bytes) {
        if self.first.is_empty() {
            self.first = piece;
        } else {
            self.rest.extend_from_slice(&piece);
        }
    }

    pub(super) fn whole(self) -> Bytes {
        if self.rest.is_empty() {
            return self.first;
        }
        let mut whole = BytesMut::with_capacity(self.first.len() + self.rest.len());
        whole.extend_from_slice(&self.first);
        whole.extend_from_slice(&self.rest);
        whole.freeze()
    }
}
