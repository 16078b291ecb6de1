//! Random octets and mutilated conversations on a real connection: it ends, by a reply code or by the
//! end of the stream, and the broker goes on serving others.

use std::sync::OnceLock;
use std::time::Duration;

use amq_protocol::frame::{AMQPFrame, parse_frame};
use amq_protocol::protocol::{AMQPClass, basic, channel, connection, queue};
use lapin::types::FieldTable;
use proptest::collection::vec;
use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;

use crate::support::{TestBroker, declare, frame, publish, soon, take};

const CASES: u32 = 128;

/// One broker for all cases, so that what one leaves behind meets the next.
struct Fixture {
    runtime: Runtime,
    broker: TestBroker,
}

fn fixture() -> &'static Fixture {
    static FIXTURE: OnceLock<Fixture> = OnceLock::new();
    FIXTURE.get_or_init(|| {
        let runtime = Runtime::new().unwrap();
        let broker = runtime.block_on(TestBroker::start());
        Fixture { runtime, broker }
    })
}

/// A conversation without a fault, from the protocol header to the close.
fn conversation() -> Vec<Vec<u8>> {
    let method = |channel, method| frame(&AMQPFrame::Method(channel, method));
    let start_ok = connection::StartOk {
        client_properties: FieldTable::default(),
        mechanism: "PLAIN".into(),
        response: b"\0guest\0guest"[..].into(),
        locale: "en_US".into(),
    };
    let tune_ok = connection::TuneOk {
        channel_max: 10,
        frame_max: 8192,
        heartbeat: 0,
    };
    let declare = queue::Declare {
        queue: "fuzz".into(),
        passive: false,
        durable: false,
        exclusive: false,
        auto_delete: false,
        nowait: false,
        arguments: FieldTable::default(),
    };
    let consume = basic::Consume {
        queue: "fuzz".into(),
        consumer_tag: "t".into(),
        no_local: false,
        no_ack: false,
        exclusive: false,
        nowait: false,
        arguments: FieldTable::default(),
    };
    let publish = basic::Publish {
        exchange: "".into(),
        routing_key: "fuzz".into(),
        mandatory: true,
        immediate: false,
    };
    let mut header = vec![2, 0, 1, 0, 0, 0, 14, 0, 60, 0, 0];
    header.extend(3_u64.to_be_bytes());
    header.extend([0, 0, 0xCE]);
    let close = connection::Close {
        reply_code: 200,
        reply_text: "bye".into(),
        class_id: 0,
        method_id: 0,
    };
    vec![
        b"AMQP\0\0\x09\x01".to_vec(),
        method(
            0,
            AMQPClass::Connection(connection::AMQPMethod::StartOk(start_ok)),
        ),
        method(
            0,
            AMQPClass::Connection(connection::AMQPMethod::TuneOk(tune_ok)),
        ),
        method(
            0,
            AMQPClass::Connection(connection::AMQPMethod::Open(connection::Open {
                virtual_host: "/".into(),
            })),
        ),
        method(
            1,
            AMQPClass::Channel(channel::AMQPMethod::Open(channel::Open {})),
        ),
        method(1, AMQPClass::Queue(queue::AMQPMethod::Declare(declare))),
        method(
            1,
            AMQPClass::Basic(basic::AMQPMethod::Qos(basic::Qos {
                prefetch_count: 1,
                global: false,
            })),
        ),
        method(1, AMQPClass::Basic(basic::AMQPMethod::Consume(consume))),
        method(1, AMQPClass::Basic(basic::AMQPMethod::Publish(publish))),
        header,
        frame(&AMQPFrame::Body(1, b"abc".to_vec())),
        method(
            1,
            AMQPClass::Basic(basic::AMQPMethod::Ack(basic::Ack {
                delivery_tag: 1,
                multiple: false,
            })),
        ),
        method(
            0,
            AMQPClass::Connection(connection::AMQPMethod::Close(close)),
        ),
    ]
}

#[derive(Debug, Clone)]
enum Mutation {
    Flip {
        at: prop::sample::Index,
        with: u8,
    },
    Insert {
        at: prop::sample::Index,
        octets: Vec<u8>,
    },
    Cut {
        at: prop::sample::Index,
        length: usize,
    },
    SwapFrames {
        a: prop::sample::Index,
        b: prop::sample::Index,
    },
    RepeatFrame {
        which: prop::sample::Index,
    },
    DropFrame {
        which: prop::sample::Index,
    },
}

fn mutation() -> impl Strategy<Value = Mutation> {
    prop_oneof![
        (any::<prop::sample::Index>(), 1_u8..).prop_map(|(at, with)| Mutation::Flip { at, with }),
        (any::<prop::sample::Index>(), vec(any::<u8>(), 1..8))
            .prop_map(|(at, octets)| Mutation::Insert { at, octets }),
        (any::<prop::sample::Index>(), 1_usize..8)
            .prop_map(|(at, length)| Mutation::Cut { at, length }),
        (any::<prop::sample::Index>(), any::<prop::sample::Index>())
            .prop_map(|(a, b)| Mutation::SwapFrames { a, b }),
        any::<prop::sample::Index>().prop_map(|which| Mutation::RepeatFrame { which }),
        any::<prop::sample::Index>().prop_map(|which| Mutation::DropFrame { which }),
    ]
}

