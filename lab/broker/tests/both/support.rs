//! Ways to a broker, short words for what lapin spells out, and a bare connection.

use std::fmt::Debug;
use std::future::Future;
use std::time::Duration;

use amq_protocol::frame::{AMQPFrame, WriteContext, gen_frame, parse_frame};
use amq_protocol::protocol::{AMQPClass, channel, connection};
use futures::StreamExt;
use lapin::message::Delivery;
use lapin::options::{
    BasicConsumeOptions, BasicGetOptions, BasicPublishOptions, QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties, Consumer, ErrorKind};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

pub(crate) use crate::TestBroker;

/// How long anything may take before a test gives up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// What a broker offers as the most, channels and octets of a frame.
pub(crate) const CHANNEL_MAX: u16 = 2047;
pub(crate) const FRAME_MAX: u32 = 131_072;

impl TestBroker {
    pub(crate) async fn connect(&self) -> Connection {
        let vhost = self.vhost.replace('/', "%2f");
        let uri = format!("amqp://guest:guest@{}/{vhost}", self.address);
        soon(
            "connecting",
            Connection::connect(&uri, ConnectionProperties::default()),
        )
        .await
        .unwrap()
    }

    /// A channel on a connection of its own, which must be kept.
    pub(crate) async fn channel(&self) -> (Connection, Channel) {
        let connection = self.connect().await;
        let channel = connection.create_channel().await.unwrap();
        (connection, channel)
    }

    pub(crate) async fn raw(&self) -> Raw {
        Raw {
            stream: TcpStream::connect(&self.address).await.unwrap(),
            vhost: self.vhost.clone(),
            received: Vec::new(),
        }
    }
}

/// Waits for something that must come soon.
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    timeout(PATIENCE, future)
        .await
        .unwrap_or_else(|_| panic!("{what} takes longer than {PATIENCE:?}"))
}

