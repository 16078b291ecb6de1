//! The faults of the provider.
//!
//! The provider has no tracing: it parses the `baggage` header itself, and names the faults that acted in a
//! header of its reply. A real third party would not do so; remove baggage from the requests to it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::http::{HeaderMap, StatusCode};
use chassis::FaultSwitch;
use faults::{Faults, Setting};

/// Decides which faults act on a call.
#[derive(Clone, Debug)]
pub(crate) struct Trouble {
    switch: FaultSwitch,
    calls: Arc<AtomicU64>,
}

/// The faults that act on one call.
#[derive(Debug, Default)]
pub(crate) struct Wrong {
    /// The time that the call takes, in place of the card network's.
    pub(crate) latency: Option<Duration>,
    /// The status of the reply, in place of a charge.
    pub(crate) status: Option<StatusCode>,
    /// The value of the reply header that names the faults; empty if none acts.
    pub(crate) told: String,
}

// === impl Trouble ===

impl Trouble {
    pub(crate) fn new(switch: FaultSwitch) -> Self {
        Trouble {
            switch,
            calls: Arc::default(),
        }
    }

    /// The faults that act on a call with these headers.
    ///
    /// # Errors
    ///
    /// When a header asks for a fault that does not exist, or asks for one twice.
    pub(crate) fn with(&self, headers: &HeaderMap) -> Result<Wrong, faults::Error> {
        if self.switch == FaultSwitch::Ignored {
            return Ok(Wrong::default());
        }
        let header: Vec<_> = headers
            .get_all("baggage")
            .iter()
            .map(|value| String::from_utf8_lossy(value.as_bytes()))
            .collect();
        let asked = Faults::from_header(&header.join(","))?;
        let slow = asked.get(&faults::SLOW_PROVIDER);
        let broken = asked
            .get(&faults::PROVIDER_ERROR)
            .filter(|setting| self.is_next_of_share(setting.number("share")));
        let acts: Vec<String> = slow
            .iter()
            .chain(&broken)
            .map(ToString::to_string)
            .collect();
        Ok(Wrong {
            latency: slow.map(|setting| setting.milliseconds("latency_ms")),
            status: broken.map(status),
            told: acts.join(","),
        })
    }

    /// Whether this call is one of the `share` of calls that fail: of `n` calls exactly `n * share` fail,
    /// rounded down.
    fn is_next_of_share(&self, share: f64) -> bool {
        let call = self.calls.fetch_add(1, Ordering::Relaxed) as f64;
        ((call + 1.0) * share).floor() > (call * share).floor()
    }
}

fn status(setting: &Setting) -> StatusCode {
    let status = u16::try_from(setting.integer("status")).unwrap_or_default();
    StatusCode::from_u16(status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE)
}
