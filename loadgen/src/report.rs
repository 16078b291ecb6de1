//! What a load came to, for people and for machines.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{Outcome, Progress};

// === impl Outcome ===

impl Outcome {
    /// The report for people: how many orders and requests, and how long a checkout took.
    pub fn text(&self) -> String {
        let Progress {
            succeeded,
            refused,
            unanswered,
            never_started,
            orders,
        } = self.progress;
        let mut text = format!(
            "{orders} orders in {:.1} s\n  requests {succeeded} succeeded, {refused} refused, \
             {unanswered} unanswered, {never_started} never started\n",
            self.elapsed.as_secs_f64()
        );
        if let Some(latency) = &self.checkout {
            text.push_str(&format!(
                "  checkout p50 {:.0} ms, p90 {:.0} ms, p99 {:.0} ms, max {:.0} ms\n",
                ms(latency.p50),
                ms(latency.p90),
                ms(latency.p99),
                ms(latency.max)
            ));
        }
        text
    }

    /// The document of `tracelab run`, with no expectations: a load passes if every request did.
    pub fn to_json(&self) -> Value {
        let Progress {
            succeeded,
            refused,
            unanswered,
            never_started,
            orders,
        } = self.progress;
        let verdict = match self.progress.failed() {
            0 => "pass",
            _ => "fail",
        };
        let latency = self.checkout.as_ref().map(
            |latency| json!({ "p50": ms(latency.p50), "p90": ms(latency.p90), "p99": ms(latency.p99) }),
        );
        json!({
            "verdict": verdict,
            "scenarios": [{
                "name": "load",
                "phase": "faulty",
                "verdict": verdict,
                "requests": {
                    "succeeded": succeeded,
                    "refused": refused,
                    "unanswered": unanswered,
                    "never_started": never_started,
                },
                "orders": orders,
                "elapsed_ms": ms(self.elapsed),
                "stopped": self.stopped,
                "latency_ms": latency,
            }],
        })
    }
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}
