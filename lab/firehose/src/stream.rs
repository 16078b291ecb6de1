//! [`Stream`]: the spans of a [`Workload`] in the order in which they are sent, and the requests that they are cut into.
//!
//! Each span has a slot: its number in the stream. All is a function of the workload: which span is in a slot, which
//! slots are in a request, and the bytes of both but for their times. So sender and receiver need no table of what
//! was sent.

use std::ops::Range;

use crate::{
    Encoded, Run, Shape, TraceSlot, Workload, WorkloadError,
    mix::MIX_64,
    workload::{ERROR, SLOW, VARIANTS},
};

/// The spans of a workload.
#[derive(Debug)]
pub struct Stream {
    run: Run,
    seed: u64,
    shapes: Vec<[Encoded; VARIANTS]>,
    /// Whether the plain variant of a shape has an error already, and whether it is slow.
    is_error: Vec<bool>,
    is_slow: Vec<bool>,
    /// The traces of a round: the shape of each, and its first slot within the round.
    round: Vec<(u8, u64)>,
    /// For each slot of a round the number of its trace within the round.
    trace_at: Vec<u32>,
    /// Where the requests of a round of sizes begin, and the number of spans of all of them.
    cuts: Vec<u64>,
    cut_round: u64,
    pieces: u64,
    lateness: u64,
    duplicates: f64,
    errors: f64,
    slow: f64,
    spans: u64,
}

/// A part of a stream that is sent in a row: whole requests, and the slots that are planned in them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slice {
    /// The number of the first request.
    pub first: u64,
    /// The slots.
    pub slots: Range<u64>,
}

/// A part of a request: the spans of one piece of each trace in these slots.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Section {
    slots: Range<u64>,
    piece: u64,
}

/// A trace of the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamTrace {
    /// Its number.
    pub sequence: u64,
    /// The slot of its first span.
    pub first: u64,
    /// How many spans it has.
    pub spans: u64,
    /// Whether it has an error.
    pub is_error: bool,
    /// Whether it takes longer than the workload's `slow_ms`.
    pub is_slow: bool,
    shape: u8,
    variant: u8,
}

/// The least factor that spreads numbers in a row.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

// === impl Stream ===

impl Stream {
    /// Encodes the shapes of a workload, and lays out its stream.
    ///
    /// # Errors
    ///
    /// When the workload has a number that makes no sense, or a shape is not one trace.
    pub fn new(workload: &Workload) -> Result<Stream, WorkloadError> {
        workload.check()?;
        let slow_ns = workload.slow_ms.saturating_mul(1_000_000);
        let encoded: Result<Vec<_>, _> = workload
            .shapes
            .iter()
            .map(|shape| shape.encode(slow_ns))
            .collect();
        let shapes: Vec<[Encoded; VARIANTS]> = encoded?;
        let run = Run::new(workload.run).ok_or(WorkloadError::Run(workload.run))?;
        let (round, trace_at) = lay_out(&workload.shapes, &shapes, workload.seed);
        let mut cuts = vec![0];
        for &spans in &workload.spans_per_request {
            cuts.push(cuts[cuts.len() - 1] + spans as u64);
        }
        let cut_round = cuts.pop().unwrap_or(0);
        Ok(Stream {
            run,
            seed: workload.seed,
            is_error: workload.shapes.iter().map(Shape::is_error).collect(),
            is_slow: shapes
                .iter()
                .map(|of| of[0].duration_ns > slow_ns)
                .collect(),
            shapes,
            round,
            trace_at,
            cuts,
            cut_round,
            pieces: workload.pieces as u64,
            lateness: workload.lateness as u64,
            duplicates: workload.duplicates,
            errors: workload.errors,
            slow: workload.slow,
            spans: workload.spans,
        })
    }

    /// The run of its traces.
    pub fn run(&self) -> Run {
        self.run
    }

    /// How many spans are planned.
    pub fn spans(&self) -> u64 {
        self.spans
    }

    /// The next `spans` spans, from a request on.
    pub fn slice(&self, first: u64, spans: u64) -> Slice {
        let start = self.cut(first);
        Slice {
            first,
            slots: start..start.saturating_add(spans).min(self.spans),
        }
    }

    /// All of it.
    pub fn all(&self) -> Slice {
        self.slice(0, self.spans)
    }

    /// The number after the last request of a slice. The next slice begins with it.
    pub fn end(&self, slice: &Slice) -> u64 {
        match slice.slots.is_empty() {
            true => slice.first,
            false => self.group_of(slice.slots.end - 1) + 1 + (self.pieces - 1) * self.lateness,
        }
    }

