//! The queues of the email service, and the route of a message that fails.
//!
//! ```text
//! exchange shop ──order.placed──▶ queue email ──rejected──▶ queue email.retry
//!                                     ▲                          │ TTL
//!                                     └──────────expired─────────┘
//!                       third failure ──▶ queue email.dead
//! ```
//!
//! It works the same on the embedded broker and on RabbitMQ. The broker counts the rounds in the header
//! `x-death`, so no consumer needs to remember a failure. The queues are quorum queues: a confirmed message
//! survives a crash of the broker, and a dead-lettered one leaves its queue only when the next queue has it.

use lapin::{
    Channel, ExchangeKind,
    options::{BasicQosOptions, ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions},
    types::{AMQPValue, FieldTable},
};

/// The exchange of the shop.
pub const EXCHANGE: &str = "shop";
/// The routing key of a placed order.
pub const ROUTING_KEY: &str = "order.placed";
/// The queue of messages that ask for a confirmation.
pub const QUEUE: &str = "email";
/// The queue in which a message waits after a failure.
pub const RETRY_QUEUE: &str = "email.retry";
/// The queue of messages that failed three times, for a person to look at.
pub const DEAD_QUEUE: &str = "email.dead";

/// How long a message waits before it is tried again.
const RETRY_AFTER_MS: i32 = 1_000;

/// The number of messages that are processed at the same time.
const PREFETCH: u16 = 32;

/// Declares exchange, queues and bindings on a new channel. Existing ones with the same properties stay
/// unchanged.
///
/// # Errors
///
/// When the broker refuses, for example because a queue exists with other properties.
pub async fn declare(channel: Channel) -> lapin::Result<()> {
    let durable = ExchangeDeclareOptions {
        durable: true,
        ..ExchangeDeclareOptions::default()
    };
    channel
        .exchange_declare(
            EXCHANGE.into(),
            ExchangeKind::Topic,
            durable,
            FieldTable::default(),
        )
        .await?;
    queue(&channel, QUEUE, dead_lettered_to(RETRY_QUEUE)).await?;
    let mut retry = dead_lettered_to(QUEUE);
    retry.insert("x-message-ttl".into(), AMQPValue::LongInt(RETRY_AFTER_MS));
    queue(&channel, RETRY_QUEUE, retry).await?;
    queue(&channel, DEAD_QUEUE, FieldTable::default()).await?;
    channel
        .queue_bind(
            QUEUE.into(),
            EXCHANGE.into(),
            ROUTING_KEY.into(),
            QueueBindOptions::default(),
            FieldTable::default(),
        )
        .await?;
    channel
        .basic_qos(PREFETCH, BasicQosOptions::default())
        .await
}

/// The number of consumers of the queue, which must be declared.
///
/// # Errors
///
/// When the broker is away, or does not have the queue.
pub async fn consumers(channel: &Channel) -> lapin::Result<u32> {
    let passive = QueueDeclareOptions {
        passive: true,
        ..QueueDeclareOptions::default()
    };
    let queue = channel
        .queue_declare(QUEUE.into(), passive, FieldTable::default())
        .await?;
    Ok(queue.consumer_count())
}

async fn queue(channel: &Channel, name: &str, arguments: FieldTable) -> lapin::Result<()> {
    let durable = QueueDeclareOptions {
        durable: true,
        ..QueueDeclareOptions::default()
    };
    channel
        .queue_declare(name.into(), durable, with_quorum(arguments))
        .await
        .map(drop)
}

fn with_quorum(mut arguments: FieldTable) -> FieldTable {
    let quorum = AMQPValue::LongString("quorum".into());
    arguments.insert("x-queue-type".into(), quorum);
    arguments
}

/// Uses the default exchange, whose routing keys are the names of queues.
fn dead_lettered_to(queue: &str) -> FieldTable {
    let mut arguments = FieldTable::default();
    arguments.insert(
        "x-dead-letter-exchange".into(),
        AMQPValue::LongString("".into()),
    );
    arguments.insert(
        "x-dead-letter-routing-key".into(),
        AMQPValue::LongString(queue.into()),
    );
    // RabbitMQ supports at-least-once dead-lettering only for queues that refuse messages beyond their
    // limit.
    for (name, value) in [
        ("x-dead-letter-strategy", "at-least-once"),
        ("x-overflow", "reject-publish"),
    ] {
        arguments.insert(name.into(), AMQPValue::LongString(value.into()));
    }
    arguments
}
