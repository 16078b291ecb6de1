//! The faults of payment. Each has a mechanism that programs contain by mistake.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    hint::black_box,
    time::{Duration, Instant},
};

use chassis::FaultSwitch;
use telemetry::record_attribute;

/// The card that its bank declines, as in the sandbox of the provider.
const DECLINED_CARD: &str = "4000000000000002";

/// `blocked-runtime`: computes on a thread of the runtime, or on one that may block.
pub(crate) async fn compute(faults: FaultSwitch) {
    let Some(setting) = faults.acts(&faults::BLOCKED_RUNTIME) else {
        return;
    };
    let time = setting.milliseconds("ms");
    match setting.word("thread") {
        "blocking" => {
            // A panic in the computation is ignored: its result is not used.
            let _ = tokio::task::spawn_blocking(move || hash_for(time)).await;
        }
        _ => hash_for(time),
    }
}

/// `leaked-secret`: records the number of the card, as a developer does while debugging in a hurry.
pub(crate) fn leak(faults: FaultSwitch, card_number: &str) {
    if faults.acts(&faults::LEAKED_SECRET).is_some() {
        record_attribute("card.number", card_number.to_owned());
    }
}

/// `card-declined`: another card is charged, which its bank declines.
pub(crate) fn card_to_charge(faults: FaultSwitch, card_number: String) -> String {
    match faults.acts(&faults::CARD_DECLINED) {
        Some(_) => DECLINED_CARD.to_owned(),
        None => card_number,
    }
}

/// `panic`.
pub(crate) fn panic_if_asked(faults: FaultSwitch) {
    if faults.acts(&faults::PANIC).is_some() {
        let rates: [i64; 0] = [];
        // Code that assumes a list is never empty: the index is out of bounds when it is empty.
        let rate = rates[black_box(rates.len())];
        tracing::debug!(rate, "a currency was exchanged");
    }
}

/// `provider-timeout`: how long payment waits for the provider; `None` without the fault.
pub(crate) fn deadline(faults: FaultSwitch) -> Option<Duration> {
    let setting = faults.acts(&faults::PROVIDER_TIMEOUT)?;
    Some(setting.milliseconds("deadline_ms"))
}

/// `retry-storm`: the number of retries when the provider is unavailable.
pub(crate) fn retries(faults: FaultSwitch) -> u32 {
    let setting = faults.acts(&faults::RETRY_STORM);
    setting.map_or(0, |setting| {
        u32::try_from(setting.integer("attempts")).unwrap_or_default()
    })
}

fn hash_for(time: Duration) {
    let start = Instant::now();
    let mut sum = 0u64;
    while start.elapsed() < time {
        for round in 0..1_000u32 {
            let mut hasher = DefaultHasher::new();
            (sum, round).hash(&mut hasher);
            sum = hasher.finish();
        }
    }
    black_box(sum);
}
