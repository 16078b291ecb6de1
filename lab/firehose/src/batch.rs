//! [`Batch`]: the form of a request, which holds several copies of a template.

use std::sync::Arc;

use bytes::{BufMut, BytesMut};
use thiserror::Error;

use crate::{Run, Template, TraceSlot, template::Patch};

/// An encoding of OTLP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Binary protobuf.
    Protobuf,
    /// OTLP/JSON.
    Json,
}

/// What stands before the message in the body of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// Nothing: OTLP/HTTP.
    Plain,
    /// The prefix of a gRPC message: "not compressed" and the length, in 5 bytes.
    Grpc,
}

/// The form of a request. Its bodies differ in ids and times alone.
#[derive(Clone, Debug)]
pub struct Batch {
    template: Arc<Template>,
    /// The number of the template, which is a part of the trace ids.
    number: u8,
    traces: usize,
    encoding: Encoding,
    /// A body whose ids and times are those of the template.
    body: Arc<[u8]>,
    /// Where the first copy begins in a body, and how far it is from one copy to the next.
    first: usize,
    step: usize,
}

/// Why a batch cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BatchError {
    /// Not a whole number of copies.
    #[error("{spans} spans are no whole number of traces of {each} spans; {} are", nearest(*spans, *each))]
    NotWhole {
        /// How many spans were asked for.
        spans: usize,
        /// How many spans the template has.
        each: usize,
    },
    /// JSON as a gRPC message.
    #[error("OTLP/gRPC is protobuf; JSON is sent by OTLP/HTTP")]
    JsonByGrpc,
    /// A gRPC message of 4 GiB or more.
    #[error("a request of {0} bytes is too long; a gRPC message has less than 4 GiB")]
    TooLong(usize),
}

const BEFORE: &[u8] = b"{\"resourceSpans\":[";
const AFTER: &[u8] = b"]}";

// === impl Batch ===

impl Batch {
    /// A request of `spans` spans, which must be a whole number of copies of the template.
    ///
    /// # Errors
    ///
    /// When it is not, or for JSON by gRPC, or when the request is too long.
    pub fn new(
        template: Arc<Template>,
        number: u8,
        spans: usize,
        encoding: Encoding,
        framing: Framing,
    ) -> Result<Batch, BatchError> {
        let each = template.spans();
        if spans == 0 || !spans.is_multiple_of(each) {
            return Err(BatchError::NotWhole { spans, each });
        }
        let traces = spans / each;
        let copy = template.piece(encoding).bytes();
        let mut body = Vec::new();
        let step = match (encoding, framing) {
            (Encoding::Json, Framing::Grpc) => return Err(BatchError::JsonByGrpc),
            (Encoding::Json, Framing::Plain) => {
                body.put_slice(BEFORE);
                body.extend(vec![copy; traces].join(&b','));
                body.put_slice(AFTER);
                copy.len() + 1
            }
            // Repeated fields of two encoded messages, one after the other, are those of one message
            // (protobuf.dev, "Last One Wins").
            (Encoding::Protobuf, framing) => {
                if framing == Framing::Grpc {
                    let length = copy.len() * traces;
                    let length = u32::try_from(length).map_err(|_| BatchError::TooLong(length))?;
                    body.put_u8(0);
                    body.put_u32(length);
                }
                body.extend(copy.repeat(traces));
                copy.len()
            }
        };
        let first = match (encoding, framing) {
            (Encoding::Json, _) => BEFORE.len(),
            (_, Framing::Plain) => 0,
            (_, Framing::Grpc) => 5,
        };
        Ok(Batch {
            template,
            number,
            traces,
            encoding,
            body: body.into(),
            first,
            step,
        })
    }

    /// A new body, whose ids and times are those of the template.
    pub fn body(&self) -> BytesMut {
        BytesMut::from(&*self.body)
    }

    /// Gives the traces of a body new ids: sequence numbers from `first` on. All of them start at `start_ns`,
    /// nanoseconds since the Unix epoch.
    ///
    /// # Panics
    ///
    /// When `body` is shorter than those that [`Batch::body`] makes.
    pub fn patch(&self, body: &mut [u8], run: Run, first: u64, start_ns: u64) {
        let piece = self.template.piece(self.encoding);
        for (sequence, trace) in (first..).zip(0..self.traces) {
            let trace_at = self.first + trace * self.step;
            let slot = TraceSlot {
                run,
                template: self.number,
                sequence,
            };
            piece.patch(
                &mut body[trace_at..],
                Patch {
                    trace: slot,
                    start_ns,
                },
            );
        }
    }

    /// The template of its traces.
    pub fn template(&self) -> &Template {
        &self.template
    }

    /// The encoding of its bodies.
    pub fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// How many traces a request has.
    pub fn traces(&self) -> usize {
        self.traces
    }

    /// How many spans a request has.
    pub fn spans(&self) -> usize {
        self.traces * self.template.spans()
    }

    /// How many bytes a body has, with the prefix of gRPC.
    pub fn bytes(&self) -> usize {
        self.body.len()
    }
}

/// The nearest number of spans that is a whole number of traces.
fn nearest(spans: usize, each: usize) -> usize {
    ((spans + each / 2) / each).max(1) * each
}
