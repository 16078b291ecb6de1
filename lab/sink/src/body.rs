//! Receives the body of a request, of either protocol: within the room that there is, and within a time.

use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http_body_util::BodyExt as _;
use otlp::{Compression, Failure};
use tokio::time::{Instant, timeout_at};

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
    stalled_after: Duration,
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
///
/// Its first piece stands in memory as it came. With the second one it takes memory for all the bytes that it says it
/// has, once: a buffer that grows leaves gaps behind that others cannot use, and bodies that are begun and never
/// finished are work for nothing. So it must go on: one that does not gives way to others.
pub(crate) struct Incoming {
    body: Body,
    first: Bytes,
    rest: Vec<u8>,
    share: Share,
    most: usize,
    /// So long it waits for room before it is refused, unread.
    patience: Duration,
    stalled_after: Duration,
    last_look: Look,
}

/// How far a body had come when it was last looked at.
struct Look {
    at: Instant,
    come: usize,
    /// The number of refusals until then.
    refusals: u64,
}

/// A body of which fewer bytes have come in a while does not go on.
const SLOW: usize = 64 << 10;

// === impl Intake ===

impl Intake {
    pub(crate) fn new(store: &Store) -> Intake {
        let config = store.config();
        Intake {
            room: store.room().clone(),
            retry_after: config.retry_after,
            most: config.max_request_bytes,
            timeout: config.request_timeout,
            stalled_after: config.stalled_after,
        }
    }

    /// Begins to receive a body whose length is said to be `declared`. One that is too long is refused here, before it is
    /// read.
    pub(crate) fn open(&self, body: Body, declared: Option<u64>) -> Result<Incoming, NotReceived> {
        self.admit(declared)?;
        Ok(Incoming {
            body,
            first: Bytes::new(),
            rest: Vec::new(),
            share: self.room.share(),
            most: self.most,
            // Who would be told to come again by then may as well wait.
            patience: self.retry_after,
            stalled_after: self.stalled_after,
            last_look: Look {
                at: Instant::now(),
                come: 0,
                refusals: self.room.refusals(),
            },
        })
    }

