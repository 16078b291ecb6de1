//! The broker that all connections share: its state behind one mutex, its memory, its timer.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::time::Instant;

use crate::config::Config;
use crate::memory::Memory;
use crate::state::State;

/// What connections share.
#[derive(Debug)]
pub(crate) struct Broker {
    state: Mutex<State>,
    pub(crate) memory: Memory,
    pub(crate) config: Config,
}

impl Broker {
    pub(crate) fn new(config: Config) -> Self {
        let memory = Memory::new(config.memory_limit);
        Self {
            state: Mutex::new(State::new(memory.clone())),
            memory,
            config,
        }
    }

    /// Does something to the state, and lets what follows from it happen. Nothing in it waits.
    pub(crate) fn with<T>(&self, operation: impl FnOnce(&mut State, Instant) -> T) -> T {
        // One connection's panic must not end the service of the others.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let result = operation(&mut state, now);
        state.settle(now);
        result
    }

    /// Lets messages and queues die when their time has come. Never ends.
    pub(crate) async fn keep_time(&self) {
        let changed = self.with(|state, _| Arc::clone(&state.first_deadline_changed));
        loop {
            let next = self.with(|state, now| {
                state.expire(now);
                state.first_deadline()
            });
            match next {
                Some(at) => tokio::select! {
                    () = tokio::time::sleep_until(at) => {}
                    () = changed.notified() => {}
                },
                None => changed.notified().await,
            }
        }
    }
}
