//! Deliveries that wait to be processed together.

use faults::Setting;
use lapin::message::Delivery;
use tokio::time::{Instant, sleep_until};

/// Deliveries that wait to be processed together, for the fault `batch-consume`.
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
    /// Adds a delivery. The parameters of the first delivery apply to the whole batch.
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

    /// Returns when the batch is full or its time is over; never returns while it is empty.
    pub(crate) async fn is_due(&self) {
        match &self.waiting {
            Some(waiting) => sleep_until(waiting.due).await,
            None => std::future::pending().await,
        }
    }

    /// Takes the deliveries out. After [`is_due`](Self::is_due) there is at least one.
    pub(crate) fn take(&mut self) -> (Vec<Delivery>, Setting) {
        let waiting = self.waiting.take();
        let nothing = || (Vec::new(), Setting::new(&faults::BATCH_CONSUME));
        waiting.map_or_else(nothing, |waiting| (waiting.deliveries, waiting.setting))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    use std::time::Duration;

    use tokio::time::{advance, timeout};

    use super::*;

    const WAIT: Duration = Duration::from_secs(10);

    /// More than the error of tokio's timer; the paused clock of a test has no other error.
    const TICK: Duration = Duration::from_millis(2);

    fn add(batch: &mut Batch, tag: u64) {
        let mut setting = Setting::new(&faults::BATCH_CONSUME);
        setting.set("size", "3").unwrap();
        setting.set("wait_ms", "10000").unwrap();
        let empty = Vec::new();
        let delivery = Delivery::mock(tag, "shop".into(), "order.placed".into(), false, empty);
        batch.add(delivery, setting);
    }

    #[tokio::test(start_paused = true)]
    async fn a_batch_is_due_when_its_first_delivery_has_waited_long_enough() {
        let start = Instant::now();
        let mut batch = Batch::default();
        add(&mut batch, 1);
        advance(WAIT / 2).await;
        add(&mut batch, 2);
        batch.is_due().await;
        assert!((WAIT..WAIT + TICK).contains(&start.elapsed()));
        assert_eq!(batch.take().0.len(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_batch_is_due_at_once() {
        let start = Instant::now();
        let mut batch = Batch::default();
        for tag in 1..=3 {
            add(&mut batch, tag);
        }
        batch.is_due().await;
        assert!(start.elapsed() < TICK);
    }

    #[tokio::test(start_paused = true)]
    async fn while_nothing_waits_no_batch_is_due() {
        let mut batch = Batch::default();
        assert!(timeout(WAIT, batch.is_due()).await.is_err());
        add(&mut batch, 1);
        batch.take();
        assert!(timeout(WAIT * 2, batch.is_due()).await.is_err());
    }
}
