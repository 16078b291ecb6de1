//! Claims: at most one worker at a time for each id.
//!
//! Recovery skips an order that a request works on; the relay skips a message that a request is sending; a
//! message that a broker delivers twice at once is processed once. Claims hold within one process: the
//! database ensures what must hold between processes.

use std::{collections::HashSet, sync::Arc};

use parking_lot::Mutex;
use tokio::sync::Notify;

/// The ids that are claimed now. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Claims(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    ids: Mutex<HashSet<String>>,
    released: Notify,
}

/// A claim on one id, released when it is dropped.
#[derive(Debug)]
pub struct Claim {
    claims: Claims,
    id: String,
}

// === impl Claims ===

impl Claims {
    /// Claims an id; `None` if it is claimed already.
    pub fn try_claim(&self, id: &str) -> Option<Claim> {
        let is_free = self.0.ids.lock().insert(id.to_owned());
        is_free.then(|| Claim {
            claims: self.clone(),
            id: id.to_owned(),
        })
    }

    /// Claims an id; waits until it is free.
    pub async fn claim(&self, id: &str) -> Claim {
        loop {
            // The waiter is created before the attempt, so that a release between the two wakes it.
            let released = self.0.released.notified();
            if let Some(claim) = self.try_claim(id) {
                return claim;
            }
            released.await;
        }
    }
}

// === impl Claim ===

impl Drop for Claim {
    fn drop(&mut self) {
        self.claims.0.ids.lock().remove(&self.id);
        self.claims.0.released.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn an_id_has_one_claim_at_a_time() {
        let claims = Claims::default();
        let first = claims.claim("a").await;
        assert!(claims.try_claim("a").is_none());
        assert!(claims.try_claim("b").is_some(), "another id is free");
        let mut second = std::pin::pin!(claims.claim("a"));
        assert!(second.as_mut().now_or_never().is_none(), "it waits");
        drop(first);
        let second = second.await;
        assert!(claims.try_claim("a").is_none());
        drop(second);
        assert!(claims.try_claim("a").is_some());
    }
}
