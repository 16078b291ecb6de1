//! References to other spans.

use trace::{Kind, Span, Value};

use super::{
    Case, Group, Made,
    maker::{Maker, link_to, one},
};

const fn case(name: &'static str, why: &'static str, make: fn(&mut Maker) -> Made) -> Case {
    Case {
        name,
        group: Group::Links,
        why,
        make,
    }
}

/// Two siblings, of which the second has a link to the first.
fn linked(maker: &mut Maker, change: fn(&mut trace::Link)) -> Made {
    let root = maker.root();
    let first = maker.child(&root, "first", 5);
    let mut second = maker.child(&root, "second", 20);
    let mut link = link_to(&first);
    change(&mut link);
    second.links = vec![link];
    Made::one(vec![root, first, second])
}

pub(super) const CASES: &[Case] = &[
    case(
        "link-within-the-trace",
        "A span that goes on where a sibling has ended.",
        |maker| linked(maker, |_| {}),
    ),
    case(
        "link-to-another-trace",
        "A consumer with a trace of its own links to the producer.",
        |maker| {
            let producer = maker.root();
            let consumer = Span {
                trace_id: maker.trace_id(),
                span_id: maker.span_id(),
                name: "process".into(),
                kind: Kind::Consumer,
                links: vec![link_to(&producer)],
                ..producer.clone()
            };
            Made::one(vec![producer, consumer])
        },
    ),
    case(
        "link-to-the-parent",
        "A consumer whose parent is the producer links to it as well.",
        |maker| {
            let root = maker.root();
            let mut child = maker.child(&root, "process", 5);
            child.links = vec![link_to(&root)];
            Made::one(vec![root, child])
        },
    ),
    case(
        "link-of-a-root",
        "A root that links into its own trace is still a root.",
        |maker| {
            let root = maker.root();
            let child = maker.child(&root, "call", 5);
            let second = Span {
                span_id: maker.span_id(),
                name: "get /second".into(),
                links: vec![link_to(&child)],
                ..root.clone()
            };
            Made::one(vec![root, child, second])
        },
    ),
    case(
        "link-attributes",
        "Attributes of every kind of text and number at a link.",
        |maker| {
            linked(maker, |link| {
                link.attributes = [("reason", Value::from("batch")), ("position", 3.into())]
                    .into_iter()
                    .collect();
            })
        },
    ),
    case(
        "link-tracestate",
        "The tracestate of the linked span.",
        |maker| linked(maker, |link| link.trace_state = "vendor=abc".into()),
    ),
    case("link-flags", "The flags of the linked span.", |maker| {
        linked(maker, |link| link.flags = 0x301)
    }),
    case(
        "link-dropped-attributes",
        "A limit dropped attributes of the link.",
        |maker| {
            linked(maker, |link| {
                link.attributes = one("key", "value");
                link.dropped_attributes = 4;
            })
        },
    ),
    case(
        "many-links",
        "A batch of 100 messages has a link to each.",
        |maker| {
            let mut root = maker.root();
            root.links = (0..100)
                .map(|_| {
                    let other = maker.root();
                    link_to(&other)
                })
                .collect();
            Made::one(vec![root])
        },
    ),
];
