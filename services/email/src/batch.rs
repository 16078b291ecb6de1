//! Deliveries that wait to be processed together.

use faults::Setting;
use lapin::message::Delivery;
use tokio::time::{Instant, sleep_until};

/// Deliveries that wait to be processed together, as the fault `batch-consume` has it.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    waiting: Option<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    deliveries: Vec<Delivery>,
    setting: Setting,
    due: Instant,
}

// === impl Batch ===

impl Batch {
    /// Adds a delivery. The first one's parameters are those of the batch.
    pub(crate) fn add(&mut self, delivery: Delivery, setting: Setting) {
        let waiting = self.waiting.get_or_insert_with(|| Waiting {
            due: Instant::now() + setting.milliseconds("wait_ms"),
            deliveries: Vec::new(),
            setting,
        });
        waiting.deliveries.push(delivery);
        let size = usize::try_from(waiting.setting.integer("size")).unwrap_or(usize::MAX);
        if waiting.deliveries.len() >= size {
            waiting.due = Instant::now();
        }
    }

    /// Returns when there is something to be processed; never while nothing waits.
    pub(crate) async fn is_due(&self) {
        match &self.waiting {
            Some(waiting) => sleep_until(waiting.due).await,
            None => std::future::pending().await,
        }
    }

    /// What waited. There is something once [`is_due`](Self::is_due) has returned.
    pub(crate) fn take(&mut self) -> (Vec<Delivery>, Setting) {
        let waiting = self.waiting.take();
        let nothing = || (Vec::new(), Setting::new(&faults::BATCH_CONSUME));
        waiting.map_or_else(nothing, |waiting| (waiting.deliveries, waiting.setting))
    }
}
