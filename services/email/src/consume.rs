//! Consumes deliveries from the queue, and acknowledges or rejects each.
//!
//! A message that was processed is acknowledged. One that failed is rejected and comes back after a while;
//! at its third failure it goes to the dead-letter queue. A message is acknowledged only after its mail is
//! sent, so the broker keeps it if this process dies.

use std::sync::Arc;

use chassis::{Claims, fault_switch::record};
use faults::Setting;
use futures::{FutureExt, StreamExt, future::join_all};
use lapin::{
    Channel,
    message::Delivery,
    options::{BasicAckOptions, BasicConsumeOptions, BasicRejectOptions},
    types::{AMQPValue, FieldTable, ShortString},
};
use telemetry::amqp::{self, Message};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{Instrument, Span};

use crate::{
    Config,
    batch::Batch,
    confirmation::{self, Failure},
    faulty::{Course, Intake},
    topology::{DEAD_QUEUE, EXCHANGE, QUEUE, ROUTING_KEY},
};
use chassis::amqp::Broker;

/// The number of attempts for a message, after which it becomes a dead letter.
const TRIES: i64 = 3;

/// The reply code for closing a channel without an error of the broker.
const REPLY_SUCCESS: u16 = 200;

/// The reason for closing a channel on which an acknowledgement was lost.
const ACK_LOST: &str = "an acknowledgement was lost";

/// The consumer of the queue.
#[derive(Clone, Debug)]
pub struct Consumer {
    config: Arc<Config>,
    claims: Claims,
    intake: Arc<Intake>,
}

// === impl Consumer ===

impl Consumer {
    /// Makes a consumer that has not started.
    pub fn new(config: Config) -> Self {
        Consumer {
            config: Arc::new(config),
            claims: Claims::default(),
            intake: Arc::default(),
        }
    }

    /// Consumes until `stop`, again on each new channel. Work that has started is finished.
    pub async fn run(self, mut broker: Broker, stop: CancellationToken) {
        let tasks = TaskTracker::new();
        loop {
            let channel = tokio::select! {
                () = stop.cancelled() => break,
                channel = broker.next_channel() => match channel {
                    Some(channel) => channel,
                    None => break,
                },
            };
            tokio::select! {
                () = stop.cancelled() => break,
                ended = self.consume(channel, &tasks) => if let Err(error) = ended {
                    tracing::warn!("consuming from the queue {QUEUE} ended: {error}");
                },
            }
        }
        tasks.close();
        tasks.wait().await;
    }

    async fn consume(&self, channel: Channel, tasks: &TaskTracker) -> lapin::Result<()> {
        let mut deliveries = channel
            .basic_consume(
                QUEUE.into(),
                ShortString::default(),
                BasicConsumeOptions::default(),
                FieldTable::default(),
            )
            .await?;
        let mut batch = Batch::default();
        let why = loop {
            let delivery = tokio::select! {
                () = batch.is_due() => {
                    let (deliveries, setting) = batch.take();
                    if !deliveries.iter().any(|delivery| self.loses_ack(delivery)) {
                        let together = self.clone().process_together(channel.clone(), deliveries, setting);
                        tasks.spawn(together.map(drop));
                    } else if self.clone().process_together(channel.clone(), deliveries, setting).await {
                        break ACK_LOST;
                    }
                    continue;
                }
                delivery = deliveries.next() => match delivery {
                    Some(delivery) => delivery?,
                    // The broker cancelled the consumer, as it does when a queue is deleted. The channel
                    // would stay open without deliveries; closing it leads to a new one, on which the queues
                    // are declared again.
                    None => break "the consumer was cancelled",
                },
            };
            match self.intake.course(self.config.faults, &delivery) {
                // The prefetch of the channel limits the number of these tasks.
                Course::Normal => {
                    tasks.spawn(self.clone().process(channel.clone(), delivery));
                }
                Course::Alone => self.clone().process(channel.clone(), delivery).await,
                Course::Batched(setting) => batch.add(delivery, setting),
                Course::Unacknowledged => {
                    let span = self.span(&delivery);
                    if self.settle(&channel, &delivery).instrument(span).await {
                        break ACK_LOST;
                    }
                }
            }
        };
        if why == ACK_LOST {
            // When the channel ends the broker delivers all unacknowledged messages again. So it is closed
            // only after the other messages are finished.
            tasks.close();
            tasks.wait().await;
            tasks.reopen();
        }
        channel.close(REPLY_SUCCESS, why.into()).await
    }

    /// `batch-consume`: one span for several messages. Each message is acknowledged by itself. Returns
    /// whether an acknowledgement was lost.
    async fn process_together(
        self,
        channel: Channel,
        deliveries: Vec<Delivery>,
        setting: Setting,
    ) -> bool {
        let span = amqp::batch_span(&deliveries, &origin(), QUEUE);
        let work = async {
            record(&setting);
            // At once: one after the other, their queries would be calls in sequence.
            let settled = deliveries.iter().map(|one| self.settle(&channel, one));
            join_all(settled).await.contains(&true)
        };
        work.instrument(span).await
    }

