//! The traces of the property tests, drawn from bytes that libFuzzer chooses.
#![no_main]

#[path = "../../../lab/diagnose/tests/it/strange.rs"]
mod strange;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| strange::endure(&strange::drawn_from(bytes)));
