//! Moments in a span.

use trace::{Attributes, Value};

use super::{
    Case, Group, Made,
    maker::{MS, Maker, one},
};

const fn case(name: &'static str, why: &'static str, make: fn(&mut Maker) -> Made) -> Case {
    Case {
        name,
        group: Group::Events,
        why,
        make,
    }
}

pub(super) const CASES: &[Case] = &[
    case("event", "A moment with nothing but a name.", |maker| {
        let mut root = maker.root();
        root.events = vec![maker.event("cache miss", 5)];
        Made::one(vec![root])
    }),
    case(
        "exception",
        "How every SDK records an error: type, message and stack of many lines.",
        |maker| {
            let mut root = maker.root();
            let mut event = maker.event("exception", 5);
            event.attributes = [
            ("exception.type", "CardDeclined"),
            ("exception.message", "insufficient funds"),
            ("exception.stacktrace", "CardDeclined: insufficient funds\n    at charge (payment.rs:12)\n    at main (main.rs:3)"),
        ]
        .into_iter()
        .collect();
            root.events = vec![event];
            Made::one(vec![root])
        },
    ),
    case(
        "event-attributes",
        "Attributes of every type at an event.",
        |maker| {
            let mut root = maker.root();
            let mut event = maker.event("retry", 5);
            event.attributes = [
                ("text", Value::from("a")),
                ("count", 2.into()),
                ("share", 0.5.into()),
                ("final", false.into()),
                ("list", Value::Array(vec![1.into(), 2.into()])),
            ]
            .into_iter()
            .collect();
            root.events = vec![event];
            Made::one(vec![root])
        },
    ),
    case(
        "event-nanoseconds",
        "Two events that are nanoseconds apart.",
        |maker| {
            let mut root = maker.root();
            let (mut first, mut second) = (maker.event("first", 5), maker.event("second", 5));
            first.time_ns += 123;
            second.time_ns += 456;
            root.events = vec![first, second];
            Made::one(vec![root])
        },
    ),
    case(
        "event-twice",
        "The same event twice is two events.",
        |maker| {
            let mut root = maker.root();
            root.events = vec![maker.event("retry", 5), maker.event("retry", 5)];
            Made::one(vec![root])
        },
    ),
    case("event-name-empty", "An event without a name.", |maker| {
        let mut root = maker.root();
        root.events = vec![maker.event("", 5)];
        Made::one(vec![root])
    }),
    case(
        "event-name-with-a-bar",
        "Some exporters pack an event into a text with bars.",
        |maker| {
            let mut root = maker.root();
            let mut event = maker.event("a|{}|3", 5);
            event.attributes = one("key", "value");
            root.events = vec![event];
            Made::one(vec![root])
        },
    ),
    case(
        "event-dropped-attributes",
        "A limit dropped attributes of the event.",
        |maker| {
            let mut root = maker.root();
            let mut event = maker.event("limited", 5);
            event.attributes = one("key", "value");
            event.dropped_attributes = 7;
            root.events = vec![event];
            Made::one(vec![root])
        },
    ),
    case(
        "event-without-a-time",
        "An event whose time was not set.",
        |maker| {
            let mut root = maker.root();
            let mut event = maker.event("timeless", 5);
            event.time_ns = 0;
            root.events = vec![event];
            Made::one(vec![root])
        },
    ),
    case(
        "event-before-the-span",
        "An event that came before the start of its span, from a queue.",
        |maker| {
            let mut root = maker.root();
            let mut event = maker.event("queued", 0);
            event.time_ns -= 10 * MS;
            root.events = vec![event];
            Made::one(vec![root])
        },
    ),
    case(
        "event-attribute-not-finite",
        "A measurement that failed is NaN.",
        |maker| {
            let mut root = maker.root();
            let mut event = maker.event("measured", 5);
            event.attributes = Attributes(vec![("value".into(), f64::NAN.into())]);
            root.events = vec![event];
            Made::one(vec![root])
        },
    ),
];
