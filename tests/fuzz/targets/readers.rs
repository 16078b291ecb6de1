//! Any bytes: read as a file, and what was read diagnosed.
#![no_main]

#[path = "../../../lab/diagnose/tests/it/strange.rs"]
#[allow(dead_code, reason = "the other target uses more of it")]
mod strange;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    // Packed bytes are unpacked to no more than this, so that a run stays fast.
    if let Ok(read) = formats::read_within(bytes, 1 << 18) {
        strange::endure(&trace::tree::group(read.spans));
    }
});
