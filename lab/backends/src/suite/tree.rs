//! Which span is whose child, their ids, and in which order they come.

use std::sync::Arc;

use trace::{Kind, Span, SpanId, TraceId};

use super::{
    Case, Group, Made,
    maker::{MS, Maker, resource},
};

const fn case(name: &'static str, why: &'static str, make: fn(&mut Maker) -> Made) -> Case {
    Case {
        name,
        group: Group::Tree,
        why,
        make,
    }
}

pub(super) const CASES: &[Case] = &[
    case(
        "one-span",
        "The plainest trace there is; if it does not come back, nothing else means anything.",
        |maker| Made::one(vec![maker.root()]),
    ),
    case(
        "parent-and-child",
        "A call inside a request: the edge that makes a trace a tree.",
        |maker| {
            let root = maker.root();
            let child = maker.child(&root, "call", 5);
            Made::one(vec![root, child])
        },
    ),
    case(
        "two-services",
        "A trace that crosses services has several resources.",
        |maker| {
            let root = maker.root();
            let call = maker.child(&root, "call", 5);
            let mut served = maker.child(&call, "serve", 6);
            served.kind = Kind::Server;
            served.resource = resource("fidelity-other");
            Made::one(vec![root, call, served])
        },
    ),
    case(
        "parent-missing",
        "Its parent was not sampled, or is lost: the span must keep the id all the same.",
        |maker| {
            let mut span = maker.root();
            span.parent_span_id = Some(maker.span_id());
            Made::one(vec![span])
        },
    ),
    case(
        "two-roots",
        "Two requests with one trace id, as retries of a client without spans make them.",
        |maker| {
            let root = maker.root();
            let second = Span {
                span_id: maker.span_id(),
                name: "get /second".into(),
                start_ns: root.start_ns + 60 * MS,
                end_ns: root.end_ns + 60 * MS,
                ..root.clone()
            };
            Made::one(vec![root, second])
        },
    ),
    case(
        "child-before-parent",
        "Spans end from the inside out: children are exported first.",
        |maker| {
            let root = maker.root();
            let child = maker.child(&root, "call", 5);
            let inner = maker.child(&child, "inner", 6);
            Made {
                requests: vec![vec![inner], vec![child], vec![root]],
                late: Vec::new(),
            }
        },
    ),
    case(
        "over-many-requests",
        "Each service exports its own part; a trace is put together by the backend.",
        |maker| {
            let root = maker.root();
            let children: Vec<Span> = (0..19)
                .map(|n| maker.child(&root, &format!("call {n}"), n))
                .collect();
            Made {
                requests: std::iter::once(root)
                    .chain(children)
                    .map(|span| vec![span])
                    .collect(),
                late: Vec::new(),
            }
        },
    ),
    case(
        "late-span",
        "A message that is processed later: its span comes when the trace was read already.",
        |maker| {
            let root = maker.root();
            let late = maker.child(&root, "late", 40);
            Made {
                requests: vec![vec![root]],
                late: vec![late],
            }
        },
    ),
    case(
        "exact-duplicate",
        "A retried export sends spans again; a store may keep one or both, and must not mix them.",
        |maker| {
            let root = maker.root();
            let child = maker.child(&root, "call", 5);
            Made {
                requests: vec![vec![root, child.clone()], vec![child]],
                late: Vec::new(),
            }
        },
    ),
    case(
        "same-id-other-content",
        "Two spans with one id are a bug of the sender, which a backend ought to show.",
        |maker| {
            let root = maker.root();
            let first = maker.child(&root, "first", 5);
            let mut second = maker.child(&root, "second", 20);
            second.span_id = first.span_id;
            Made::one(vec![root, first, second])
        },
    ),
    case(
        "shared-span-id",
        "Zipkin's clients and servers share one span id; bridges still send that.",
        |maker| {
            let mut root = maker.root();
            root.kind = Kind::Client;
            let mut server = root.clone();
            server.kind = Kind::Server;
            server.resource = resource("fidelity-other");
            server.start_ns += 5 * MS;
            server.end_ns -= 5 * MS;
            Made::one(vec![root, server])
        },
    ),
    case(
        "same-span-id-in-two-traces",
        "Span ids are unique within their trace alone.",
        |maker| {
            let first = maker.root();
            let second = Span {
                trace_id: maker.trace_id(),
                name: "get /second".into(),
                ..first.clone()
            };
            Made::one(vec![first, second])
        },
    ),
    case(
        "trace-id-of-64-bits",
        "Older tracers make ids whose upper half is zero.",
        |maker| {
            let mut root = maker.root();
            let mut id = *root.trace_id.as_bytes();
            id[..8].fill(0);
            root.trace_id = TraceId::from_bytes(id).expect("its lower half is not zero");
            Made::one(vec![root])
        },
    ),
    case(
        "ids-with-leading-zeros",
        "Ids are bytes and no numbers: zeros in front belong to them.",
        |maker| {
            let mut root = maker.root();
            let mut id = *root.trace_id.as_bytes();
            id[..2].fill(0);
            root.trace_id = TraceId::from_bytes(id).expect("the rest is not zero");
            let mut id = *root.span_id.as_bytes();
            id[..3].fill(0);
            root.span_id = SpanId::from_bytes(id).expect("the rest is not zero");
            let mut child = maker.child(&root, "call", 5);
            child.span_id = SpanId::from_bytes([0, 0, 0, 0, 0, 0, 0, 7]).expect("it is seven");
            Made::one(vec![root, child])
        },
    ),
    case(
        "one-service-two-resources",
        "Two processes of one service: their spans differ in the resource alone.",
        |maker| {
            let mut root = maker.root();
            let mut child = maker.child(&root, "call", 5);
            for (span, instance) in [(&mut root, "a"), (&mut child, "b")] {
                let mut with = (*resource("fidelity")).clone();
                with.attributes
                    .0
                    .push(("service.instance.id".into(), instance.into()));
                span.resource = Arc::new(with);
            }
            Made::one(vec![root, child])
        },
    ),
];
