//! A broker for one test, short words for what lapin spells out, and a bare connection.

use std::fmt::Debug;
use std::future::Future;
use std::time::Duration;

use amq_protocol::frame::{AMQPFrame, WriteContext, gen_frame, parse_frame};
use amq_protocol::protocol::{AMQPClass, channel, connection};
use broker::Config;
use futures::StreamExt;
use lapin::message::Delivery;
use lapin::options::{
    BasicConsumeOptions, BasicGetOptions, BasicPublishOptions, QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties, Consumer, ErrorKind};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

/// How long anything may take before a test gives up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A broker on a free port, which stops when it is dropped.
pub(crate) struct TestBroker {
    pub(crate) address: String,
    shutdown: CancellationToken,
    task: Option<JoinHandle<Result<(), broker::StoreError>>>,
}

impl TestBroker {
    pub(crate) async fn start() -> Self {
        Self::start_with(Config::default()).await
    }

    pub(crate) async fn start_with(config: Config) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let shutdown = CancellationToken::new();
        let task = tokio::spawn(broker::run(listener, config, shutdown.clone()));
        Self {
            address,
            shutdown,
            task: Some(task),
        }
    }

    pub(crate) async fn connect(&self) -> Connection {
        let uri = format!("amqp://guest:guest@{}/%2f", self.address);
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
            received: Vec::new(),
        }
    }

    pub(crate) fn begin_shutdown(&self) {
        self.shutdown.cancel();
    }

    /// Waits until `broker::run` returns.
    pub(crate) async fn ended(mut self) {
        let task = self.task.take().unwrap();
        soon("the broker's end", task).await.unwrap().unwrap();
    }
}

impl Drop for TestBroker {
    fn drop(&mut self) {
        self.shutdown.cancel();
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

/// How many messages wait in a queue.
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
    assert!(
        refusal.get_message().as_str().contains(contains),
        "{:?} does not contain {contains:?}",
        refusal.get_message()
    );
}

/// A connection without a client library.
pub(crate) struct Raw {
    pub(crate) stream: TcpStream,
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
        let start_ok = connection::StartOk {
            client_properties: FieldTable::default(),
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
        self.tune(0, 0, heartbeat).await;
        self.open("/").await;
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
        assert_eq!(close.reply_code, code, "{close:?}");
        assert!(
            close.reply_text.as_str().contains(contains),
            "{close:?} does not contain {contains:?}"
        );
        self.send(
            0,
            AMQPClass::Connection(connection::AMQPMethod::CloseOk(connection::CloseOk {})),
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
