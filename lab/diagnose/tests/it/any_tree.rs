//! No trace makes the rules panic, and the critical path adds up whatever it looks like.

use proptest::prelude::*;

use crate::strange::{endure, traces};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(
        std::env::var("TRACELAB_FUZZ_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(400)
    ))]

    #[test]
    fn no_trace_is_too_strange(traces in traces()) {
        endure(&traces);
    }
}
