//! Receives the body of a request, of either protocol: within the room that there is, and within a time.

use std::time::Duration;

use axum::body::Body;
use bytes::{Buf as _, Bytes, BytesMut};
use http_body_util::BodyExt as _;
use otlp::{Compression, Failure};

use crate::{
    Store,
    room::{NoRoom, Room, Share},
};

/// What both protocols need to receive a body.
#[derive(Clone, Debug)]
pub(crate) struct Intake {
    pub(crate) room: Room,
    pub(crate) retry_after: Duration,
    most: usize,
    timeout: Duration,
}

/// Why a body was not received.
#[derive(Debug)]
pub(crate) enum NotReceived {
    /// There is no room for it now; it may be sent again.
    NoRoom,
    /// It has more than this number of bytes, as it is sent or unpacked.
    TooLarge(usize),
    /// It did not arrive within this time.
    Late(Duration),
    /// It ended too early.
    BrokenOff(String),
    /// It is not packed as it says.
    Packed(String),
}

/// A body that is being received.
pub(crate) struct Incoming {
    body: Body,
    first: Bytes,
    rest: BytesMut,
    share: Share,
    most: usize,
}

/// The bytes of a body for which memory is taken in advance at most.
const AHEAD: usize = 1 << 20;

// === impl Intake ===

impl Intake {
    pub(crate) fn new(store: &Store) -> Intake {
        let config = store.config();
        Intake {
            room: store.room().clone(),
            retry_after: config.retry_after,
            most: config.max_request_bytes,
            timeout: config.request_timeout,
        }
    }

    /// Begins to receive a body whose length is said to be `declared`. One that is too long, or for which there is
    /// no room, is refused here, before it is read.
    pub(crate) fn open(&self, body: Body, declared: Option<u64>) -> Result<Incoming, NotReceived> {
        self.admit(declared)?;
        Ok(Incoming {
            body,
            first: Bytes::new(),
            rest: BytesMut::new(),
            share: self.room.share(),
            most: self.most,
        })
    }

    /// Whether a body of this length may come.
    pub(crate) fn admit(&self, declared: Option<u64>) -> Result<(), NotReceived> {
        let declared = usize::try_from(declared.unwrap_or(0)).unwrap_or(usize::MAX);
        if declared > self.most {
            return Err(NotReceived::TooLarge(self.most));
        }
        match self.room.would_fit(declared) {
            true => Ok(()),
            false => Err(NotReceived::NoRoom),
        }
    }

    /// Bounds the time for a body to arrive: a slow sender must not keep its room for ever.
    pub(crate) async fn in_time<T>(
        &self,
        receiving: impl Future<Output = Result<T, NotReceived>>,
    ) -> Result<T, NotReceived> {
        let received = tokio::time::timeout(self.timeout, receiving).await;
        received.unwrap_or(Err(NotReceived::Late(self.timeout)))
    }

    /// The plain bytes of a packed body. Their room is taken before they are unpacked.
    pub(crate) fn unpack(
        &self,
        compression: Compression,
        packed: Bytes,
        share: &mut Share,
    ) -> Result<Bytes, NotReceived> {
        let mut full = false;
        let plain = compression.decompress(packed, self.most, |more| {
            full = share.grow(more).is_err();
            !full
        });
        plain.map_err(|failure| match failure {
            _ if full => NotReceived::NoRoom,
            Failure::TooLarge => NotReceived::TooLarge(self.most),
            Failure::Malformed(error) => {
                NotReceived::Packed(format!("the body is no {compression:?}: {error}"))
            }
        })
    }
}

// === impl Incoming ===

impl Incoming {
    /// Receives the first bytes; fewer are there if the body ends before.
    pub(crate) async fn first(&mut self, bytes: usize) -> Result<Bytes, NotReceived> {
        while self.len() < bytes && self.more(bytes as u64).await? {}
        self.contiguous();
        Ok(self.first.slice(..bytes.min(self.first.len())))
    }

    /// Receives all of it. `expected` is how many bytes there will be, as far as is known.
    pub(crate) async fn all(mut self, expected: u64) -> Result<(Bytes, Share), NotReceived> {
        while self.more(expected).await? {}
        self.contiguous();
        Ok((self.first, self.share))
    }

    fn len(&self) -> usize {
        self.first.len() + self.rest.len()
    }

    /// Receives the next piece; `false` at the end.
    async fn more(&mut self, expected: u64) -> Result<bool, NotReceived> {
        let Some(frame) = self.body.frame().await else {
            return Ok(false);
        };
        let frame = frame.map_err(|error| {
            NotReceived::BrokenOff(format!("the body ended too early: {error}"))
        })?;
        let Ok(data) = frame.into_data() else {
            return Ok(true);
        };
        if self.len() + data.len() > self.most + PREFIX {
            return Err(NotReceived::TooLarge(self.most));
        }
        self.share.grow(data.len())?;
        if self.len() == 0 {
            self.first = data;
            return Ok(true);
        }
        if !self.first.is_empty() {
            let expected = usize::try_from(expected).unwrap_or(AHEAD);
            let ahead = expected.min(AHEAD).max(self.first.len() + data.len());
            self.rest.reserve(ahead);
            self.rest.extend_from_slice(&self.first);
            self.first.advance(self.first.len());
        }
        self.rest.extend_from_slice(&data);
        Ok(true)
    }

    fn contiguous(&mut self) {
        if !self.rest.is_empty() && self.first.is_empty() {
            self.first = std::mem::take(&mut self.rest).freeze();
        }
    }
}

/// The bytes before a message of gRPC: whether it is packed, and its length.
pub(crate) const PREFIX: usize = 5;

impl From<NoRoom> for NotReceived {
    fn from(_: NoRoom) -> NotReceived {
        NotReceived::NoRoom
    }
}
