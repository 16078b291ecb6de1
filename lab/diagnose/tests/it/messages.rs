//! Messages: late, again, given up.

use testing::traces::{SpanExt, TraceBuilder};
use trace::Kind::{Consumer, Producer, Server};

use crate::findings::found;

/// An order whose message is processed from one millisecond to another, well or not.
fn processed(attempts: &[(f64, f64, bool)]) -> TraceBuilder {
    let mut make = TraceBuilder::new(1);
    make.span((1, 0), "web", Server, "POST /orders", (0.0, 100.0));
    make.span((2, 1), "web", Producer, "send orders", (90.0, 91.0))
        .with("messaging.message.id", "m-1");
    for (number, (from, to, fails)) in (10..).zip(attempts) {
        let span = make.span(
            (number, 2),
            "mail",
            Consumer,
            "process orders",
            (*from, *to),
        );
        span.with("messaging.message.id", "m-1");
        if *fails {
            span.throws("SMTPException", "no such mailbox");
        }
    }
    make
}

#[test]
fn a_message_that_lay_in_its_queue_is_late() {
    assert_eq!(
        found(processed(&[(1_500.0, 1_520.0, false)])),
        ["queue-delay"]
    );
    assert_eq!(found(processed(&[(300.0, 310.0, false)])), ["queue-delay"]);
    assert!(found(processed(&[(92.0, 130.0, false)])).is_empty());
    assert!(
        found(processed(&[(150.0, 160.0, false)])).is_empty(),
        "not for long"
    );
}

#[test]
fn a_message_that_was_processed_comes_again_only_if_its_acknowledgement_was_lost() {
    assert_eq!(
        found(processed(&[(92.0, 100.0, false), (110.0, 112.0, false)])),
        ["redelivery"]
    );
    assert!(
        found(processed(&[(92.0, 100.0, true), (110.0, 120.0, false)])).is_empty(),
        "tried again"
    );
}

#[test]
fn a_message_that_is_given_up_is_a_dead_letter() {
    let mut make = processed(&[
        (92.0, 93.0, true),
        (110.0, 111.0, true),
        (130.0, 132.0, true),
    ]);
    make.span(
        (20, 12),
        "mail",
        Producer,
        "send orders.dlq",
        (131.0, 131.5),
    )
    .with("messaging.destination.name", "orders.dlq");
    assert_eq!(found(make), ["dead-letter"]);
    let failing = processed(&[(92.0, 93.0, true), (110.0, 111.0, true)]);
    assert_eq!(found(failing), ["error"], "it is not given up yet");
}
