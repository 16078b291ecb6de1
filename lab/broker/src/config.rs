//! [`Config`]: the settings of a broker.

use std::path::PathBuf;
use std::time::Duration;

/// The limits of a broker.
///
/// The defaults suit a laboratory on one machine. They are RabbitMQ's defaults where RabbitMQ has the same
/// limit, except for the memory, of which a laboratory needs less.
#[derive(Debug, Clone)]
pub struct Config {
    /// The memory limit in bytes. It counts messages (headers, bodies, and a fixed overhead for each message
    /// and for its place in each queue), exchanges, queues, bindings and consumers. Above the limit publishers
    /// are blocked, until less than 80 % of it is used. Above twice the limit no exchange, queue, binding or
    /// consumer is added. Half received messages are counted apart, and block no publisher: together they may
    /// take as much again; if they take more, the connection whose half received messages have held the most
    /// for the longest time is closed. Each connection may always hold 64 KiB of them.
    pub memory_limit: usize,
    /// The heartbeat interval that is suggested to clients; the client decides. Zero: no heartbeats.
    pub heartbeat: Duration,
    /// The size of the largest frame, in octets, that is accepted and sent. At least 4096 (AMQP 0-9-1,
    /// 4.2.3).
    pub frame_max: u32,
    /// The highest channel number that a connection may open.
    pub channel_max: u16,
    /// The largest body of a message, in octets.
    pub max_message_bytes: usize,
    /// The file for durable exchanges, durable queues and persistent messages. Without a file nothing
    /// survives the process.
    pub store: Option<PathBuf>,
    /// The failure that a confirmed message in the store survives.
    pub sync: Sync,
}

/// The failure that a confirmed message survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sync {
    /// Any end of the process: the operating system has the message.
    #[default]
    Process,
    /// A crash of the machine too: the disk has the message (`fsync`).
    Machine,
}

// === impl Sync ===

impl Sync {
    /// The value of SQLite's `synchronous` pragma, for a database with a write-ahead log.
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
