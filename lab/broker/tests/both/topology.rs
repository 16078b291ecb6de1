//! Short words for what is declared, bound and deleted: exchanges, queues, bindings.

use lapin::options::{
    ConfirmSelectOptions, ExchangeBindOptions, ExchangeDeclareOptions, ExchangeDeleteOptions,
    ExchangeUnbindOptions, QueueBindOptions, QueueDeclareOptions, QueueDeleteOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, Connection, ExchangeKind, Queue};

use crate::support::{TestBroker, declare, table};

/// A broker that has just started, with a client. The first of the two must be kept.
pub(crate) async fn broker_and_channel() -> ((TestBroker, Connection), Channel) {
    let broker = TestBroker::start().await;
    let (connection, channel) = broker.channel().await;
    ((broker, connection), channel)
}

/// Has the broker confirm what is published from now on.
pub(crate) async fn confirm(channel: &Channel) {
    let options = ConfirmSelectOptions::default();
    channel.confirm_select(options).await.unwrap();
}

// === Exchanges ===

/// Declares an exchange without options or arguments.
pub(crate) async fn exchange(
    channel: &Channel,
    name: &str,
    kind: ExchangeKind,
) -> lapin::Result<()> {
    exchange_with(channel, name, kind, Default::default(), &[]).await
}

pub(crate) async fn exchange_with(
    channel: &Channel,
    name: &str,
    kind: ExchangeKind,
    options: ExchangeDeclareOptions,
    arguments: &[(&str, AMQPValue)],
) -> lapin::Result<()> {
    channel
        .exchange_declare(name.into(), kind, options, table(arguments))
        .await
}

pub(crate) fn durable_exchange() -> ExchangeDeclareOptions {
    ExchangeDeclareOptions {
        durable: true,
        ..Default::default()
    }
}

pub(crate) fn auto_delete_exchange() -> ExchangeDeclareOptions {
    ExchangeDeclareOptions {
        auto_delete: true,
        ..Default::default()
    }
}

pub(crate) fn internal_exchange() -> ExchangeDeclareOptions {
    ExchangeDeclareOptions {
        internal: true,
        ..Default::default()
    }
}

/// Asks for an exchange, and closes the channel if there is none.
pub(crate) async fn exchange_exists(channel: &Channel, name: &str) -> lapin::Result<()> {
    let passive = ExchangeDeclareOptions {
        passive: true,
        ..Default::default()
    };
    exchange_with(channel, name, ExchangeKind::Direct, passive, &[]).await
}

pub(crate) async fn delete_exchange(channel: &Channel, name: &str) -> lapin::Result<()> {
    let options = ExchangeDeleteOptions::default();
    channel.exchange_delete(name.into(), options).await
}

pub(crate) async fn delete_unused_exchange(channel: &Channel, name: &str) -> lapin::Result<()> {
    let options = ExchangeDeleteOptions {
        if_unused: true,
        ..Default::default()
    };
    channel.exchange_delete(name.into(), options).await
}

// === Queues ===

/// Declares queues without options or arguments.
pub(crate) async fn queues(channel: &Channel, names: &[&str]) {
    for name in names {
        declare(channel, name, &[]).await.unwrap();
    }
}

pub(crate) async fn queue_with(
    channel: &Channel,
    name: &str,
    options: QueueDeclareOptions,
    arguments: &[(&str, AMQPValue)],
) -> lapin::Result<Queue> {
    channel
        .queue_declare(name.into(), options, table(arguments))
        .await
}

pub(crate) fn durable_queue() -> QueueDeclareOptions {
    QueueDeclareOptions {
        durable: true,
        ..Default::default()
    }
}

pub(crate) fn auto_delete_queue() -> QueueDeclareOptions {
    QueueDeclareOptions {
        auto_delete: true,
        ..Default::default()
    }
}

pub(crate) fn exclusive_queue() -> QueueDeclareOptions {
    QueueDeclareOptions {
        exclusive: true,
        ..Default::default()
    }
}

/// Asks for a queue, and closes the channel if there is none.
pub(crate) async fn queue_exists(channel: &Channel, name: &str) -> lapin::Result<Queue> {
    let passive = QueueDeclareOptions {
        passive: true,
        ..Default::default()
    };
    queue_with(channel, name, passive, &[]).await
}

/// Returns the number of messages that were in it.
pub(crate) async fn delete_queue(channel: &Channel, name: &str) -> lapin::Result<u32> {
    let options = QueueDeleteOptions::default();
    channel.queue_delete(name.into(), options).await
}

// === Bindings ===

pub(crate) async fn bind(
    channel: &Channel,
    queue: &str,
    exchange: &str,
    key: &str,
) -> lapin::Result<()> {
    bind_with(channel, queue, exchange, key, &[]).await
}

pub(crate) async fn bind_with(
    channel: &Channel,
    queue: &str,
    exchange: &str,
    key: &str,
    arguments: &[(&str, AMQPValue)],
) -> lapin::Result<()> {
    let (options, arguments) = (QueueBindOptions::default(), table(arguments));
    channel
        .queue_bind(
            queue.into(),
            exchange.into(),
            key.into(),
            options,
            arguments,
        )
        .await
}

pub(crate) async fn unbind(
    channel: &Channel,
    queue: &str,
    exchange: &str,
    key: &str,
) -> lapin::Result<()> {
    let arguments = FieldTable::default();
    channel
        .queue_unbind(queue.into(), exchange.into(), key.into(), arguments)
        .await
}

/// Binds exchange `to` to exchange `from`.
pub(crate) async fn link(channel: &Channel, from: &str, to: &str, key: &str) -> lapin::Result<()> {
    let (options, arguments) = (ExchangeBindOptions::default(), FieldTable::default());
    channel
        .exchange_bind(to.into(), from.into(), key.into(), options, arguments)
        .await
}

/// The opposite of [`link`].
pub(crate) async fn unlink(
    channel: &Channel,
    from: &str,
    to: &str,
    key: &str,
) -> lapin::Result<()> {
    let (options, arguments) = (ExchangeUnbindOptions::default(), FieldTable::default());
    channel
        .exchange_unbind(to.into(), from.into(), key.into(), options, arguments)
        .await
}
