//! The embedded broker as a process: confirmed messages survive a kill of the broker, and a full disk.

use std::{
    collections::HashSet,
    fs,
    path::Path,
    process::Stdio,
    sync::{Arc, Mutex},
};

use futures::StreamExt;
use lapin::{
    BasicProperties, Channel, Connection, ConnectionProperties,
    options::{BasicAckOptions, BasicConsumeOptions, ConfirmSelectOptions, QueueDeclareOptions},
    types::FieldTable,
};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    time::timeout,
};

use crate::{
    node::free_ports,
    support::{PATIENCE, binary, disk_of, eventually, on_a_disk_of},
};

struct Broker {
    child: Child,
}

// === impl Broker ===

impl Broker {
    fn start(port: u16, store: &Path) -> Broker {
        let child = command(port, store).spawn().unwrap();
        Broker { child }
    }

    async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }
}

fn command(port: u16, store: &Path) -> Command {
    let mut command = Command::new(binary());
    command
        .args([
            "broker",
            "--listen",
            &format!("127.0.0.1:{port}"),
            "--store",
        ])
        .arg(store)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// Opens a channel in confirm mode with the queue declared on it, as soon as a broker answers.
async fn channel(port: u16) -> (Connection, Channel) {
    eventually("the broker to answer", async || {
        try_channel(port).await.ok()
    })
    .await
}

async fn try_channel(port: u16) -> lapin::Result<(Connection, Channel)> {
    let url = format!("amqp://guest:guest@127.0.0.1:{port}/%2f");
    let connection = Connection::connect(&url, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    let durable = QueueDeclareOptions {
        durable: true,
        ..QueueDeclareOptions::default()
    };
    channel
        .queue_declare("q".into(), durable, FieldTable::default())
        .await?;
    channel
        .confirm_select(ConfirmSelectOptions::default())
        .await?;
    Ok((connection, channel))
}

/// Publishes numbers from `first` on, `step` apart, and returns the confirmed ones. A number that was not
/// confirmed is given up, and the next one is tried.
async fn publish(port: u16, first: u64, step: usize, confirmed: Arc<Mutex<HashSet<u64>>>) {
    let mut numbers = (first..).step_by(step);
    loop {
        let (_connection, channel) = channel(port).await;
        loop {
            let number = numbers.next().unwrap();
            match publish_one(&channel, number).await {
                Ok(true) => confirmed.lock().unwrap().insert(number),
                Ok(false) => panic!("{number} was refused"),
                Err(_) => break,
            };
        }
    }
}

async fn publish_one(channel: &Channel, number: u64) -> lapin::Result<bool> {
    let body = number.to_string();
    let sent = channel.basic_publish(
        "".into(),
        "q".into(),
        lapin::options::BasicPublishOptions::default(),
        body.as_bytes(),
        BasicProperties::default().with_delivery_mode(2),
    );
    Ok(sent.await?.await?.is_ack())
}

/// Consumes messages, and acknowledges every other one; the rest are delivered again.
async fn consume(port: u16, received: Arc<Mutex<HashSet<u64>>>) {
    loop {
        let (_connection, channel) = channel(port).await;
        let consumer = channel.basic_consume(
            "q".into(),
            "".into(),
            BasicConsumeOptions::default(),
            FieldTable::default(),
        );
        let Ok(mut deliveries) = consumer.await else {
            continue;
        };
        while let Some(Ok(delivery)) = deliveries.next().await {
            let number = std::str::from_utf8(&delivery.data)
                .unwrap()
                .parse()
                .unwrap();
            received.lock().unwrap().insert(number);
            if number % 2 == 0 && delivery.ack(BasicAckOptions::default()).await.is_err() {
                break;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_was_confirmed_is_lost_when_the_broker_is_killed() {
    let folder = TempDir::new().unwrap();
    let store = folder.path().join("broker.db");
    let [port] = free_ports();
    let mut broker = Broker::start(port, &store);
    let confirmed = Arc::new(Mutex::new(HashSet::new()));
    let received = Arc::new(Mutex::new(HashSet::new()));
    let mut tasks = tokio::task::JoinSet::new();
    for publisher in 0..8 {
        tasks.spawn(publish(port, publisher, 8, Arc::clone(&confirmed)));
    }
    tasks.spawn(consume(port, Arc::clone(&received)));
    for _ in 0..5 {
        let before = confirmed.lock().unwrap().len();
        eventually("messages to be confirmed", async || {
            (confirmed.lock().unwrap().len() > before + 100).then_some(())
        })
        .await;
        broker.kill().await;
        broker = Broker::start(port, &store);
    }
    tasks.shutdown().await;
    let confirmed = Arc::into_inner(confirmed).unwrap().into_inner().unwrap();
    let consumer = tokio::spawn(consume(port, Arc::clone(&received)));
    eventually("all that was confirmed to be received", async || {
        confirmed.is_subset(&received.lock().unwrap()).then_some(())
    })
    .await;
    consumer.abort();
}

#[tokio::test]
async fn a_full_disk_delays_the_confirm_and_loses_nothing() {
    let folder = TempDir::new().unwrap();
    let disk = folder.path().join("disk");
    fs::create_dir(&disk).unwrap();
    let [port] = free_ports();
    let mut child = on_a_disk_of("2m", &disk, &command(port, &disk.join("broker.db")))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let pid = Pid::from_raw(i32::try_from(child.id().unwrap()).unwrap()).unwrap();
    let (connection, channel) = channel(port).await;
    assert!(publish_one(&channel, 0).await.unwrap());

    let ballast = disk_of(pid, &disk).join("ballast");
    let full = fs::write(&ballast, vec![0; 4 << 20]);
    assert!(full.is_err(), "the disk is larger than was said");
    let waiting = (1..200).map(|number| publish_one(&channel, number));
    let mut waiting = Box::pin(futures::future::join_all(waiting));
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let said = async {
        while let Some(line) = lines.next_line().await.unwrap() {
            if line.contains("cannot write the broker's store") {
                return line;
            }
        }
        panic!("the broker has ended");
    };
    let said = tokio::select! {
        said = timeout(PATIENCE, said) => said.unwrap(),
        _ = &mut waiting => panic!("messages were confirmed that cannot be kept"),
    };
    assert!(said.contains("full"), "{said}");
    // From now on nothing reads its output.
    drop(lines);
    fs::remove_file(&ballast).unwrap();
    let confirms = timeout(PATIENCE, waiting).await.unwrap();
    assert!(confirms.into_iter().all(|confirm| confirm.unwrap()));
    connection.close(200, "".into()).await.unwrap();
    kill_process(pid, Signal::KILL).unwrap();
    child.wait().await.unwrap();
}
