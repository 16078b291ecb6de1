//! Durable exchanges, queues and messages in a SQLite file, so that they survive the process.
//!
//! One thread writes. It takes all waiting batches, writes them in one transaction, and then reports the last
//! stored batch: the more batches wait, the more share the cost of a commit. A batch is never dropped: if the
//! disk is full, the thread waits until there is room, and so do the confirms.

mod sql;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use amq_protocol::types::FieldTable;
use bytes::Bytes;
use plain::Plain;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};
use tracing::warn;

use crate::config::Sync;
use crate::copies;
use crate::exchange::{Destination, Kind, Settings};
use crate::journal::Batch;

use self::sql::{VERSION, lay_out, table, write};

/// The highest number of batches in one transaction, so that the first of them does not wait for ever.
const MOST_AT_ONCE: usize = 4096;

/// The pause after a failed write. Its usual cause is a full disk.
const PAUSE: Duration = Duration::from_secs(1);

/// Why the store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file cannot be opened, or is not a store of this broker.
    #[error(
        "cannot open the broker's store {}: {}; it must be a file in a folder that can be \
         written, made by a broker of this version",
        Plain(path.display()),
        Plain(why)
    )]
    Open {
        /// The file.
        path: PathBuf,
        /// The error of SQLite, which names the file.
        why: rusqlite::Error,
    },
    /// Another process uses the file.
    #[error(
        "the broker's store {} is in use by another process; each broker needs one of its own",
        Plain(path.display())
    )]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// Another version of the broker has made the file.
    #[error(
        "the broker's store {} has layout {found}, and this broker knows layout {VERSION}; give it \
         another file",
        Plain(path.display())
    )]
    Version {
        /// The file.
        path: PathBuf,
        /// The layout version of the file.
        found: i32,
    },
}

/// An open store file, before the first write.
#[derive(Debug)]
pub(crate) struct Store {
    path: PathBuf,
    connection: Connection,
}

/// The content that an earlier process has stored.
#[derive(Debug, Default)]
pub(crate) struct Remembered {
    pub(crate) exchanges: Vec<RememberedExchange>,
    pub(crate) queues: Vec<RememberedQueue>,
    pub(crate) bindings: Vec<RememberedBinding>,
    /// The messages, in the order of their arrival in their queues.
    pub(crate) messages: Vec<RememberedMessage>,
}

#[derive(Debug)]
pub(crate) struct RememberedExchange {
    pub(crate) name: String,
    pub(crate) settings: Settings,
}

#[derive(Debug)]
pub(crate) struct RememberedQueue {
    pub(crate) id: u64,
    pub(crate) name: Arc<str>,
    pub(crate) auto_delete: bool,
    pub(crate) arguments: FieldTable,
}

#[derive(Debug)]
pub(crate) struct RememberedBinding {
    pub(crate) exchange: String,
    pub(crate) to: Destination,
    pub(crate) key: String,
    pub(crate) arguments: FieldTable,
}

#[derive(Debug)]
pub(crate) struct RememberedMessage {
    pub(crate) id: u64,
    pub(crate) queue: Arc<str>,
    pub(crate) exchange: String,
    pub(crate) routing_key: String,
    pub(crate) header: Bytes,
    pub(crate) body: Bytes,
    pub(crate) expires_ms: Option<u64>,
    /// Its further routing keys, of `CC` and `BCC`.
    pub(crate) copies: Vec<String>,
}

/// The thread that writes.
#[derive(Debug)]
pub(crate) struct Writer {
    batches: mpsc::Sender<Batch>,
    thread: JoinHandle<()>,
}

// === impl Store ===

