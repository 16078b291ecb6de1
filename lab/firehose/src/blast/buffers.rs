//! [`Buffers`]: the memory of bodies that were sent, for the next ones.

use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;

/// Buffers that are free. A fresh one would cost the system a page for each 4 KiB, time and again.
#[derive(Clone, Default)]
pub(super) struct Buffers(Arc<Mutex<Vec<Vec<u8>>>>);

/// A buffer that comes back when nobody holds its bytes any more: not even the connection, which may hold those of a
/// request that was answered before all of it was read.
struct Lent {
    bytes: Vec<u8>,
    to: Buffers,
}

// === impl Buffers ===

impl Buffers {
    /// An empty buffer.
    pub(super) fn take(&self) -> Vec<u8> {
        self.0.lock().pop().unwrap_or_default()
    }

    /// The bytes of a buffer, which comes back by itself.
    pub(super) fn share(&self, bytes: Vec<u8>) -> Bytes {
        Bytes::from_owner(Lent {
            bytes,
            to: self.clone(),
        })
    }

    pub(super) fn give_back(&self, mut buffer: Vec<u8>) {
        buffer.clear();
        self.0.lock().push(buffer);
    }
}

// === impl Lent ===

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.to.give_back(std::mem::take(&mut self.bytes));
    }
}
