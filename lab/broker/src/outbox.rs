//! [`Outbox`]: the data for one client, and the task that sends it.
//!
//! It is bounded: deliveries stop while it is full and start again when it drains ([`Outbox::has_room`]), and
//! the client's requests are not read while it holds too many replies ([`Outbox::replies_fit`]). So a client
//! that reads slowly costs a fixed amount of memory. The outbox must not know the meaning of what it sends.

use std::time::Duration;

use amq_protocol::protocol::AMQPClass;
use parking_lot::{Mutex, MutexGuard};
use tokio::io::AsyncWriteExt;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::wire;

/// The number of waiting octets above which no further message is delivered.
const DELIVERIES_STOP_AT: usize = 256 << 10;
/// The number of waiting octets above which the client's requests are not read.
const READING_STOPS_AT: usize = 1 << 20;

/// The octets for one client, in order.
#[derive(Debug)]
pub(crate) struct Outbox {
    pending: Mutex<Pending>,
    /// The size of the largest frame that the client accepts, in octets.
    frame_max: u32,
    /// Notified when octets were added, or the outbox was closed.
    filled: Notify,
    /// Notified when octets were sent, or sending failed.
    drained: Notify,
}

#[derive(Debug, Default)]
struct Pending {
    octets: Vec<u8>,
    /// The number of octets that the sending task has taken and not yet written.
    in_flight: usize,
    /// Whether a delivery was held back for lack of room.
    is_awaited: bool,
    /// Whether nothing will be added any more.
    is_closed: bool,
    /// Whether the client is gone: added octets are dropped.
    is_broken: bool,
}

// === impl Outbox ===

impl Outbox {
    pub(crate) fn new(frame_max: u32) -> Self {
        Self {
            pending: Mutex::default(),
            frame_max,
            filled: Notify::new(),
            drained: Notify::new(),
        }
    }

    /// Adds a method.
    pub(crate) fn send(&self, channel: u16, method: AMQPClass) {
        self.add(|octets| wire::encode_method(octets, channel, method));
    }

    /// Adds a method with the message that belongs to it.
    pub(crate) fn send_message(&self, channel: u16, method: AMQPClass, header: &[u8], body: &[u8]) {
        self.add(|octets| {
            wire::encode_method(octets, channel, method);
            wire::encode_content(octets, channel, header, body, self.frame_max);
        });
    }

    /// Whether a message may be delivered; if not, [`run`] reports when there is room again.
    pub(crate) fn has_room(&self) -> bool {
        let mut pending = self.lock();
        let has_room = pending.len() < DELIVERIES_STOP_AT && !pending.is_broken;
        pending.is_awaited |= !has_room;
        has_room
    }

    /// Waits until the client has received enough replies that its next requests may be read.
    pub(crate) async fn replies_fit(&self) {
        self.drained_until(|pending| pending.len() < READING_STOPS_AT || pending.is_broken)
            .await;
    }

    /// Waits until the client is known to be gone.
    pub(crate) async fn broken(&self) {
        self.drained_until(|pending| pending.is_broken).await;
    }

    /// Closes the outbox; [`run`] ends when everything is sent.
    pub(crate) fn close(&self) {
        self.lock().is_closed = true;
        self.filled.notify_one();
    }

    fn add(&self, encode: impl FnOnce(&mut Vec<u8>)) {
        let mut pending = self.lock();
        if pending.is_broken || pending.is_closed {
            return;
        }
        encode(&mut pending.octets);
        drop(pending);
        self.filled.notify_one();
    }

    async fn drained_until(&self, condition: impl Fn(&Pending) -> bool) {
        loop {
            let drained = self.drained.notified();
            tokio::pin!(drained);
            // Registered before the condition is read, so that no wake-up in between is lost.
            drained.as_mut().enable();
            if condition(&self.lock()) {
                return;
            }
            drained.await;
        }
    }

    /// Waits for the next octets to write; `None` when the outbox is closed and everything is sent.
    async fn next(&self) -> Option<Vec<u8>> {
        loop {
            {
                let mut pending = self.lock();
                if !pending.octets.is_empty() {
                    let octets = std::mem::take(&mut pending.octets);
                    pending.in_flight = octets.len();
                    return Some(octets);
                }
                if pending.is_closed {
                    return None;
                }
            }
            self.filled.notified().await;
        }
    }

    /// Notes that the octets of [`Self::next`] are written. Returns whether a delivery waits for room.
    fn written(&self) -> bool {
        let mut pending = self.lock();
        pending.in_flight = 0;
        let is_awaited = pending.is_awaited && pending.len() < DELIVERIES_STOP_AT;
        pending.is_awaited &= !is_awaited;
        drop(pending);
        self.drained.notify_waiters();
        is_awaited
    }

    fn give_up(&self) {
        let mut pending = self.lock();
        pending.is_broken = true;
        pending.octets = Vec::new();
        drop(pending);
        self.drained.notify_waiters();
    }

    fn lock(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock()
    }
}

// === impl Pending ===

impl Pending {
    fn len(&self) -> usize {
        self.octets.len() + self.in_flight
    }
}

/// Sends the outbox until it is closed or the client is gone, and a heartbeat whenever nothing was sent for
/// half an interval. Calls `has_room` when deliveries may continue. Returns the socket when everything is sent;
/// it is shut down when that is dropped.
pub(crate) async fn run(
    outbox: &Outbox,
    mut socket: OwnedWriteHalf,
    heartbeat: Option<Duration>,
    has_room: impl Fn(),
) -> std::io::Result<OwnedWriteHalf> {
    let written = async {
        let mut last_sent = Instant::now();
        loop {
            let octets = tokio::select! {
                octets = outbox.next() => match octets {
                    Some(octets) => octets,
                    None => break,
                },
                () = silence(heartbeat, last_sent) => {
                    let mut octets = Vec::new();
                    wire::encode_heartbeat(&mut octets);
                    octets
                }
            };
            socket.write_all(&octets).await?;
            last_sent = Instant::now();
            if outbox.written() {
                has_room();
            }
        }
        Ok(socket)
    }
    .await;
    outbox.give_up();
    written
}

/// Ends when half a heartbeat interval has passed since `last_sent`; never without heartbeats.
async fn silence(heartbeat: Option<Duration>, last_sent: Instant) {
    match heartbeat {
        Some(interval) => tokio::time::sleep_until(last_sent + interval / 2).await,
        None => std::future::pending().await,
    }
}
