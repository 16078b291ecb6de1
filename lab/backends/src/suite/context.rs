//! Names, kinds, statuses, and what of the W3C Trace Context a span keeps.

use trace::{Kind, Status, StatusCode};

use super::{Case, Group, Made, maker::Maker};

const fn case(name: &'static str, why: &'static str, make: fn(&mut Maker) -> Made) -> Case {
    Case {
        name,
        group: Group::Context,
        why,
        make,
    }
}

fn kind(maker: &mut Maker, kind: Kind) -> Made {
    let root = maker.root();
    let mut child = maker.child(&root, "work", 5);
    child.kind = kind;
    Made::one(vec![root, child])
}

fn status(maker: &mut Maker, code: StatusCode, message: &str) -> Made {
    let mut root = maker.root();
    root.status = Status {
        code,
        message: message.into(),
    };
    Made::one(vec![root])
}

fn named(maker: &mut Maker, name: &str) -> Made {
    let mut root = maker.root();
    root.name = name.into();
    Made::one(vec![root])
}

pub(super) const CASES: &[Case] = &[
    case(
        "kind-unspecified",
        "A kind that was not set is not an internal one.",
        |maker| kind(maker, Kind::Unspecified),
    ),
    case(
        "kind-internal",
        "Work inside a service, which is the default of every SDK.",
        |maker| kind(maker, Kind::Internal),
    ),
    case("kind-server", "A request that is answered.", |maker| {
        kind(maker, Kind::Server)
    }),
    case("kind-client", "A request that is made.", |maker| {
        kind(maker, Kind::Client)
    }),
    case("kind-producer", "A message that is sent.", |maker| {
        kind(maker, Kind::Producer)
    }),
    case("kind-consumer", "A message that is processed.", |maker| {
        kind(maker, Kind::Consumer)
    }),
    case(
        "kind-unknown",
        "A newer sender may have a kind that this backend does not know.",
        |maker| kind(maker, Kind::Unknown(99)),
    ),
    case(
        "status-ok",
        "Success that was said aloud is not the same as no status.",
        |maker| status(maker, StatusCode::Ok, ""),
    ),
    case("status-error", "An error without a message.", |maker| {
        status(maker, StatusCode::Error, "")
    }),
    case("status-error-message", "An error, and why.", |maker| {
        status(
            maker,
            StatusCode::Error,
            "card declined: insufficient funds",
        )
    }),
    case(
        "status-message-without-error",
        "The specification lets only errors have a message; some senders set one all the same.",
        |maker| status(maker, StatusCode::Unset, "so far so good"),
    ),
    case(
        "name-upper-case",
        "Names of methods and tables have capitals.",
        |maker| named(maker, "GET /Orders/{Id}"),
    ),
    case(
        "name-empty",
        "A span without a name, from a bridge or a bug.",
        |maker| named(maker, ""),
    ),
    case(
        "name-unicode",
        "Names in the language of their authors, and an emoji of four bytes.",
        |maker| named(maker, "注文 ändern 🛒"),
    ),
    case(
        "name-control-characters",
        "A name that was taken from input: line breaks, tabs, an escape.",
        |maker| named(maker, "first line\nsecond\tline \u{1b}[0m"),
    ),
    case(
        "name-of-1-kib",
        "A name that was made of a whole query.",
        |maker| named(maker, &"select ".repeat(147)),
    ),
    case(
        "tracestate",
        "Vendors pass their own data along in it.",
        |maker| {
            let mut root = maker.root();
            root.trace_state = "vendor=t61rcWkgMzE,ot=th:c".into();
            Made::one(vec![root])
        },
    ),
    case(
        "flags-sampled",
        "Flag 01 says that the caller has recorded the trace, too.",
        |maker| {
            let mut root = maker.root();
            root.flags = 0x01;
            Made::one(vec![root])
        },
    ),
    case(
        "flags-remote-parent",
        "OTLP's own bits say that it is known whether the parent is remote, and that it is.",
        |maker| {
            let mut root = maker.root();
            root.parent_span_id = Some(maker.span_id());
            root.flags = 0x301;
            Made::one(vec![root])
        },
    ),
    case(
        "dropped-counts",
        "An SDK with limits counts what it dropped; without the counts a trace looks complete.",
        |maker| {
            let mut root = maker.root();
            (
                root.dropped_attributes,
                root.dropped_events,
                root.dropped_links,
            ) = (3, 5, 7);
            Made::one(vec![root])
        },
    ),
];
