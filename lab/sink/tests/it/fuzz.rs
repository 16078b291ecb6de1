//! Both decoders under fire, over the wire: whatever comes gets one clear answer, and the counts
//! still add up.

use std::cell::Cell;

use proptest::{
    collection::vec,
    prelude::*,
    sample::Index,
    test_runner::{Config as Cases, TestRunner},
};
use prost::Message as _;
use sink::Config;
use testing::corpus::corpus;
use tokio::runtime::Runtime;
use tonic::Code;

use crate::{
    Sink,
    grpc::{http2, send_raw},
    gzip,
    http::{JSON, PROTOBUF, as_json, error},
    request_of, span,
    strange::endure,
    zstd,
};

/// What a hostile sender sends: garbage, or a good request with some bytes changed, cut somewhere.
#[derive(Clone, Debug)]
enum Sent {
    Garbage(Vec<u8>),
    Mutated {
        changes: Vec<(Index, u8)>,
        keep: Index,
    },
}

impl Sent {
    fn any() -> impl Strategy<Value = Sent> {
        prop_oneof![
            vec(any::<u8>(), 0..300).prop_map(Sent::Garbage),
            (vec(any::<(Index, u8)>(), 0..5), any::<Index>())
                .prop_map(|(changes, keep)| Sent::Mutated { changes, keep }),
        ]
    }

    fn bytes(&self, good: &[u8]) -> Vec<u8> {
        match self {
            Sent::Garbage(bytes) => bytes.clone(),
            Sent::Mutated { changes, keep } => {
                let mut bytes = good.to_vec();
                for (at, byte) in changes {
                    let at = at.index(bytes.len());
                    bytes[at] = *byte;
                }
                // Half of them are whole.
                bytes.truncate(bytes.len().min(keep.index(2 * bytes.len())));
                bytes
            }
        }
    }
}

#[test]
fn whatever_comes_is_answered_and_accounted_for() {
    let runtime = Runtime::new().unwrap();
    let sink = runtime.block_on(Sink::start(Config {
        max_bytes: 20_000,
        ..Config::default()
    }));
    let grpc = http2();
    let good = request_of(vec![span(1, 1), span(1, 2), span(2, 3)]);
    let protobuf = good.encode_to_vec();
    let json = as_json(good);
    let mut runner = TestRunner::new(Cases {
        cases: 150,
        failure_persistence: None,
        ..Cases::default()
    });
    let outcome = runner.run(&Sent::any(), |sent| {
        runtime.block_on(async {
            for (content_type, good) in [(PROTOBUF, &protobuf), (JSON, &json)] {
                for (encoding, body) in [
                    (None, sent.bytes(good)),
                    (Some("gzip"), sent.bytes(&gzip(good))),
                    (Some("zstd"), sent.bytes(&zstd(good))),
                ] {
                    let answer = sink.post("/v1/traces", content_type, encoding, body).await;
                    let status = answer.status().as_u16();
                    assert!(status == 200 || status == 400 || status == 413, "{status}");
                    if status != 200 {
                        let (_, message) = error(answer).await;
                        assert!(!message.is_empty(), "it says what is wrong");
                    }
                }
            }
            for (encoding, message) in [
                ("identity", sent.bytes(&protobuf)),
                ("gzip", sent.bytes(&gzip(&protobuf))),
                ("zstd", sent.bytes(&zstd(&protobuf))),
            ] {
                let (code, message) = send_raw(&sink, &grpc, encoding, &message).await;
                let expected = [Code::Ok, Code::InvalidArgument, Code::ResourceExhausted];
                assert!(expected.contains(&code), "{encoding}: {code:?} {message}");
            }
        });
        sink.spans();
        Ok(())
    });
    outcome.unwrap();
    let requests = sink.store.stats().requests;
    assert_eq!(
        requests.accepted + requests.partial + requests.malformed,
        150 * 9,
        "each is counted once"
    );
    assert!(
        requests.accepted > 0 && requests.malformed > 0,
        "both sorts were sent: {requests:?}"
    );
}

#[test]
fn whatever_is_taken_is_read_back() {
    let mut good = request_of(vec![span(1, 1), span(1, 2), span(2, 3)]);
    good.resource_spans[0].schema_url = "u".to_owned();
    let protobuf = good.encode_to_vec();
    let json = as_json(good);
    let taken = Cell::new(0);
    let mut runner = TestRunner::new(Cases {
        cases: 2_000,
        failure_persistence: None,
        ..Cases::default()
    });
    let outcome = runner.run(&Sent::any(), |sent| {
        for good in [&protobuf, &json] {
            taken.set(taken.get() + usize::from(endure(&sent.bytes(good))));
        }
        Ok(())
    });
    outcome.unwrap();
    assert!(taken.get() > 100, "{taken:?}");
}

#[test]
fn every_file_of_the_corpus_is_answered() {
    let files = corpus("requests");
    assert!(files.len() > 400, "{}", files.len());
    let taken = files.iter().filter(|bytes| endure(bytes)).count();
    assert!(taken > 50, "{taken}");
}