/// Asks again and again until there is an answer.
pub(crate) async fn eventually<T, F: Future<Output = Option<T>>>(
    what: &str,
    mut ask: impl FnMut() -> F,
) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(
            Instant::now() < deadline,
            "{what} has not come to be within {PATIENCE:?}"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

pub(crate) fn table(entries: &[(&str, AMQPValue)]) -> FieldTable {
    let mut table = FieldTable::default();
    for (name, value) in entries {
        table.insert((*name).into(), value.clone());
    }
    table
}

pub(crate) fn text(value: &str) -> AMQPValue {
    AMQPValue::LongString(value.into())
}

pub(crate) fn int(value: i32) -> AMQPValue {
    AMQPValue::LongInt(value)
}

pub(crate) async fn declare(
    channel: &Channel,
    queue: &str,
    arguments: &[(&str, AMQPValue)],
) -> lapin::Result<lapin::Queue> {
    channel
        .queue_declare(
            queue.into(),
            QueueDeclareOptions::default(),
            table(arguments),
        )
        .await
}

/// Waits until so many messages wait in a queue. RabbitMQ answers the question for a count before it
/// has done what it was told earlier.
pub(crate) async fn assert_waiting(channel: &Channel, queue: &str, expected: u32) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let found = waiting(channel, queue).await;
        if found == expected {
            return;
        }
        assert!(
            Instant::now() < deadline,
            "{found} messages wait in {queue}, not {expected}"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// How many messages wait in a queue at this moment.
pub(crate) async fn waiting(channel: &Channel, queue: &str) -> u32 {
    let passive = QueueDeclareOptions {
        passive: true,
        ..Default::default()
    };
    let declared = channel.queue_declare(queue.into(), passive, FieldTable::default());
    soon("a count", declared).await.unwrap().message_count()
}

pub(crate) async fn publish(channel: &Channel, exchange: &str, key: &str, body: &str) {
    publish_with(channel, exchange, key, body, BasicProperties::default()).await;
}

pub(crate) async fn publish_with(
    channel: &Channel,
    exchange: &str,
    key: &str,
    body: &str,
    properties: BasicProperties,
) {
    let options = BasicPublishOptions::default();
    let sent = channel.basic_publish(
        exchange.into(),
        key.into(),
        options,
        body.as_bytes(),
        properties,
    );
    soon("publishing", async { sent.await?.await })
        .await
        .unwrap();
}

/// The next message of a queue, taken for good.
pub(crate) async fn take(channel: &Channel, queue: &str) -> Option<Delivery> {
    next_waiting(channel, queue, true).await
}

/// The next message of a queue, still to be acknowledged.
pub(crate) async fn get(channel: &Channel, queue: &str) -> Option<Delivery> {
    next_waiting(channel, queue, false).await
}

async fn next_waiting(channel: &Channel, queue: &str, no_ack: bool) -> Option<Delivery> {
    let got = channel.basic_get(queue.into(), BasicGetOptions { no_ack });
    soon("an answer to basic.get", got)
        .await
        .unwrap()
        .map(|message| message.delivery)
}

/// Waits for a message to come to a queue, and takes it for good.
pub(crate) async fn arrives(channel: &Channel, queue: &str) -> Delivery {
    eventually(&format!("a message in {queue}"), || take(channel, queue)).await
}

pub(crate) async fn consume(channel: &Channel, queue: &str) -> Consumer {
    let options = BasicConsumeOptions::default();
    channel
        .basic_consume(queue.into(), "".into(), options, FieldTable::default())
        .await
        .unwrap()
}

pub(crate) async fn next(consumer: &mut Consumer) -> Delivery {
    soon("a delivery", consumer.next())
        .await
        .expect("the consumer was cancelled")
        .unwrap()
}

pub(crate) fn body(delivery: &Delivery) -> String {
    String::from_utf8(delivery.data.clone()).unwrap()
}

/// Expects that the broker has refused something with this code, and a text that contains this.
pub(crate) fn assert_refused<T: Debug>(result: lapin::Result<T>, code: u16, contains: &str) {
    let error = result.expect_err("the broker must refuse it");
    let ErrorKind::ProtocolError(refusal) = error.kind() else {
        panic!("not refused by the broker: {error}");
    };
    assert_eq!(refusal.get_id(), code, "{refusal}");
    let text = of_any_vhost(refusal.get_message().as_str());
    assert!(
        text.contains(contains),
        "{text:?} does not contain {contains:?}"
    );
}

/// A text in which the virtual host of one test is called `/`, as everywhere where there is one only.
pub(crate) fn of_any_vhost(text: &str) -> String {
    let Some((before, after)) = text.split_once("vhost 'test-") else {
        return text.to_owned();
    };
    let rest = after.trim_start_matches(|it: char| it.is_ascii_digit());
    format!("{before}vhost '/{rest}")
}

/// A connection without a client library.
pub(crate) struct Raw {
    pub(crate) stream: TcpStream,
    pub(crate) vhost: String,
    received: Vec<u8>,
}

impl Raw {
    pub(crate) async fn write(&mut self, octets: &[u8]) {
        self.stream.write_all(octets).await.unwrap();
    }

    pub(crate) async fn send(&mut self, channel: u16, method: AMQPClass) {
        self.write(&frame(&AMQPFrame::Method(channel, method)))
            .await;
    }

    /// The next frame; none when the broker has closed.
    pub(crate) async fn receive(&mut self) -> Option<AMQPFrame> {
        soon("a frame", async {
            loop {
                if let Ok((rest, frame)) = parse_frame(self.received.as_slice()) {
                    self.received = rest.to_vec();
                    return Some(frame);
                }
                match self.stream.read_buf(&mut self.received).await {
                    Ok(0) | Err(_) => return None,
                    Ok(_) => {}
                }
            }
        })
        .await
    }

    /// The next method, heartbeats aside.
    pub(crate) async fn method(&mut self) -> AMQPClass {
        loop {
            match self.receive().await {
                Some(AMQPFrame::Method(_, method)) => return method,
                Some(AMQPFrame::Heartbeat) => {}
                other => panic!("expected a method, got {other:?}"),
            }
        }
    }

    /// Goes through the handshake up to `connection.start`.
    pub(crate) async fn greet(&mut self) -> connection::Start {
        self.write(b"AMQP\0\0\x09\x01").await;
        match self.method().await {
            AMQPClass::Connection(connection::AMQPMethod::Start(start)) => start,
            other => panic!("expected connection.start, got {other:?}"),
        }
    }

    pub(crate) async fn start_ok(&mut self, mechanism: &str, response: &[u8]) {
        let capabilities = table(&[("authentication_failure_close", AMQPValue::Boolean(true))]);
        let start_ok = connection::StartOk {
            client_properties: table(&[("capabilities", AMQPValue::FieldTable(capabilities))]),
            mechanism: mechanism.into(),
            response: response.into(),
            locale: "en_US".into(),
        };
        self.send(
            0,
            AMQPClass::Connection(connection::AMQPMethod::StartOk(start_ok)),
        )
        .await;
    }

    /// Answers `connection.tune`, which it returns, with these wishes.
    pub(crate) async fn tune(
        &mut self,
        channel_max: u16,
        frame_max: u32,
        heartbeat: u16,
    ) -> connection::Tune {
        let tune = match self.method().await {
            AMQPClass::Connection(connection::AMQPMethod::Tune(tune)) => tune,
            other => panic!("expected connection.tune, got {other:?}"),
        };
        let ok = connection::TuneOk {
            channel_max,
            frame_max,
            heartbeat,
        };
        self.send(0, AMQPClass::Connection(connection::AMQPMethod::TuneOk(ok)))
            .await;
        tune
    }

    pub(crate) async fn open(&mut self, vhost: &str) {
        let open = connection::Open {
            virtual_host: vhost.into(),
        };
        self.send(0, AMQPClass::Connection(connection::AMQPMethod::Open(open)))
            .await;
    }

    /// Goes through the whole handshake, and opens channel 1.
    pub(crate) async fn open_channel(&mut self, heartbeat: u16) {
        self.greet().await;
        self.start_ok("PLAIN", b"\0guest\0guest").await;
        self.tune(CHANNEL_MAX, FRAME_MAX, heartbeat).await;
        let vhost = self.vhost.clone();
        self.open(&vhost).await;
        assert!(matches!(
            self.method().await,
            AMQPClass::Connection(connection::AMQPMethod::OpenOk(_))
        ));
        self.send(
            1,
            AMQPClass::Channel(channel::AMQPMethod::Open(channel::Open {})),
        )
        .await;
        assert!(matches!(
            self.method().await,
            AMQPClass::Channel(channel::AMQPMethod::OpenOk(_))
        ));
    }

    /// Expects the connection to be closed by the broker with this code, acknowledges that, and
    /// expects the end of the stream.
    pub(crate) async fn assert_closed_with(&mut self, code: u16, contains: &str) {
        let close = match self.method().await {
            AMQPClass::Connection(connection::AMQPMethod::Close(close)) => close,
            other => panic!("expected connection.close {code}, got {other:?}"),
        };
        self.check_close(close, code, contains).await;
    }

    /// The same of what goes wrong in the handshake, where RabbitMQ waits for some seconds and then
    /// closes without a word.
    pub(crate) async fn assert_ended_with(&mut self, code: u16, contains: &str) {
        match self.receive().await {
            Some(AMQPFrame::Method(
                0,
                AMQPClass::Connection(connection::AMQPMethod::Close(close)),
            )) => self.check_close(close, code, contains).await,
            None if !TestBroker::SAYS_WHY => {}
            other => panic!("expected connection.close {code}, got {other:?}"),
        }
    }

    async fn check_close(&mut self, close: connection::Close, code: u16, contains: &str) {
        assert_eq!(close.reply_code, code, "{close:?}");
        let text = of_any_vhost(close.reply_text.as_str());
        assert!(
            text.contains(contains),
            "{text:?} does not contain {contains:?}"
        );
        let ok = connection::CloseOk {};
        self.send(
            0,
            AMQPClass::Connection(connection::AMQPMethod::CloseOk(ok)),
        )
        .await;
        assert_eq!(self.receive().await, None);
    }
}

/// The octets of a frame.
pub(crate) fn frame(frame: &AMQPFrame) -> Vec<u8> {
    gen_frame(frame)(WriteContext::from(Vec::new()))
        .unwrap()
        .write
}
