//! Any bytes: a request of traces as protobuf and as JSON, stored and read back.
#![no_main]

#[path = "../../../lab/sink/tests/it/strange.rs"]
mod strange;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    strange::endure(bytes);
});
