//! The embedded broker as a process: the memory of messages that are gone goes back to the system.

use std::{fs, process::Stdio};

use futures::{StreamExt, future::try_join_all};
use lapin::{
    BasicProperties, Channel, Connection, ConnectionProperties,
    options::{
        BasicConsumeOptions, BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions,
    },
    types::FieldTable,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    process::{Child, Command},
    time::timeout,
};

use crate::support::{PATIENCE, binary, eventually};

const MEBI: usize = 1 << 20;

struct Broker {
    child: Child,
    address: String,
}

// === impl Broker ===

impl Broker {
    async fn start() -> Broker {
        let mut child = Command::new(binary())
            .args(["broker", "--listen", "127.0.0.1:0", "--memory", "128"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap();
        let said: serde_json::Value = serde_json::from_str(&line.unwrap()).unwrap();
        let address = said["listening"].as_str().unwrap().to_owned();
        Broker { child, address }
    }

    /// The bytes of its memory that are in use of the machine's.
    fn resident(&self) -> usize {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id().unwrap()));
        let status = status.unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kibibytes = line.unwrap().trim().strip_suffix(" kB").unwrap();
        kibibytes.parse::<usize>().unwrap() * 1024
    }

    /// Waits until no more than a quarter of what it took beyond `before` is left.
    async fn gives_back(&self, before: usize, full: usize) {
        let most = before + (full - before) / 4;
        eventually("the memory to be given back", async || {
            (self.resident() < most).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn memory_of_consumed_messages_is_given_back_while_its_clients_are_idle() {
    const MESSAGES: usize = 6000;
    let broker = Broker::start().await;
    let url = format!("amqp://guest:guest@{}/%2f", broker.address);
    let connection = Connection::connect(&url, ConnectionProperties::default())
        .await
        .unwrap();
    let channel = connection.create_channel().await.unwrap();
    channel
        .confirm_select(ConfirmSelectOptions::default())
        .await
        .unwrap();
    channel
        .queue_declare(
            "q".into(),
            QueueDeclareOptions::default(),
            FieldTable::default(),
        )
        .await
        .unwrap();
    let before = broker.resident();
    let body = vec![b'x'; 10 << 10];
    let confirms = try_join_all((0..MESSAGES).map(|_| publish(&channel, &body)));
    let confirms = confirms.await.unwrap();
    try_join_all(confirms).await.unwrap();
    let full = broker.resident();
    assert!(full > before + 50 * MEBI, "{full} and {before} before");

    let unacknowledged = BasicConsumeOptions {
        no_ack: true,
        ..BasicConsumeOptions::default()
    };
    let consumer = channel
        .basic_consume("q".into(), "".into(), unacknowledged, FieldTable::default())
        .await
        .unwrap();
    let consumed = consumer.take(MESSAGES).count();
    assert_eq!(timeout(PATIENCE, consumed).await.unwrap(), MESSAGES);
    broker.gives_back(before, full).await;
}

async fn publish(channel: &Channel, body: &[u8]) -> lapin::Result<lapin::PublisherConfirm> {
    let options = BasicPublishOptions::default();
    let properties = BasicProperties::default();
    channel
        .basic_publish("".into(), "q".into(), options, body, properties)
        .await
}

#[tokio::test]
async fn memory_of_half_sent_messages_is_given_back_when_their_connections_end() {
    let broker = Broker::start().await;
    let before = broker.resident();
    let mut connections = Vec::new();
    for _ in 0..8 {
        let mut connection = TcpStream::connect(&broker.address).await.unwrap();
        connection.write_all(&half_a_message()).await.unwrap();
        connections.push(connection);
    }
    let full = eventually("half of the messages", async || {
        Some(broker.resident()).filter(|resident| *resident > before + 40 * MEBI)
    })
    .await;
    drop(connections);
    broker.gives_back(before, full).await;
}

/// All that a client sends up to 6 MiB of a message of 12 MiB: it does not wait for the replies.
fn half_a_message() -> Vec<u8> {
    let mut octets = b"AMQP\0\0\x09\x01".to_vec();
    let mut add = |kind: u8, channel: u16, payload: &[u8]| {
        octets.push(kind);
        octets.extend(channel.to_be_bytes());
        octets.extend(u32::try_from(payload.len()).unwrap().to_be_bytes());
        octets.extend(payload);
        octets.push(0xCE);
    };
    // connection.start-ok, tune-ok and open; channel.open; basic.publish (AMQP 0-9-1, 1.4 to 1.8).
    add(
        1,
        0,
        b"\0\x0a\0\x0b\0\0\0\0\x05PLAIN\0\0\0\x0c\0guest\0guest\x05en_US",
    );
    add(1, 0, b"\0\x0a\0\x1f\x07\xff\0\x02\0\0\0\0");
    add(1, 0, b"\0\x0a\0\x28\x01/\0\0");
    add(1, 1, b"\0\x14\0\x0a\0");
    add(1, 1, b"\0\x3c\0\x28\0\0\0\x01q\0");
    let mut header = b"\0\x3c\0\0".to_vec();
    header.extend((12 * MEBI as u64).to_be_bytes());
    header.extend(b"\0\0");
    add(2, 1, &header);
    for _ in 0..60 {
        add(3, 1, &[b'x'; MEBI / 10]);
    }
    octets
}