    /// The average length of a span in a request with whole traces, in bytes.
    pub fn bytes_per_span(&self) -> f64 {
        let bytes = self
            .round
            .iter()
            .map(|(shape, _)| self.shapes[usize::from(*shape)][0].len());
        bytes.sum::<usize>() as f64 / self.trace_at.len() as f64
    }

    /// The trace that has this slot.
    pub fn trace(&self, slot: u64) -> StreamTrace {
        let spans = self.trace_at.len() as u64;
        let (round, within) = (slot / spans, slot % spans);
        let number = self.trace_at[within as usize];
        self.of_round(round, number as usize)
    }

    /// The trace of this number.
    pub fn trace_of(&self, sequence: u64) -> StreamTrace {
        let traces = self.round.len() as u64;
        self.of_round(sequence / traces, (sequence % traces) as usize)
    }

    fn of_round(&self, round: u64, number: usize) -> StreamTrace {
        let (shape, first) = self.round[number];
        let sequence = round * self.round.len() as u64 + number as u64;
        let of_shape = usize::from(shape);
        let variant = self.variant(sequence);
        StreamTrace {
            sequence,
            first: round * self.trace_at.len() as u64 + first,
            spans: self.shapes[of_shape][0].spans() as u64,
            is_error: variant & ERROR != 0 || self.is_error[of_shape],
            is_slow: variant & SLOW != 0 || self.is_slow[of_shape],
            shape,
            variant: variant as u8,
        }
    }

    /// Which of the variants a trace has.
    fn variant(&self, sequence: u64) -> usize {
        if self.errors == 0.0 && self.slow == 0.0 {
            return 0;
        }
        let chance = self.chance(sequence, 1);
        let of = |share: f64, bits: u64| (bits as f64) < share * f64::from(u32::MAX) + share;
        let is_error = of(self.errors, chance >> 32);
        let is_slow = of(self.slow, chance & u64::from(u32::MAX));
        usize::from(is_error) * ERROR + usize::from(is_slow) * SLOW
    }

    /// Whether a request is sent twice.
    pub fn is_twice(&self, request: u64) -> bool {
        self.duplicates > 0.0
            && (self.chance(request, 2) >> 11) as f64 / ((1u64 << 53) as f64) < self.duplicates
    }

    /// 64 bits that depend on the seed, a number, and what they are for.
    fn chance(&self, number: u64, purpose: u64) -> u64 {
        let seed = MIX_64.mix(self.seed.wrapping_add(purpose.wrapping_mul(SPREAD)));
        MIX_64.mix(number.wrapping_mul(SPREAD).wrapping_add(seed))
    }

    /// A trace in its encoded form.
    pub(crate) fn encoded(&self, trace: &StreamTrace) -> &Encoded {
        &self.shapes[usize::from(trace.shape)][usize::from(trace.variant)]
    }

    /// The ids of a trace.
    pub fn ids(&self, trace: &StreamTrace) -> TraceSlot {
        TraceSlot {
            run: self.run,
            template: trace.shape * VARIANTS as u8 + trace.variant,
            sequence: trace.sequence,
        }
    }

    /// The time from the start of a trace to its end, in nanoseconds.
    pub fn duration_ns(&self, trace: &StreamTrace) -> u64 {
        self.encoded(trace).duration_ns
    }

    /// The first slot of a group of spans: a request without pieces.
    pub(crate) fn cut(&self, group: u64) -> u64 {
        let sizes = self.cuts.len() as u64;
        let within = self.cuts[(group % sizes) as usize];
        (group / sizes * self.cut_round + within).min(self.spans)
    }

    /// The group that has this slot.
    pub(crate) fn group_of(&self, slot: u64) -> u64 {
        let (round, within) = (slot / self.cut_round, slot % self.cut_round);
        let number = self.cuts.partition_point(|cut| *cut <= within) - 1;
        round * self.cuts.len() as u64 + number as u64
    }

    /// How many groups back the first span of a trace may be whose later spans are in a request.
    pub(crate) fn reach(&self) -> u64 {
        let longest = self
            .shapes
            .iter()
            .map(|of| of[0].spans())
            .max()
            .unwrap_or(1) as u64;
        let rounds = longest / self.cut_round + 1;
        rounds * self.cuts.len() as u64 + 1 + (self.pieces - 1) * self.lateness
    }

