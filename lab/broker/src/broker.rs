//! [`Broker`]: what all connections share: the state behind one mutex, the memory, the timer, the store.

use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};
use tokio::time::Instant;

use crate::config::Config;
use crate::halves::Halves;
use crate::journal::Journal;
use crate::memory::Memory;
use crate::state::State;
use crate::store::{Store, StoreError, Writer};

/// What the connections share.
#[derive(Debug)]
pub(crate) struct Broker {
    state: Mutex<State>,
    journal: Journal,
    /// The thread that writes the journal to the store; `None` without a store.
    writer: Mutex<Option<Writer>>,
    pub(crate) memory: Memory,
    pub(crate) halves: Halves,
    pub(crate) config: Config,
}

impl Broker {
    /// Opens a broker with the content of its store.
    pub(crate) fn open(config: Config) -> Result<Arc<Self>, StoreError> {
        let memory = Memory::new(config.memory_limit);
        let Some(path) = &config.store else {
            let state = State::new(memory.clone(), Journal::unkept());
            return Ok(Self::new(state, memory, config));
        };
        let store = Store::open(path, config.sync)?;
        let remembered = store.remember()?;
        let last_id = remembered.messages.last().map_or(0, |message| message.id);
        let mut state = State::new(memory.clone(), Journal::kept(last_id));
        state.restore(remembered, Instant::now());

        let broker = Self::new(state, memory, config);
        let told = Arc::downgrade(&broker);
        let writer = store.write(move |ticket| {
            if let Some(broker) = told.upgrade() {
                broker.with(|state, _| state.stored(ticket));
            }
        });
        *lock(&broker.writer) = Some(writer);
        Ok(broker)
    }

    fn new(state: State, memory: Memory, config: Config) -> Arc<Self> {
        Arc::new(Self {
            journal: state.journal.clone(),
            state: Mutex::new(state),
            writer: Mutex::default(),
            memory,
            halves: Halves::new(config.memory_limit),
            config,
        })
    }

    /// Writes the last changes to the store, and then stops the journal: everything that is stored stays
    /// stored.
    pub(crate) fn close(&self) {
        self.with(|_, _| self.journal.close());
        let writer = lock(&self.writer).take();
        if let Some(writer) = writer {
            writer.finish();
        }
    }

    /// Executes an operation on the state, and everything that follows from it. Nothing in it waits.
    pub(crate) fn with<T>(&self, operation: impl FnOnce(&mut State, Instant) -> T) -> T {
        let mut state = lock(&self.state);
        let now = Instant::now();
        let result = operation(&mut state, now);
        state.settle(now);
        // The batch is sent before the state can change again, so batches are in the order of the changes.
        if let Some(batch) = self.journal.take()
            && let Some(writer) = &*lock(&self.writer)
        {
            writer.send(batch);
        }
        result
    }

    /// Expires messages and queues at their deadlines. Never returns.
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

/// Locks the mutex. A panic of one connection must not end the service of the others.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock()
}
