//! [`Workload`]: what a run sends, as data. With it a generator makes the same spans again, and a receiver on another
//! machine knows them all.

use serde::{Deserialize, Serialize};
use thiserror::Error;
use trace::{Span, Status, StatusCode, otlp};

use crate::{Encoded, Run, TemplateError};

/// What a run sends. All chance in it comes from `seed`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Workload {
    /// The number of the run, which is a part of each trace id: see [`Run::new`].
    pub run: u32,
    /// Chooses the order of the shapes, and which traces and requests are special.
    pub seed: u64,
    /// The traces.
    pub shapes: Vec<Shape>,
    /// How many spans a request has: the first, the second, …, and again. A trace may go on in the next request.
    pub spans_per_request: Vec<usize>,
    /// In how many pieces a trace is sent.
    pub pieces: usize,
    /// How many requests a piece comes after the one before it.
    pub lateness: usize,
    /// The share of requests that are sent twice.
    pub duplicates: f64,
    /// The share of traces with an error.
    pub errors: f64,
    /// The share of traces that take at least `slow_ms`.
    pub slow: f64,
    /// How long a slow trace takes at least, in milliseconds.
    pub slow_ms: u64,
    /// How many spans are planned. A run may end before.
    pub spans: u64,
}

/// A recorded trace of a [`Workload`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Shape {
    /// Its name.
    pub name: String,
    /// How many traces of each round have this shape.
    pub weight: u32,
    /// Its spans.
    #[serde(with = "as_otlp")]
    pub spans: Vec<Span>,
}

/// Why a workload cannot be sent.
#[derive(Debug, Error)]
pub enum WorkloadError {
    /// There is no shape, or there are too many.
    #[error("a workload has from 1 to {MOST_SHAPES} shapes, and not {0}")]
    Shapes(usize),
    /// The weights are 0 or large.
    #[error(
        "the weights of the shapes are 1 or more, and at most {MOST_WEIGHT} together; they are {0} together"
    )]
    Weights(u64),
    /// A shape is no template.
    #[error("the shape {0}: {1}")]
    Shape(String, TemplateError),
    /// A request would have no spans.
    #[error("a request has 1 span or more")]
    EmptyRequest,
    /// A share is none.
    #[error("{0} is a share, from 0 to 1, and not {1}")]
    Share(&'static str, f64),
    /// There are no pieces.
    #[error("a trace is sent in 1 piece or more, and in no more than {MOST_PIECES}")]
    Pieces,
    /// The run has no number.
    #[error("the number of a run is from 1 to 2^24 - 1, and not {0}")]
    Run(u32),
}

/// How many shapes a workload has at most: each has four variants, and a trace id has a byte for them.
pub const MOST_SHAPES: usize = 63;
/// How many traces a round has at most.
const MOST_WEIGHT: u64 = 10_000;
const MOST_PIECES: usize = 1_000;

/// The kinds of a trace: plain, with an error, slow, and both.
pub(crate) const VARIANTS: usize = 4;
pub(crate) const ERROR: usize = 1;
pub(crate) const SLOW: usize = 2;

// === impl Workload ===

impl Workload {
    /// Traces of these shapes, whole and without errors, in requests of 512 spans.
    pub fn of(run: Run, shapes: Vec<Shape>, spans: u64) -> Workload {
        Workload {
            run: run.number(),
            seed: 0,
            shapes,
            spans_per_request: vec![512],
            pieces: 1,
            lateness: 0,
            duplicates: 0.0,
            errors: 0.0,
            slow: 0.0,
            slow_ms: 1_000,
            spans,
        }
    }

