//! [`Gate`]: limits the number of requests that are received and decoded at the same time.
//!
//! It stands before the decoders, so that a refused request costs only the reading of its header.

use std::{sync::Arc, time::Duration};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::Config;

/// Shared by both protocols, since they share the memory.
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

    /// Takes a place, if one is free. The place is free again when the result is dropped.
    pub(crate) fn enter(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.places).try_acquire_owned().ok()
    }
}
