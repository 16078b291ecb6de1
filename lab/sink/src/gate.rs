//! The gate: how many requests may be received and decoded at once.
//!
//! It stands before the decoders, so that what overload costs is a header, not a request.

use std::{sync::Arc, time::Duration};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::Config;

/// Shared by both protocols: they share the memory too.
#[derive(Clone, Debug)]
pub(crate) struct Gate {
    places: Arc<Semaphore>,
    pub(crate) retry_after: Duration,
    pub(crate) request_timeout: Duration,
}

impl Gate {
    pub(crate) fn new(config: &Config) -> Gate {
        Gate {
            places: Arc::new(Semaphore::new(config.max_in_flight)),
            retry_after: config.retry_after,
            request_timeout: config.request_timeout,
        }
    }

    /// A place, if there is one now. It is free again when what this gives is dropped.
    pub(crate) fn enter(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.places).try_acquire_owned().ok()
    }
}
