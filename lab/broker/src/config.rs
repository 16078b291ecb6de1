//! What the operator may choose.

use std::path::PathBuf;
use std::time::Duration;

/// The limits of a broker.
///
/// The defaults suit a laboratory on one machine; they are those of RabbitMQ where it has the same
/// limit, save for the memory, of which a laboratory needs less.
#[derive(Debug, Clone)]
pub struct Config {
    /// Bytes of messages (headers, bodies, and a fixed overhead for each and its place in each queue) that may be held before
    /// publishers are blocked. They are let go below 80 % of it. A message that is already half
    /// received may still come in, up to twice the limit.
    pub memory_limit: usize,
    /// The heartbeat interval that is suggested to clients; the client decides. Zero: none.
    pub heartbeat: Duration,
    /// The largest frame, in octets, that is accepted and sent. At least 4096 (AMQP 0-9-1, 4.2.3).
    pub frame_max: u32,
    /// The highest channel number that a connection may open.
    pub channel_max: u16,
    /// The largest body of a message, in octets.
    pub max_message_bytes: usize,
    /// The file in which durable exchanges, durable queues and persistent messages are kept. Without
    /// one nothing survives the process.
    pub store: Option<PathBuf>,
    /// What a confirmed message in the store survives.
    pub sync: Sync,
}

/// What a confirmed message survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sync {
    /// The end of the process, however it comes: the operating system has the message.
    #[default]
    Process,
    /// The end of the machine too: the disk has the message (`fsync`).
    Machine,
}

// === impl Sync ===

impl Sync {
    /// SQLite's word for it, with a write-ahead log.
    pub(crate) fn pragma(self) -> &'static str {
        match self {
            Self::Process => "NORMAL",
            Self::Machine => "FULL",
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            memory_limit: 64 << 20,
            heartbeat: Duration::from_secs(60),
            frame_max: 128 << 10,
            channel_max: 2047,
            max_message_bytes: 16 << 20,
            store: None,
            sync: Sync::default(),
        }
    }
}
