//! [`Mix`]: permutations of the numbers of a width whose results look random, with their inverses.
//!
//! They are the finalizer of SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators",
//! 2014): folds of the high bits into the low ones, and multiplications by odd numbers. Each step has an inverse,
//! so no two numbers have the same result; and 0 stays 0, so no other number becomes 0.

/// A permutation of the numbers below 2^`bits`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mix {
    bits: u32,
    folds: [u32; 3],
    factors: [u64; 2],
    /// The inverses of the factors, modulo 2^64.
    inverses: [u64; 2],
}

/// For span ids.
pub(crate) const MIX_64: Mix = Mix::new(64, [30, 27, 31]);
/// For the end of a trace id, which must look random in 56 bits (W3C Trace Context Level 2, "random-trace-id").
pub(crate) const MIX_56: Mix = Mix::new(56, [26, 23, 27]);

// === impl Mix ===

impl Mix {
    const fn new(bits: u32, folds: [u32; 3]) -> Mix {
        let factors = [0xbf58_476d_1ce4_e5b9, 0x94d0_49bb_1331_11eb];
        Mix {
            bits,
            folds,
            factors,
            inverses: [inverse(factors[0]), inverse(factors[1])],
        }
    }

    /// The result for a number below 2^`bits`.
    pub(crate) const fn mix(&self, number: u64) -> u64 {
        let number = number ^ (number >> self.folds[0]);
        let number = self.cut(number.wrapping_mul(self.factors[0]));
        let number = number ^ (number >> self.folds[1]);
        let number = self.cut(number.wrapping_mul(self.factors[1]));
        number ^ (number >> self.folds[2])
    }

    /// The number whose result this is.
    pub(crate) const fn unmix(&self, result: u64) -> u64 {
        let number = self.unfold(result, self.folds[2]);
        let number = self.cut(number.wrapping_mul(self.inverses[1]));
        let number = self.unfold(number, self.folds[1]);
        let number = self.cut(number.wrapping_mul(self.inverses[0]));
        self.unfold(number, self.folds[0])
    }

    const fn cut(&self, number: u64) -> u64 {
        number & (u64::MAX >> (64 - self.bits))
    }

    /// The inverse of `number ^ (number >> fold)`: each round restores `fold` more bits, from the top.
    const fn unfold(&self, folded: u64, fold: u32) -> u64 {
        let mut number = folded;
        let mut restored = fold;
        while restored < self.bits {
            number = folded ^ (number >> fold);
            restored += fold;
        }
        number
    }
}

/// The inverse of an odd number modulo 2^64, by Newton's method: each round doubles the correct bits, of which an odd
/// number has 3 at first.
const fn inverse(odd: u64) -> u64 {
    let mut found = odd;
    let mut round = 0;
    while round < 5 {
        found = found.wrapping_mul(2u64.wrapping_sub(odd.wrapping_mul(found)));
        round += 1;
    }
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn zero_stays_zero() {
        assert_eq!(MIX_64.mix(0), 0);
        assert_eq!(MIX_56.mix(0), 0);
    }

    proptest! {
        #[test]
        fn a_result_leads_back_to_its_number(number: u64) {
            prop_assert_eq!(MIX_64.unmix(MIX_64.mix(number)), number);
            let number = number >> 8;
            let result = MIX_56.mix(number);
            prop_assert_eq!(result >> 56, 0);
            prop_assert_eq!(MIX_56.unmix(result), number);
        }
    }

    /// Of numbers in a row, each of the 56 bits is set in about half of the results, as sampling by the trace id
    /// expects.
    #[test]
    fn results_of_numbers_in_a_row_look_random() {
        const NUMBERS: u64 = 1 << 14;
        for bit in 0..56 {
            let set = (0..NUMBERS).filter(|&n| MIX_56.mix(n) >> bit & 1 == 1);
            let share = set.count() as f64 / NUMBERS as f64;
            assert!((0.45..0.55).contains(&share), "bit {bit}: {share}");
        }
    }
}
