//! Orders at a constant rate, even if the shop is too slow for it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::Value;
use tokio::sync::Mutex;
use trace::TraceId;

use crate::support::{Up, eventually};

/// The pause between two orders, even if the first is not answered yet.
const BETWEEN_ORDERS: Duration = Duration::from_millis(100);

/// How long a client waits for an answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// An order, as its client saw it.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) began: Instant,
    pub(super) ended: Instant,
    pub(super) answer: Option<Answer>,
}

/// Whether it was answered with success.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) order_id: String,
    pub(super) message_id: String,
    pub(super) trace_id: TraceId,
}

async fn order(client: reqwest::Client, checkout: String) -> Asked {
    let began = Instant::now();
    let answer = tokio::time::timeout(PATIENCE, try_order(&client, &checkout)).await;
    Asked {
        began,
        ended: Instant::now(),
        answer: answer.ok().flatten(),
    }
}

async fn try_order(client: &reqwest::Client, checkout: &str) -> Option<Answer> {
    let cart_id = crate::support::uuid();
    let lines = serde_json::json!({ "lines": crate::support::some_lines() });
    let cart = client.put(format!("{checkout}/carts/{cart_id}"));
    cart.json(&lines).send().await.ok()?;
    let reply = client
        .post(format!("{checkout}/checkout"))
        .json(&crate::support::checkout_body(&cart_id))
        .send()
        .await
        .ok()?;
    if reply.status() != 201 {
        return None;
    }
    let traceresponse = reply.headers().get("traceresponse")?.to_str().ok()?;
    let trace_id = traceresponse.split('-').nth(1)?.parse().ok()?;
    let body: Value = reply.json().await.ok()?;
    let text = |field: &str| Some(body[field].as_str()?.to_owned());
    Some(Answer {
        order_id: text("order_id")?,
        message_id: text("message_id")?,
        trace_id,
    })
}

/// A load of orders that continues until it is told to end.
pub(super) struct Load {
    asked: Arc<Mutex<Vec<Asked>>>,
    task: tokio::task::JoinHandle<()>,
}

// === impl Load ===

impl Load {
    pub(super) fn start(up: &Up) -> Load {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let checkout = up.url("checkout").to_owned();
        let into = Arc::clone(&asked);
        let task = tokio::spawn(async move {
            let client = reqwest::Client::new();
            let mut interval = tokio::time::interval(BETWEEN_ORDERS);
            loop {
                interval.tick().await;
                let order = order(client.clone(), checkout.clone());
                let into = Arc::clone(&into);
                tokio::spawn(async move {
                    let asked = order.await;
                    into.lock().await.push(asked);
                });
            }
        });
        Load { asked, task }
    }

    pub(super) async fn successes(&self) -> usize {
        let asked = self.asked.lock().await;
        asked.iter().filter(|asked| asked.answer.is_some()).count()
    }

    /// Waits until six further orders have succeeded.
    pub(super) async fn goes_on(&self) {
        let before = self.successes().await;
        eventually("orders to succeed again", async || {
            (self.successes().await > before + 5).then_some(())
        })
        .await;
    }

    /// Places no new orders, and waits until the others are answered or given up.
    pub(super) async fn end(self) -> Vec<Asked> {
        self.task.abort();
        let _ = self.task.await;
        eventually("the last orders to be answered", async || {
            (Arc::strong_count(&self.asked) == 1).then_some(())
        })
        .await;
        Arc::into_inner(self.asked).unwrap().into_inner()
    }
}
