//! [`Brake`]: makes a load wait.

use tokio::sync::watch;

/// Makes the journeys of a load wait: while it is on, no journey starts, and running journeys are finished.
/// Clones share one state.
#[derive(Clone, Debug)]
pub struct Brake(watch::Sender<bool>);

// === impl Brake ===

impl Default for Brake {
    /// A brake that is off.
    fn default() -> Brake {
        Brake(watch::Sender::new(false))
    }
}

impl Brake {
    /// Puts the brake on or takes it off. Returns whether that changed anything.
    pub fn set(&self, is_on: bool) -> bool {
        self.0.send_if_modified(|was_on| {
            let changes = *was_on != is_on;
            *was_on = is_on;
            changes
        })
    }

    /// Waits until the brake is off.
    pub(crate) async fn is_off(&self) {
        // An error would say that the sender is gone; it is `self`.
        let _ = self.0.subscribe().wait_for(|is_on| !is_on).await;
    }
}
