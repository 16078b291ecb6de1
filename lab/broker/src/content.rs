//! Assembles a published message from its frames: method, header, bodies (AMQP 0-9-1, 4.2.6).
//!
//! It must not know queues or connections; it knows the order in which frames must arrive.

use amq_protocol::protocol::basic;
use bytes::Bytes;

use crate::halves::{Account, Half, Overdrawn};
use crate::reply_code::{Refusal, ReplyCode};
use crate::wire::{BASIC_CLASS, ContentHeader};

/// A message that is not complete yet.
#[derive(Debug)]
pub(crate) struct Partial {
    publish: basic::Publish,
    progress: Progress,
}

#[derive(Debug)]
enum Progress {
    HeaderAwaited,
    BodyAwaited {
        header: ContentHeader,
        body: Vec<u8>,
        held: Half,
    },
}

/// A complete message as it was received.
#[derive(Debug)]
pub(crate) struct Content {
    pub(crate) publish: basic::Publish,
    pub(crate) header: ContentHeader,
    pub(crate) body: Bytes,
}

/// The result of a frame for a message.
#[derive(Debug)]
pub(crate) enum Step {
    More(Partial),
    Whole(Content),
}

impl Partial {
    pub(crate) fn new(publish: basic::Publish) -> Self {
        Self {
            publish,
            progress: Progress::HeaderAwaited,
        }
    }

    /// Accepts the header frame.
    pub(crate) fn header(
        self,
        header: ContentHeader,
        account: &Account,
        limit: usize,
    ) -> Result<Step, Refusal> {
        if !matches!(self.progress, Progress::HeaderAwaited) {
            return Err(self.interrupted());
        }
        if header.class != BASIC_CLASS {
            let text = format!(
                "expected content header for class {BASIC_CLASS}, got one for class {} instead",
                header.class
            );
            return Err(self.unexpected(text));
        }
        if header.body_size > limit as u64 {
            let text = format!(
                "message size {} is larger than configured max size {limit}",
                header.body_size
            );
            return Err(
                Refusal::new(ReplyCode::PreconditionFailed, text).caused_by(BASIC_CLASS, PUBLISH)
            );
        }
        let held = account.begin(header.payload.len())?;
        Ok(Self {
            publish: self.publish,
            progress: Progress::BodyAwaited {
                header,
                body: Vec::new(),
                held,
            },
        }
        .step())
    }

    /// Accepts a body frame.
    pub(crate) fn body(mut self, piece: &[u8]) -> Result<Step, Refusal> {
        let Progress::BodyAwaited { header, body, held } = &mut self.progress else {
            return Err(self.interrupted());
        };
        let length = body.len() + piece.len();
        if length as u64 > header.body_size {
            let text = format!(
                "content body is longer than the {} octets of its header",
                header.body_size
            );
            return Err(self.unexpected(text));
        }
        if length > body.capacity() {
            // Room for twice as much, so that a body in many frames is not copied for each; never more than the
            // body, so that all that is reserved is used and counted.
            let whole = usize::try_from(header.body_size).unwrap_or(usize::MAX);
            let capacity = length.max(body.capacity() * 2).min(whole);
            held.grow(capacity - body.capacity())?;
            body.reserve_exact(capacity - body.len());
        }
        body.extend_from_slice(piece);
        Ok(self.step())
    }

    /// The refusal of a frame that arrived in the middle of this message.
    pub(crate) fn interrupted(&self) -> Refusal {
        let text = match self.progress {
            Progress::HeaderAwaited => {
                "expected content header for class 60, got non content header frame instead"
                    .to_owned()
            }
            Progress::BodyAwaited { .. } => {
                "expected content body, got non content body frame instead".to_owned()
            }
        };
        self.unexpected(text)
    }

    fn unexpected(&self, text: String) -> Refusal {
        Refusal::new(ReplyCode::UnexpectedFrame, text).caused_by(BASIC_CLASS, PUBLISH)
    }

    fn step(self) -> Step {
        match self.progress {
            Progress::BodyAwaited { header, body, .. } if body.len() as u64 == header.body_size => {
                Step::Whole(Content {
                    publish: self.publish,
                    header,
                    body: Bytes::from(body),
                })
            }
            _ => Step::More(self),
        }
    }
}

/// The method id of `basic.publish`.
const PUBLISH: u16 = 40;

impl From<Overdrawn> for Refusal {
    fn from(_: Overdrawn) -> Self {
        let text = "no memory for the rest of a message; of all half-sent messages, those of this \
                    connection hold the most for the longest time";
        Self::new(ReplyCode::ResourceError, text).caused_by(BASIC_CLASS, PUBLISH)
    }
}
