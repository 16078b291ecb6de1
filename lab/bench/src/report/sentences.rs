//! What a document says in words: what memory does, how long a burst is felt, what came after a disturbance, and whether
//! traces arrived in part.

use plain::Plain;

use super::text::{count, mib, ms_text};
use crate::document::{Chaos, Document, Soak, Spike};

/// A sentence of each part that is there, as plain text.
pub(super) fn sentences(document: &Document) -> Vec<String> {
    let broken = document.sampling.as_ref().map(|sampling| sampling.broken);
    let broken = broken.filter(|traces| *traces > 0);
    let all = [
        document.soak.as_ref().map(of_soak),
        document.spike.as_ref().map(of_spike),
        document.chaos.as_ref().map(of_chaos),
        broken.map(|traces| format!("{} traces arrived in part", count(traces as f64))),
    ];
    all.into_iter().flatten().collect()
}

fn of_soak(soak: &Soak) -> String {
    format!(
        "memory: {}; {} MiB a minute ({} to {})",
        Plain(&soak.verdict),
        mib(soak.memory_bytes_per_minute),
        mib(soak.low),
        mib(soak.high)
    )
}

fn of_spike(spike: &Spike) -> String {
    let after = match spike.recovered_ms {
        Some(ms) => format!("as before {} after it", ms_text(ms)),
        None => "not as before until the end".to_owned(),
    };
    format!(
        "burst of {} spans/s from {} to {}: p99 {} before it, {after}",
        count(spike.burst_rate),
        ms_text(spike.began_ms),
        ms_text(spike.ended_ms),
        ms_text(spike.p99_before_ms)
    )
}

fn of_chaos(chaos: &Chaos) -> String {
    let first = match chaos.first_after_ms {
        Some(ms) => format!("the first span came {} later", ms_text(ms)),
        None => "nothing came after that".to_owned(),
    };
    format!(
        "{} at {}, back at {}; {first}",
        Plain(&chaos.what),
        ms_text(chaos.at_ms),
        ms_text(chaos.back_ms)
    )
}
