//! The queues of the email service, and the way of a message that fails.
//!
//! ```text
//! exchange shop ──order.placed──▶ queue email ──rejected──▶ queue email.retry
//!                                     ▲                          │ TTL
//!                                     └──────────expired─────────┘
//!                       third failure ──▶ queue email.dead
//! ```
//!
//! It works the same on the embedded broker and on RabbitMQ. The broker counts the rounds in the
//! header `x-death`, so no consumer needs to remember a failure. The queues are quorum queues: what is
//! confirmed survives the broker, and what dies leaves its queue only when the next one has it.

use lapin::{
    Channel, ExchangeKind,
    options::{BasicQosOptions, ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions},
    types::{AMQPValue, FieldTable},
};

/// The exchange of the shop.
pub const EXCHANGE: &str = "shop";
/// What a placed order is published with.
pub const ROUTING_KEY: &str = "order.placed";
/// What is to be confirmed.
pub const QUEUE: &str = "email";
/// Where a message waits after a failure.
pub const RETRY_QUEUE: &str = "email.retry";
/// Where a message ends that failed three times, for a person to look at.
pub const DEAD_QUEUE: &str = "email.dead";

/// How long a message waits before it is tried again.
const RETRY_AFTER_MS: i32 = 1_000;

/// How many messages are worked on at once.
const PREFETCH: u16 = 32;

/// Declares all of it on a new channel. What is there already, and the same, stays as it is.
///
/// # Errors
///
/// When the broker refuses, as it does if a queue is declared otherwise.
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

/// How many consume from the queue, which must be declared.
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

/// Through the default exchange, whose routing keys are the names of queues.
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
    // RabbitMQ has at-least-once only for queues that refuse what is too much.
    for (name, value) in [
        ("x-dead-letter-strategy", "at-least-once"),
        ("x-overflow", "reject-publish"),
    ] {
        arguments.insert(name.into(), AMQPValue::LongString(value.into()));
    }
    arguments
}