    /// Whether a body of this length may come.
    pub(crate) fn admit(&self, declared: Option<u64>) -> Result<(), NotReceived> {
        let declared = usize::try_from(declared.unwrap_or(0)).unwrap_or(usize::MAX);
        if declared > self.most {
            return Err(NotReceived::TooLarge(self.most));
        }
        Ok(())
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
    /// Receives the first bytes. If the body ends before, the error is the number of bytes that it has.
    pub(crate) async fn first<const N: usize>(
        &mut self,
    ) -> Result<Result<[u8; N], usize>, NotReceived> {
        while self.len() < N && self.more(None).await? {}
        let come = self.first.iter().chain(&self.rest);
        let mut first = [0; N];
        let there = first.iter_mut().zip(come).map(|(to, from)| *to = *from);
        Ok(match there.count() {
            there if there < N => Err(there),
            _ => Ok(first),
        })
    }

    /// Receives all of it. `expected` is how many bytes there will be, if that is known.
    pub(crate) async fn all(
        mut self,
        expected: Option<usize>,
    ) -> Result<(Bytes, Share), NotReceived> {
        while self.more(expected).await? {}
        let whole = match self.rest.is_empty() {
            true => self.first,
            false => self.rest.into(),
        };
        self.share.uses(whole.len());
        Ok((whole, self.share))
    }

    fn len(&self) -> usize {
        self.first.len() + self.rest.len()
    }

    /// Receives the next piece; `false` at the end.
    async fn more(&mut self, expected: Option<usize>) -> Result<bool, NotReceived> {
        let frame = loop {
            let until = self.last_look.at + self.stalled_after;
            match timeout_at(until, self.body.frame()).await {
                Ok(frame) => break frame,
                Err(_) => self.look(until)?,
            }
        };
        let Some(frame) = frame else {
            return Ok(false);
        };
        let frame = frame.map_err(|error| {
            NotReceived::BrokenOff(format!("the body ended too early: {error}"))
        })?;
        let Ok(data) = frame.into_data() else {
            return Ok(true);
        };
        let come = self.len() + data.len();
        if come > self.most + PREFIX {
            return Err(NotReceived::TooLarge(self.most));
        }
        if self.len() == 0 {
            self.share.grow_to(come, self.patience).await?;
            self.first = data;
            return Ok(true);
        }
        self.reserve(come, expected).await?;
        self.rest
            .extend_from_slice(&std::mem::take(&mut self.first));
        self.rest.extend_from_slice(&data);
        Ok(true)
    }

    /// Whether the body may stay: it has gone on since it was last looked at, or nobody else wanted its room.
    fn look(&mut self, at: Instant) -> Result<(), NoRoom> {
        let now = Look {
            at,
            come: self.len(),
            refusals: self.share.room().refusals(),
        };
        let last = std::mem::replace(&mut self.last_look, now);
        let is_slow = self.last_look.come - last.come < SLOW;
        match is_slow && self.last_look.refusals > last.refusals {
            true => Err(NoRoom),
            false => Ok(()),
        }
    }

    /// Takes memory for all the bytes that there will be, so far as that is known, and for those that have come at
    /// least; and room for as many once more, which what is made of them will need. A body that has come and then finds
    /// no room was work for nothing.
    async fn reserve(&mut self, come: usize, expected: Option<usize>) -> Result<(), NoRoom> {
        if come <= self.rest.capacity() {
            return Ok(());
        }
        let expected = expected.filter(|expected| *expected >= come);
        let capacity = expected.unwrap_or_else(|| (2 * come).min(self.most + PREFIX));
        self.share.grow_to(2 * capacity, self.patience).await?;
        self.rest.reserve_exact(capacity - self.rest.len());
        Ok(())
    }
}

/// The bytes before a message of gRPC: whether it is packed, and its length.
pub(crate) const PREFIX: usize = 5;

impl From<NoRoom> for NotReceived {
    fn from(_: NoRoom) -> NotReceived {
        NotReceived::NoRoom
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    use std::convert::Infallible;

    use super::*;
    use crate::Config;

    /// What receives within a room of so many bytes.
    fn intake(room: usize) -> Intake {
        Intake::new(&Store::new(Config {
            max_in_flight_bytes: room,
            ..Config::default()
        }))
    }

    fn in_pieces(pieces: &'static [&'static str]) -> Body {
        let pieces = pieces.iter();
        let pieces = pieces.map(|piece| Ok::<_, Infallible>(Bytes::from_static(piece.as_bytes())));
        Body::from_stream(tokio_stream::iter(pieces))
    }

    #[tokio::test]
    async fn the_pieces_come_together_whatever_their_length_is_said_to_be() {
        let intake = intake(100);
        for pieces in [
            &["a message"][..],
            &["a ", "mess", "age"],
            &["a", " ", "message"],
        ] {
            for expected in [None, Some(3), Some(9), Some(20)] {
                let mut incoming = intake.open(in_pieces(pieces), None).unwrap();
                assert_eq!(incoming.first().await.unwrap(), Ok(*b"a me"));
                let (whole, share) = incoming.all(expected).await.unwrap();
                assert_eq!(whole, "a message");
                assert!((9..=40).contains(&intake.room.used()), "{expected:?}");
                drop(share);
                assert_eq!(intake.room.used(), 0);
            }
        }
        let mut short = intake.open(in_pieces(&["a ", "b"]), None).unwrap();
        assert_eq!(short.first::<4>().await.unwrap(), Err(3));
        let none = intake.open(in_pieces(&[]), None).unwrap();
        assert_eq!(none.all(None).await.unwrap().0, "");
    }

    #[tokio::test]
    async fn a_body_takes_room_for_all_of_it_with_its_second_piece() {
        let intake = intake(200);
        let mut incoming = intake
            .open(in_pieces(&["one", "two", "six"]), None)
            .unwrap();
        assert!(incoming.more(Some(60)).await.unwrap());
        assert_eq!(intake.room.used(), 3);
        assert!(incoming.more(Some(60)).await.unwrap());
        assert_eq!(intake.room.used(), 120);
        let mut other = intake.open(in_pieces(&["one", "two"]), None).unwrap();
        assert!(other.more(Some(41)).await.unwrap());
        let refused = other.more(Some(41)).await.unwrap_err();
        assert!(matches!(refused, NotReceived::NoRoom), "{refused:?}");
        assert!(incoming.more(Some(60)).await.unwrap());
        assert_eq!(
            intake.room.used(),
            123,
            "with that of the one that was refused"
        );
    }
}