impl Store {
    /// Opens the file, or creates it.
    pub(crate) fn open(path: &Path, sync: Sync) -> Result<Self, StoreError> {
        let open = || {
            let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
                | OpenFlags::SQLITE_OPEN_CREATE
                | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            let connection = Connection::open_with_flags(path, flags)?;
            // No other process may write, even between two transactions.
            connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
            connection.pragma_update(None, "journal_mode", "WAL")?;
            connection.pragma_update(None, "synchronous", sync.pragma())?;
            let version: i32 =
                connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
            Ok((connection, version))
        };
        let failed = |source: rusqlite::Error| match source.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked) => {
                StoreError::InUse {
                    path: path.to_owned(),
                }
            }
            _ => StoreError::Open {
                path: path.to_owned(),
                why: source,
            },
        };
        let (mut connection, version) = open().map_err(failed)?;
        match version {
            VERSION => {}
            0 | 1 => lay_out(&mut connection, version).map_err(failed)?,
            found => {
                return Err(StoreError::Version {
                    path: path.to_owned(),
                    found,
                });
            }
        }
        // Removes messages of a queue that was deleted while a client still had some of its messages.
        connection
            .execute(
                "DELETE FROM messages WHERE queue NOT IN (SELECT id FROM queues)",
                [],
            )
            .map_err(failed)?;
        Ok(Self {
            path: path.to_owned(),
            connection,
        })
    }

    /// Reads the content that an earlier process has stored.
    pub(crate) fn remember(&self) -> Result<Remembered, StoreError> {
        self.read().map_err(|why| StoreError::Open {
            path: self.path.clone(),
            why,
        })
    }

    /// Starts the writing thread, which calls `committed` after each transaction with the last stored batch.
    pub(crate) fn write(self, committed: impl Fn(u64) + Send + 'static) -> Writer {
        let (batches, waiting) = mpsc::channel();
        let thread = std::thread::spawn(move || self.run(&waiting, committed));
        Writer { batches, thread }
    }

    fn read(&self) -> rusqlite::Result<Remembered> {
        let connection = &self.connection;
        let mut remembered = Remembered::default();
        let mut exchanges = connection
            .prepare("SELECT name, kind, auto_delete, internal, alternate FROM exchanges")?;
        let mut rows = exchanges.query([])?;
        while let Some(row) = rows.next()? {
            let kind: String = row.get(1)?;
            // The file has only names that this code wrote.
            if let Some(kind) = Kind::from_name(&kind) {
                remembered.exchanges.push(RememberedExchange {
                    name: row.get(0)?,
                    settings: Settings {
                        kind,
                        durable: true,
                        auto_delete: row.get(2)?,
                        internal: row.get(3)?,
                        alternate: row.get(4)?,
                    },
                });
            }
        }
        let mut names: HashMap<i64, Arc<str>> = HashMap::new();
        let mut queues =
            connection.prepare("SELECT id, name, auto_delete, arguments FROM queues")?;
        let mut rows = queues.query([])?;
        while let Some(row) = rows.next()? {
            let id: i64 = row.get(0)?;
            let name: Arc<str> = Arc::from(row.get::<_, String>(1)?);
            names.insert(id, Arc::clone(&name));
            remembered.queues.push(RememberedQueue {
                id: id.cast_unsigned(),
                name,
                auto_delete: row.get(2)?,
                arguments: table(row.get_ref(3)?.as_blob()?),
            });
        }
        let mut bindings =
            connection.prepare("SELECT exchange, queue, key, arguments FROM bindings")?;
        let mut rows = bindings.query([])?;
        while let Some(row) = rows.next()? {
            if let Some(queue) = names.get(&row.get(1)?) {
                remembered.bindings.push(RememberedBinding {
                    exchange: row.get(0)?,
                    to: Destination::Queue(Arc::clone(queue)),
                    key: row.get(2)?,
                    arguments: table(row.get_ref(3)?.as_blob()?),
                });
            }
        }
        let mut bindings = connection
            .prepare("SELECT exchange, destination, key, arguments FROM exchange_bindings")?;
        let mut rows = bindings.query([])?;
        while let Some(row) = rows.next()? {
            let destination = Arc::from(row.get::<_, String>(1)?);
            remembered.bindings.push(RememberedBinding {
                exchange: row.get(0)?,
                to: Destination::Exchange(destination),
                key: row.get(2)?,
                arguments: table(row.get_ref(3)?.as_blob()?),
            });
        }
        let mut messages = connection.prepare(
            "SELECT id, queue, exchange, routing_key, header, body, expires_ms, copies
             FROM messages ORDER BY id",
        )?;
        let mut rows = messages.query([])?;
        while let Some(row) = rows.next()? {
            let Some(queue) = names.get(&row.get(1)?) else {
                continue;
            };
            remembered.messages.push(RememberedMessage {
                id: row.get::<_, i64>(0)?.cast_unsigned(),
                queue: Arc::clone(queue),
                exchange: row.get(2)?,
                routing_key: row.get(3)?,
                header: Bytes::copy_from_slice(row.get_ref(4)?.as_blob()?),
                body: Bytes::copy_from_slice(row.get_ref(5)?.as_blob()?),
                expires_ms: row.get::<_, Option<i64>>(6)?.map(i64::cast_unsigned),
                // The file has only arrays of text that this code wrote.
                copies: copies::keys(&table(row.get_ref(7)?.as_blob()?)).unwrap_or_default(),
            });
        }
        Ok(remembered)
    }

    fn run(mut self, waiting: &mpsc::Receiver<Batch>, committed: impl Fn(u64)) {
        while let Ok(first) = waiting.recv() {
            let mut batches = vec![first];
            batches.extend(waiting.try_iter().take(MOST_AT_ONCE - 1));
            let mut failed = false;
            while let Err(error) = self.commit(&batches) {
                if !failed {
                    warn!(
                        "cannot write the broker's store {}: {error}; no durable message is \
                         confirmed until it can be written",
                        Plain(self.path.display())
                    );
                }
                failed = true;
                #[expect(
                    clippy::disallowed_methods,
                    reason = "the writer has a thread of its own"
                )]
                std::thread::sleep(PAUSE);
            }
            if failed {
                warn!(
                    "the broker's store {} is written again",
                    Plain(self.path.display())
                );
            }
            if let Some(last) = batches.last() {
                committed(last.ticket);
            }
        }
    }

    fn commit(&mut self, batches: &[Batch]) -> rusqlite::Result<()> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        for change in batches.iter().flat_map(|batch| &batch.changes) {
            write(&transaction, change)?;
        }
        transaction.commit()
    }
}

// === impl Writer ===

impl Writer {
    /// Sends a batch to the writing thread. It never waits.
    pub(crate) fn send(&self, batch: Batch) {
        // The thread ends only after this sender is dropped.
        let _ = self.batches.send(batch);
    }

    /// Waits until all batches are written.
    pub(crate) fn finish(self) {
        drop(self.batches);
        if self.thread.join().is_err() {
            warn!("the writer of the broker's store has failed");
        }
    }
}