    /// The sections of a request.
    fn sections(&self, request: u64, of: &Slice) -> impl Iterator<Item = Section> + use<'_> {
        let Slice { first, slots } = of.clone();
        (0..self.pieces).filter_map(move |piece| {
            let group = request.checked_sub(piece * self.lateness)?;
            let slots = self.cut(group).min(slots.end)..self.cut(group + 1).min(slots.end);
            (group >= first && !slots.is_empty()).then_some(Section { slots, piece })
        })
    }

    /// Calls `each` with the parts of traces in a request of a slice: the trace, and which of its spans.
    pub(crate) fn parts(
        &self,
        request: u64,
        of: &Slice,
        mut each: impl FnMut(&StreamTrace, Range<usize>),
    ) {
        for Section { slots, piece } in self.sections(request, of) {
            let mut at = slots.start;
            while at < slots.end {
                let trace = self.trace(at);
                let end = slots.end.min(trace.first + trace.spans);
                let of_piece = self.piece(&trace, piece);
                let from = (at - trace.first).max(of_piece.start);
                let to = (end - trace.first).min(of_piece.end);
                if from < to {
                    each(&trace, from as usize..to as usize);
                }
                at = end;
            }
        }
    }

    /// The spans of a trace that are in a piece.
    fn piece(&self, trace: &StreamTrace, piece: u64) -> Range<u64> {
        let begin = |piece: u64| (piece * trace.spans).div_ceil(self.pieces);
        begin(piece)..begin(piece + 1)
    }

    /// Whether a span is in the first piece of its trace.
    pub(crate) fn is_in_time(&self, trace: &StreamTrace, index: usize) -> bool {
        self.pieces == 1 || self.piece(trace, 0).contains(&(index as u64))
    }

    /// Calls `each` with the slot of each span in a request of a slice.
    pub fn slots(&self, request: u64, of: &Slice, mut each: impl FnMut(u64)) {
        self.parts(request, of, |trace, part| {
            part.for_each(|index| each(trace.first + index as u64));
        });
    }

    /// A request of the whole stream: an `ExportTraceServiceRequest` whose traces end at `end_ns`, in nanoseconds since the
    /// Unix epoch.
    pub fn request(&self, number: u64, end_ns: u64) -> Vec<u8> {
        let mut request = Vec::new();
        self.append(number, end_ns, &mut request);
        request
    }

    /// Appends what [`request`](Stream::request) makes, and returns how many spans it has.
    pub fn append(&self, number: u64, end_ns: u64, out: &mut Vec<u8>) -> u64 {
        self.write(number, &self.all(), |_| end_ns, out)
    }

    /// Appends a request of a slice, and returns how many spans it has. `base_of` gives the time at which a group was to
    /// be sent, in nanoseconds since the Unix epoch: traces end then that begin in it.
    pub(crate) fn write(
        &self,
        request: u64,
        of: &Slice,
        base_of: impl Fn(u64) -> u64,
        out: &mut Vec<u8>,
    ) -> u64 {
        let mut spans = 0;
        self.parts(request, of, |trace, part| {
            spans += part.len() as u64;
            let encoded = self.encoded(trace);
            let start_ns = base_of(self.group_of(trace.first)) - encoded.duration_ns;
            encoded.write(part, self.ids(trace), start_ns, out);
        });
        spans
    }
}

/// The traces of a round in an order that the seed chooses, and the trace of each slot.
fn lay_out(
    shapes: &[Shape],
    encoded: &[[Encoded; VARIANTS]],
    seed: u64,
) -> (Vec<(u8, u64)>, Vec<u32>) {
    let mut order: Vec<u8> = Vec::new();
    for (number, shape) in (0..).zip(shapes) {
        order.extend((0..shape.weight).map(|_| number));
    }
    // Fisher and Yates.
    for last in (1..order.len()).rev() {
        let chance = MIX_64.mix(seed.wrapping_add((last as u64).wrapping_mul(SPREAD)));
        order.swap(last, (chance % (last as u64 + 1)) as usize);
    }
    let (mut round, mut trace_at) = (Vec::with_capacity(order.len()), Vec::new());
    for (number, shape) in (0..).zip(order) {
        round.push((shape, trace_at.len() as u64));
        let spans = encoded[usize::from(shape)][0].spans();
        trace_at.resize(trace_at.len() + spans, number);
    }
    (round, trace_at)
}

#[cfg(test)]
mod tests;
