//! The traces of the property tests, drawn from bytes that libFuzzer chooses.
#![no_main]

#[path = "../../../lab/diagnose/tests/it/make.rs"]
#[allow(dead_code, reason = "the tests use more of it")]
mod make;
#[path = "../../../lab/diagnose/tests/it/strange.rs"]
mod strange;

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// More than the strategy ever draws. The generator answers zero once its bytes are used up, and
/// drawing below a bound tries again for ever on zeros: so the bytes are never used up.
const MOST_DRAWN: usize = 64 * 1024;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let mut drawn = bytes.to_vec();
    let mut word = 0x9e37_79b9_7f4a_7c15_u64;
    while drawn.len() < MOST_DRAWN {
        word ^= word << 13;
        word ^= word >> 7;
        word ^= word << 17;
        drawn.extend(word.to_le_bytes());
    }
    let rng = TestRng::from_seed(RngAlgorithm::PassThrough, &drawn);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    if let Ok(traces) = strange::traces().new_tree(&mut runner) {
        strange::endure(&traces.current());
    }
});
