//! The reports on a load, for people and for machines.

use serde_json::{Value, json};
use trace::milliseconds;

use crate::{LoadProgress, LoadReport};

// === impl LoadReport ===

impl LoadReport {
    /// Renders the report for people: the numbers of orders and requests, and the latency of checkouts.
    pub fn text(&self) -> String {
        let LoadProgress {
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
                milliseconds(latency.p50),
                milliseconds(latency.p90),
                milliseconds(latency.p99),
                milliseconds(latency.max)
            ));
        }
        text
    }

    /// The document of `tracelab run`, with no expectations: a load passes if every request did.
    pub fn to_json(&self) -> Value {
        let LoadProgress {
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
            |latency| json!({ "p50": milliseconds(latency.p50), "p90": milliseconds(latency.p90), "p99": milliseconds(latency.p99) }),
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
                "elapsed_ms": milliseconds(self.elapsed),
                "stopped": self.stopped,
                "latency_ms": latency,
            }],
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use expect_test::expect;

    use super::*;
    use crate::Latency;

    fn outcome(refused: u64) -> LoadReport {
        let latency = |ms: u64| Duration::from_micros(ms * 1_000 + 250);
        LoadReport {
            lines: Vec::new(),
            progress: LoadProgress {
                succeeded: 40 - refused,
                refused,
                unanswered: 0,
                never_started: 0,
                orders: 20 - refused,
            },
            journeys: Some(20),
            checkout: Some(Latency {
                count: 20,
                p50: latency(150),
                p90: latency(180),
                p99: latency(201),
                p999: latency(240),
                max: latency(240),
            }),
            service: None,
            steps: Vec::new(),
            elapsed: Duration::from_millis(4_040),
            stopped: false,
        }
    }

    #[test]
    fn a_report_for_people_counts_orders_and_requests() {
        expect![[r#"
            20 orders in 4.0 s
              requests 40 succeeded, 0 refused, 0 unanswered, 0 never started
              checkout p50 150 ms, p90 180 ms, p99 201 ms, max 240 ms
        "#]]
        .assert_eq(&outcome(0).text());
    }

    #[test]
    fn a_load_with_a_refused_request_fails() {
        let verdict = |outcome: LoadReport| outcome.to_json()["verdict"].clone();
        assert_eq!(verdict(outcome(0)), "pass");
        assert_eq!(verdict(outcome(1)), "fail");
    }
}