    /// Whether the acknowledgement of a delivery must be lost.
    fn loses_ack(&self, delivery: &Delivery) -> bool {
        self.intake.lost_ack(self.config.faults, delivery).is_some()
    }

    fn span(&self, delivery: &Delivery) -> Span {
        amqp::process_span(delivery, &origin(), QUEUE, self.config.relation)
    }

    async fn process(self, channel: Channel, delivery: Delivery) {
        let span = self.span(&delivery);
        let is_lost = self.settle(&channel, &delivery).instrument(span).await;
        debug_assert!(!is_lost, "such a message has a course of its own");
    }

    /// Processes a message and acknowledges or rejects it. Returns whether its acknowledgement was lost, as
    /// the fault `duplicate-delivery` demands: the mail is sent, and the message is not acknowledged. A
    /// message that failed has no acknowledgement to lose.
    async fn settle(&self, channel: &Channel, delivery: &Delivery) -> bool {
        let failed = rejections(delivery);
        let confirmed = confirmation::confirm(&self.config, &self.claims, delivery, failed).await;
        if confirmed.is_ok()
            && let Some(setting) = self.intake.lost_ack(self.config.faults, delivery)
        {
            record(&setting);
            self.intake.remember_loss(delivery);
            return true;
        }
        let settled = match confirmed {
            Ok(()) => delivery
                .acker
                .ack(BasicAckOptions::default())
                .await
                .map(drop),
            Err(failure) => give_back(channel, delivery, &failure).await,
        };
        if let Err(error) = settled {
            // The broker will deliver the message again, and the mail will not be sent twice.
            tracing::warn!("a message could not be settled: {error}");
        }
        false
    }
}

/// The address to which the messages were first published.
fn origin() -> String {
    format!("{EXCHANGE}:{ROUTING_KEY}")
}

/// What to do with a message that failed.
async fn give_back(channel: &Channel, delivery: &Delivery, failure: &Failure) -> lapin::Result<()> {
    let hopeless = matches!(failure, Failure::Unreadable(_));
    if !hopeless && rejections(delivery) + 1 < TRIES {
        return delivery
            .acker
            .reject(BasicRejectOptions { requeue: false })
            .await
            .map(drop);
    }
    let message_id = delivery
        .properties
        .message_id()
        .as_ref()
        .map(ShortString::as_str);
    tracing::warn!(
        message_id,
        "a message goes to the queue {DEAD_QUEUE}: {failure}"
    );
    let buried = Message {
        exchange: "",
        routing_key: DEAD_QUEUE,
        id: message_id.unwrap_or_default(),
        content_type: "application/json",
        body: &delivery.data,
    };
    match amqp::send(Some(channel), buried).await {
        Ok(()) => delivery
            .acker
            .ack(BasicAckOptions::default())
            .await
            .map(drop),
        // When the channel closes, the message returns to its queue, and on the next channel the queue that
        // did not take it is declared again. If it were requeued at once, it would circulate without an end.
        Err(_) => {
            channel
                .close(REPLY_SUCCESS, "a message cannot be buried".into())
                .await
        }
    }
}

/// The number of times that this queue has rejected the message, as the broker counted it.
fn rejections(delivery: &Delivery) -> i64 {
    let Some(headers) = delivery.properties.headers() else {
        return 0;
    };
    let Some(AMQPValue::FieldArray(deaths)) = headers.inner().get("x-death") else {
        return 0;
    };
    deaths
        .as_slice()
        .iter()
        .filter_map(rejections_in)
        .max()
        .unwrap_or(0)
}

fn rejections_in(death: &AMQPValue) -> Option<i64> {
    let AMQPValue::FieldTable(death) = death else {
        return None;
    };
    let is = |key: &str, wanted: &str| match death.inner().get(key) {
        Some(AMQPValue::LongString(text)) => text.as_bytes() == wanted.as_bytes(),
        _ => false,
    };
    if !is("queue", QUEUE) || !is("reason", "rejected") {
        return None;
    }
    match death.inner().get("count")? {
        AMQPValue::LongLongInt(count) => Some(*count),
        AMQPValue::LongInt(count) => Some(i64::from(*count)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn death(queue: &str, reason: &str, count: i64) -> AMQPValue {
        let mut table = FieldTable::default();
        table.insert("queue".into(), AMQPValue::LongString(queue.into()));
        table.insert("reason".into(), AMQPValue::LongString(reason.into()));
        table.insert("count".into(), AMQPValue::LongLongInt(count));
        AMQPValue::FieldTable(table)
    }

    #[test]
    fn only_rejections_of_this_queue_count_as_tries() {
        assert_eq!(rejections_in(&death("email", "rejected", 2)), Some(2));
        assert_eq!(rejections_in(&death("email.retry", "expired", 2)), None);
        assert_eq!(rejections_in(&death("email", "expired", 2)), None);
    }
}
