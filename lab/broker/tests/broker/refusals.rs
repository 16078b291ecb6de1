//! What this broker refuses, and RabbitMQ lets pass, or ends without a word.

use amq_protocol::protocol::{AMQPClass, channel, tx};

use crate::both::refusals::{Violation, assert_refused, body, header, method, publish};

/// A queue.declare whose arguments are a thousand arrays within each other.
fn nested() -> Vec<u8> {
    let mut value = Vec::new();
    for _ in 0..1000 {
        let mut outer = vec![b'A'];
        outer.extend((value.len() as u32).to_be_bytes());
        outer.extend(value);
        value = outer;
    }
    let mut table = b"\x01a".to_vec();
    table.extend(value);
    let mut payload = b"\0\x32\0\x0a\0\0\x01q\0".to_vec();
    payload.extend((table.len() as u32).to_be_bytes());
    payload.extend(table);
    let mut octets = vec![1, 0, 1];
    octets.extend((payload.len() as u32).to_be_bytes());
    octets.extend(payload);
    octets.push(0xCE);
    octets
}

#[tokio::test]
async fn each_violation_has_its_code_and_harms_nobody_else() {
    let violations: Vec<Violation> = vec![
        (
            "an unknown class",
            b"\x01\0\x01\0\0\0\x04\x03\x55\0\x0a\xCE".to_vec(),
            503,
            "unknown class 853",
        ),
        ("nested without end", nested(), 502, "nested deeper"),
        (
            "a channel above the limit",
            method(
                3000,
                AMQPClass::Channel(channel::AMQPMethod::Open(channel::Open {})),
            ),
            504,
            "channel_max",
        ),
        (
            "a body too long",
            [method(1, publish()), header(60, 2), body(b"abc")].concat(),
            505,
            "longer than the 2 octets",
        ),
        (
            "properties unknown to AMQP",
            [
                method(1, publish()),
                b"\x02\0\x01\0\0\0\x0e\0\x3c\0\0\0\0\0\0\0\0\0\0\0\x01\xCE".to_vec(),
            ]
            .concat(),
            502,
            "content header",
        ),
        (
            "transactions",
            method(1, AMQPClass::Tx(tx::AMQPMethod::Select(tx::Select {}))),
            540,
            "transactions",
        ),
    ];
    assert_refused(violations).await;
}
