//! [`Latencies`]: how many times were how long, in buckets as an HDR histogram has them: three digits are kept of each
//! time, from a microsecond to hours.
//!
//! They are a row of numbers, so that they can stand in a mapped file, and that the times of an interval are the
//! difference of two of them.

use std::time::Duration;

/// Counts of times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Latencies(Vec<u64>);

/// A bucket is as wide as its times divided by this number, and a microsecond at least.
const STEPS: usize = 1 << STEP_BITS;
const STEP_BITS: u32 = 10;
/// Twice the longest time, as a power of two in microseconds: 19 hours.
const MOST_BITS: u32 = 36;

/// How many buckets there are.
pub(crate) const BUCKETS: usize = ((MOST_BITS - STEP_BITS + 1) as usize) * STEPS;

/// The bucket of a time.
#[inline]
pub(crate) fn bucket(time: Duration) -> usize {
    let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    let micros = micros.min((1 << MOST_BITS) - 1);
    let bits = u64::BITS - micros.leading_zeros();
    let shift = bits.saturating_sub(STEP_BITS + 1);
    shift as usize * STEPS + (micros >> shift) as usize
}

/// The longest time of a bucket, in microseconds.
fn highest_of(bucket: usize) -> u64 {
    if bucket < 2 * STEPS {
        return bucket as u64;
    }
    let shift = bucket / STEPS - 1;
    let steps = (bucket - shift * STEPS) as u64;
    ((steps + 1) << shift) - 1
}

// === impl Latencies ===

impl Default for Latencies {
    fn default() -> Self {
        Latencies(vec![0; BUCKETS])
    }
}

impl Latencies {
    /// Counts a time.
    pub fn add(&mut self, time: Duration) {
        self.0[bucket(time)] += 1;
    }

    /// Counts all that another has counted.
    pub fn merge(&mut self, other: &Latencies) {
        for (count, more) in self.0.iter_mut().zip(&other.0) {
            *count += more;
        }
    }

    /// What was counted since `before`, which was this at an earlier time.
    pub fn since(&self, before: &Latencies) -> Latencies {
        let counts = self.0.iter().zip(&before.0);
        Latencies(
            counts
                .map(|(now, then)| now.saturating_sub(*then))
                .collect(),
        )
    }

    /// How many times were counted.
    pub fn count(&self) -> u64 {
        self.0.iter().sum()
    }

    /// How many of the counted times were longer than this one.
    pub fn longer_than(&self, time: Duration) -> u64 {
        self.0[bucket(time) + 1..].iter().sum()
    }

    /// The time that is at least as long as this share of all, which is from 0 to 1. `None` without any.
    pub fn quantile(&self, share: f64) -> Option<Duration> {
        let count = self.count();
        let rank = ((count as f64 * share).ceil() as u64).clamp(1, count.max(1));
        let mut seen = 0;
        for (bucket, count) in self.0.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return Some(Duration::from_micros(highest_of(bucket)));
            }
        }
        None
    }

    /// From the bytes of a mapped file.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Latencies {
        let counts = bytes
            .chunks_exact(8)
            .map(|count| u64::from_le_bytes(count.try_into().expect("a chunk has eight bytes")));
        Latencies(counts.take(BUCKETS).collect())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn three_digits_are_kept_of_a_time(micros in 0u64..1 << 36) {
            let time = Duration::from_micros(micros);
            let highest = highest_of(bucket(time));
            prop_assert!(highest >= micros);
            prop_assert!(highest - micros <= micros >> STEP_BITS);
        }
    }

    #[test]
    fn quantiles_are_times_that_were_counted() {
        let mut latencies = Latencies::default();
        assert_eq!(latencies.quantile(0.5), None);
        for micros in 1..=1000 {
            latencies.add(Duration::from_micros(micros));
        }
        let of = |share| latencies.quantile(share).unwrap().as_micros();
        assert_eq!((of(0.0), of(0.5), of(0.99), of(1.0)), (1, 500, 990, 1000));
        assert_eq!(latencies.longer_than(Duration::from_micros(990)), 10);
        let mut more = latencies.clone();
        more.add(Duration::from_secs(1 << 40));
        assert_eq!(more.since(&latencies).count(), 1);
    }
}