    /// A number that tells it from other workloads: FNV-1a of its JSON.
    pub fn digest(&self) -> u64 {
        let text = serde_json::to_vec(self).expect("a workload has text and numbers alone");
        text.iter().fold(0xcbf2_9ce4_8422_2325, |digest, byte| {
            (digest ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        })
    }

    pub(crate) fn check(&self) -> Result<(), WorkloadError> {
        if self.shapes.is_empty() || self.shapes.len() > MOST_SHAPES {
            return Err(WorkloadError::Shapes(self.shapes.len()));
        }
        let weights = self.shapes.iter().map(|shape| u64::from(shape.weight));
        let weight = weights.clone().sum();
        if weight > MOST_WEIGHT || weights.min() == Some(0) {
            return Err(WorkloadError::Weights(weight));
        }
        if self.spans_per_request.is_empty() || self.spans_per_request.contains(&0) {
            return Err(WorkloadError::EmptyRequest);
        }
        if self.pieces == 0 || self.pieces > MOST_PIECES || self.lateness > MOST_PIECES {
            return Err(WorkloadError::Pieces);
        }
        let shares = [
            ("duplicates", self.duplicates),
            ("errors", self.errors),
            ("slow", self.slow),
        ];
        match shares
            .into_iter()
            .find(|(_, share)| !(0.0..=1.0).contains(share))
        {
            Some((name, share)) => Err(WorkloadError::Share(name, share)),
            None => Ok(()),
        }
    }
}

// === impl Shape ===

impl Shape {
    /// The trace that was not recorded but written, as [`typical`](crate::typical) says.
    pub fn typical() -> Shape {
        Shape {
            name: "typical".to_owned(),
            weight: 1,
            spans: crate::typical(),
        }
    }

    /// The four variants.
    pub(crate) fn encode(&self, slow_ns: u64) -> Result<[Encoded; VARIANTS], WorkloadError> {
        let variant = |number: usize| {
            let mut spans = self.spans.clone();
            if number & SLOW != 0 {
                stretch(&mut spans, slow_ns);
            }
            if number & ERROR != 0 {
                fail(&mut spans);
            }
            Encoded::new(&spans).map_err(|error| WorkloadError::Shape(self.name.clone(), error))
        };
        Ok([variant(0)?, variant(1)?, variant(2)?, variant(3)?])
    }

    /// Whether its plain variant has an error.
    pub(crate) fn is_error(&self) -> bool {
        let mut codes = self.spans.iter().map(|span| span.status.code);
        codes.any(|code| code == StatusCode::Error)
    }
}

/// Moves all times away from the start of the trace, by a whole factor, so that it takes longer than `longest`.
fn stretch(spans: &mut [Span], longest: u64) {
    let start = spans.iter().map(|span| span.start_ns).min().unwrap_or(0);
    let end = spans.iter().map(|span| span.end_ns).max().unwrap_or(0);
    let factor = longest / end.saturating_sub(start).max(1) + 1;
    let moved = |time: u64| start + time.saturating_sub(start).saturating_mul(factor);
    for span in spans {
        span.start_ns = moved(span.start_ns);
        span.end_ns = moved(span.end_ns);
        for event in &mut span.events {
            event.time_ns = moved(event.time_ns);
        }
    }
}

/// Gives an error to the spans from the one that began last up to its root.
fn fail(spans: &mut [Span]) {
    let mut at = (0..spans.len()).max_by_key(|&index| spans[index].start_ns);
    for _ in 0..spans.len() {
        let Some(index) = at else { return };
        spans[index].status = Status {
            code: StatusCode::Error,
            message: "declined by the bank".into(),
        };
        let parent = spans[index].parent_span_id;
        at = parent.and_then(|parent| spans.iter().position(|span| span.span_id == parent));
    }
}

/// Spans as a document of OTLP/JSON.
mod as_otlp {
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer, de, ser};

    use super::{Span, otlp};

    pub(super) fn serialize<S: Serializer>(spans: &[Span], to: S) -> Result<S::Ok, S::Error> {
        let text = otlp::to_json(spans);
        let document: serde_json::Value =
            serde_json::from_str(&text).map_err(ser::Error::custom)?;
        document.serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Span>, D::Error> {
        let document = serde_json::Value::deserialize(from)?;
        let read = otlp::from_json(document.to_string().as_bytes()).map_err(de::Error::custom)?;
        match read.rejected.first() {
            None => Ok(read.spans),
            Some(problem) => Err(de::Error::custom(problem)),
        }
    }
}
