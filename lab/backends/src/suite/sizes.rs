//! Much of something.

use trace::Span;

use super::{Case, Group, Made, maker::Maker};

const fn case(name: &'static str, why: &'static str, make: fn(&mut Maker) -> Made) -> Case {
    Case {
        name,
        group: Group::Sizes,
        why,
        make,
    }
}

/// The spans of one request at most, so that no receiver refuses it for its size (4 MiB with gRPC).
const A_REQUEST: usize = 2_000;

fn in_requests(spans: Vec<Span>) -> Made {
    Made {
        requests: spans.chunks(A_REQUEST).map(<[Span]>::to_vec).collect(),
        late: Vec::new(),
    }
}

pub(super) const CASES: &[Case] = &[
    case(
        "attributes-200",
        "The SDKs' default limit is 128; without a limit there are more.",
        |maker| {
            let mut root = maker.root();
            root.attributes = (0..200)
                .map(|n| (format!("key.{n}"), format!("value {n}")))
                .collect();
            Made::one(vec![root])
        },
    ),
    case(
        "events-200",
        "A loop that writes an event each time.",
        |maker| {
            let mut root = maker.root();
            root.events = (0..200)
                .map(|n| maker.event(&format!("event {n}"), n % 50))
                .collect();
            Made::one(vec![root])
        },
    ),
    case(
        "deep-1000",
        "Recursion: a chain of 1,000 spans, on which what walks a tree may run out of stack.",
        |maker| {
            let mut spans = vec![maker.root()];
            for n in 1..1_000 {
                let parent = spans[n - 1].clone();
                spans.push(maker.child(&parent, &format!("level {n}"), n as u64 % 40));
            }
            in_requests(spans)
        },
    ),
    case(
        "wide-10000",
        "N+1 at its worst: a span with 10,000 children.",
        |maker| {
            let root = maker.root();
            let children = (0..10_000).map(|n| maker.child(&root, &format!("select {n}"), n % 40));
            let children: Vec<Span> = children.collect();
            in_requests(std::iter::once(root).chain(children).collect())
        },
    ),
];