/// The conversation with its frames mutated first, then its octets. The protocol header stays whole, so
/// that most cases come further than that.
fn mutilated(mutations: &[Mutation]) -> Vec<u8> {
    let mut frames = conversation().split_off(1);
    for mutation in mutations {
        if frames.is_empty() {
            break;
        }
        match mutation {
            Mutation::SwapFrames { a, b } => {
                let (a, b) = (a.index(frames.len()), b.index(frames.len()));
                frames.swap(a, b);
            }
            Mutation::RepeatFrame { which } => {
                let which = which.index(frames.len());
                frames.insert(which, frames[which].clone());
            }
            Mutation::DropFrame { which } => {
                frames.remove(which.index(frames.len()));
            }
            _ => {}
        }
    }
    let mut octets = frames.concat();
    for mutation in mutations {
        if octets.is_empty() {
            break;
        }
        match mutation {
            Mutation::Flip { at, with } => {
                let at = at.index(octets.len());
                octets[at] ^= with;
            }
            Mutation::Insert { at, octets: more } => {
                let at = at.index(octets.len());
                octets.splice(at..at, more.iter().copied());
            }
            Mutation::Cut { at, length } => {
                let at = at.index(octets.len());
                octets.drain(at..(at + length).min(octets.len()));
            }
            _ => {}
        }
    }
    [&conversation()[0], octets.as_slice()].concat()
}

/// Sends it, closes its own side, and reads to the end, which must come and be made of whole frames.
async fn survive(broker: &TestBroker, octets: &[u8]) {
    let mut stream = TcpStream::connect(&broker.address).await.unwrap();
    // The broker may have closed before all is written.
    let _ = stream.write_all(octets).await;
    let _ = stream.shutdown().await;
    let mut answer = Vec::new();
    // The end may be a reset, when the broker has closed with octets unread.
    let _ = soon("the end of the connection", stream.read_to_end(&mut answer)).await;
    let mut rest = answer.as_slice();
    while !rest.is_empty() {
        let (next, _) =
            parse_frame(rest).unwrap_or_else(|error| panic!("{error:?} in the answer {answer:?}"));
        rest = next;
    }
}

async fn serves_others(broker: &TestBroker) {
    let (connection, channel) = broker.channel().await;
    declare(&channel, "bystander", &[]).await.unwrap();
    publish(&channel, "", "bystander", "m").await;
    assert!(take(&channel, "bystander").await.is_some());
    soon("closing", connection.close(200, "bye".into()))
        .await
        .unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: CASES, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_octets_end_the_connection_and_nothing_else(
        octets in vec(any::<u8>(), 0..400),
        after in 0_usize..5,
    ) {
        let Fixture { runtime, broker } = fixture();
        let mut sent = conversation()[..after].concat();
        sent.extend(octets);
        runtime.block_on(async {
            survive(broker, &sent).await;
            serves_others(broker).await;
        });
    }

    #[test]
    fn a_mutilated_conversation_ends_the_connection_and_nothing_else(mutations in vec(mutation(), 1..5)) {
        let Fixture { runtime, broker } = fixture();
        runtime.block_on(async {
            survive(broker, &mutilated(&mutations)).await;
            serves_others(broker).await;
        });
    }
}

#[tokio::test]
async fn the_conversation_itself_is_without_fault() {
    let broker = TestBroker::start().await;
    let mut raw = broker.raw().await;
    raw.write(&conversation().concat()).await;
    raw.stream.shutdown().await.unwrap();
    let mut last = None;
    while let Some(frame) = raw.receive().await {
        last = Some(frame);
    }
    let close_ok = AMQPClass::Connection(connection::AMQPMethod::CloseOk(connection::CloseOk {}));
    assert_eq!(last, Some(AMQPFrame::Method(0, close_ok)));
}

#[tokio::test]
async fn a_frame_may_come_octet_by_octet() {
    let broker = TestBroker::start().await;
    let mut raw = broker.raw().await;
    raw.stream.set_nodelay(true).unwrap();
    for octet in conversation().concat() {
        raw.write(&[octet]).await;
        tokio::task::yield_now().await;
    }
    raw.stream.shutdown().await.unwrap();
    let mut frames = 0;
    while raw.receive().await.is_some() {
        frames += 1;
    }
    assert!(frames >= 9, "start, tune, open-ok, …, close-ok: {frames}");
    tokio::time::timeout(Duration::from_secs(20), serves_others(&broker))
        .await
        .unwrap();
}
