//! [`Lanes`]: the connections of a run, and new ones in the place of those that break.

use parking_lot::Mutex;
use tokio::sync::Mutex as AsyncMutex;

use super::Sent;
use crate::{ConnectError, Encoding, Packing, Target, send::connection::Connection};

/// The connections of a run.
pub(super) struct Lanes {
    target: Target,
    packing: Packing,
    all: Vec<AsyncMutex<Lane>>,
}

/// A connection, and how many there were in its place before.
struct Lane {
    connection: Option<Connection>,
    generation: u64,
}

/// The right to have one request in flight on a connection.
pub(super) struct Handle {
    pub(super) connection: Connection,
    lane: usize,
    generation: u64,
}

// === impl Lanes ===

impl Lanes {
    pub(super) async fn open(
        target: &Target,
        packing: Packing,
        connections: usize,
    ) -> Result<Lanes, ConnectError> {
        let mut all = Vec::with_capacity(connections);
        for _ in 0..connections {
            all.push(AsyncMutex::new(Lane {
                connection: Some(Connection::open(target, Encoding::Protobuf, packing).await?),
                generation: 0,
            }));
        }
        Ok(Lanes {
            target: target.clone(),
            packing,
            all,
        })
    }

    /// A handle of a connection. The connections of HTTP/1.1 have one each.
    pub(super) async fn handle(&self, lane: usize) -> Result<Handle, ConnectError> {
        let mut of = self.all[lane].lock().await;
        let connection = of.share();
        let connection = match connection {
            Some(connection) => connection,
            None => Connection::open(&self.target, Encoding::Protobuf, self.packing).await?,
        };
        Ok(Handle {
            connection,
            lane,
            generation: of.generation,
        })
    }

    /// Gives a handle whose connection broke another one.
    pub(super) async fn renew(
        &self,
        handle: &mut Handle,
        sent: &Mutex<Sent>,
    ) -> Result<(), ConnectError> {
        let mut of = self.all[handle.lane].lock().await;
        if of.generation == handle.generation {
            let new = Connection::open(&self.target, Encoding::Protobuf, self.packing).await?;
            of.connection = Some(new);
            of.generation += 1;
            sent.lock().reconnected += 1;
        }
        handle.generation = of.generation;
        if let Some(connection) = of.share() {
            handle.connection = connection;
        }
        Ok(())
    }
}

// === impl Lane ===

impl Lane {
    /// Another handle of the connection; the connection itself where it has one request at a time.
    fn share(&mut self) -> Option<Connection> {
        match self.connection.as_ref()?.again() {
            Some(again) => Some(again),
            None => self.connection.take(),
        }
    }
}
