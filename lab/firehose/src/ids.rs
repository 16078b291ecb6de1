//! The ids of sent spans: each says which span of which trace it is, so a receiver needs neither a table nor an
//! attribute to tell what it has.
//!
//! | id | bytes | content |
//! | --- | --- | --- |
//! | trace | 0..3 | the run, which is not 0 |
//! | | 3..4 | the template |
//! | | 4..9 | the sequence number of the trace in its run |
//! | | 9..16 | all of that, mixed: 56 bits that look random, as probability sampling reads them |
//! | span | 0..8 | the sequence number (40 bits) and the span's index + 1 (24 bits), mixed: never 0 |

use trace::{SpanId, TraceId};

use crate::mix::{MIX_56, MIX_64};

/// How many traces a run can have: sequence numbers are below it.
pub const SEQUENCES: u64 = 1 << 40;

/// How many spans a template can have.
pub const SPANS: usize = (1 << INDEX_BITS) - 1;

const INDEX_BITS: u32 = 24;

/// The number of a run: it tells the traces of one run from those of another. From 1 to 2^24 - 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Run(u32);

/// What a trace id says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TraceSlot {
    /// The run that sent it.
    pub run: Run,
    /// The number of its template.
    pub template: u8,
    /// Its number in the run.
    pub sequence: u64,
}

/// What a span id says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SpanSlot {
    /// The number of its trace in the run.
    pub sequence: u64,
    /// The index of the span in its template.
    pub index: usize,
}

// === impl Run ===

impl Run {
    /// The run of a number; `None` for 0 and for numbers of more than 24 bits.
    pub fn new(number: u32) -> Option<Run> {
        (number != 0 && number < 1 << 24).then_some(Run(number))
    }

    /// The number of the run.
    pub fn number(self) -> u32 {
        self.0
    }

    /// A run of a number that the clock and the process id choose, for runs that need not be repeated.
    pub fn any() -> Run {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let nanos = now.map_or(0, |since| since.as_nanos() as u64);
        let mixed = MIX_64.mix(nanos ^ u64::from(std::process::id()) << 32);
        Run((mixed >> 40) as u32 | 1)
    }
}

// === impl TraceSlot ===

impl TraceSlot {
    /// The trace id of the slot.
    pub fn id(self) -> TraceId {
        TraceId::from_bytes(self.bytes()).expect("a run is not 0, and it is a part of the id")
    }

    /// The slot of a trace id; `None` if it is none of ours, or was changed on its way.
    pub fn of(id: TraceId) -> Option<TraceSlot> {
        let bytes = id.as_bytes();
        let slot = TraceSlot {
            run: Run::new(number(&bytes[..3]) as u32)?,
            template: bytes[3],
            sequence: number(&bytes[4..9]),
        };
        (slot.bytes() == *bytes).then_some(slot)
    }

    pub(crate) fn bytes(self) -> [u8; 16] {
        debug_assert!(self.sequence < SEQUENCES);
        let sequence = self.sequence & (SEQUENCES - 1);
        let key = MIX_56.mix(u64::from(self.run.0) << 8 | u64::from(self.template));
        let random = MIX_56.mix(sequence ^ key);
        let run = u128::from(self.run.0) << 104;
        let template = u128::from(self.template) << 96;
        (run | template | u128::from(sequence) << 56 | u128::from(random)).to_be_bytes()
    }
}

// === impl SpanSlot ===

impl SpanSlot {
    /// The span id of the slot.
    pub fn id(self) -> SpanId {
        SpanId::from_bytes(self.bytes())
            .expect("the index + 1 is not 0, and a mix of no other number is 0")
    }

    /// The slot of a span id; `None` if it is none of ours.
    pub fn of(id: SpanId) -> Option<SpanSlot> {
        let number = MIX_64.unmix(u64::from_be_bytes(*id.as_bytes()));
        let index = (number & SPANS as u64) as usize;
        Some(SpanSlot {
            sequence: number >> INDEX_BITS,
            index: index.checked_sub(1)?,
        })
    }

    pub(crate) fn bytes(self) -> [u8; 8] {
        debug_assert!(self.sequence < SEQUENCES && self.index < SPANS);
        MIX_64
            .mix(self.sequence << INDEX_BITS | (self.index as u64 + 1))
            .to_be_bytes()
    }
}

/// The number of at most eight bytes, the highest first.
fn number(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0, |number, &byte| number << 8 | u64::from(byte))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn an_id_says_what_it_is_of(
            run in 1u32..1 << 24,
            template: u8,
            sequence in 0..SEQUENCES,
            index in 0..SPANS,
        ) {
            let run = Run::new(run).unwrap();
            let trace = TraceSlot { run, template, sequence };
            prop_assert_eq!(TraceSlot::of(trace.id()), Some(trace));
            let span = SpanSlot { sequence, index };
            prop_assert_eq!(SpanSlot::of(span.id()), Some(span));
        }

        #[test]
        fn a_changed_trace_id_is_noticed(sequence in 0..SEQUENCES, bit in 0..128u32) {
            let run = Run::new(1).unwrap();
            let mut bytes = TraceSlot { run, template: 0, sequence }.bytes();
            bytes[bit as usize / 8] ^= 1 << (bit % 8);
            prop_assert_eq!(TraceId::from_bytes(bytes).ok().and_then(TraceSlot::of), None);
        }
    }

    #[test]
    fn a_run_has_24_bits_and_is_not_0() {
        assert_eq!(Run::new(0), None);
        assert_eq!(Run::new(1 << 24), None);
        assert_ne!(Run::any().number(), 0);
    }
}
