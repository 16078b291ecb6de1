//! Types and content of attributes.

use trace::{Attributes, Value};

use super::{
    Case, Group, Made,
    maker::{Maker, one},
};

const fn case(name: &'static str, why: &'static str, make: fn(&mut Maker) -> Made) -> Case {
    Case {
        name,
        group: Group::Values,
        why,
        make,
    }
}

/// A span with these values, with the keys `value.0`, `value.1` and so on.
fn values(maker: &mut Maker, values: impl IntoIterator<Item = Value>) -> Made {
    let mut root = maker.root();
    let values = values.into_iter().enumerate();
    root.attributes = values
        .map(|(n, value)| (format!("value.{n}"), value))
        .collect();
    Made::one(vec![root])
}

fn keys(maker: &mut Maker, keys: &[&str]) -> Made {
    let mut root = maker.root();
    root.attributes = keys.iter().map(|key| (*key, "value")).collect();
    Made::one(vec![root])
}

fn array(values: impl IntoIterator<Item = impl Into<Value>>) -> Value {
    Value::Array(values.into_iter().map(Into::into).collect())
}

pub(super) const CASES: &[Case] = &[
    case("string", "The type of most attributes.", |maker| {
        values(maker, ["POST".into()])
    }),
    case("string-empty", "Empty is not absent.", |maker| {
        values(maker, ["".into()])
    }),
    case(
        "string-unicode",
        "Names of people and places, an emoji, and a letter with a combining mark.",
        |maker| values(maker, ["Zoë 東京 🛒".into(), "e\u{301}".into()]),
    ),
    case(
        "string-control-characters",
        "Line breaks of a stack trace, a tab, an escape.",
        |maker| values(maker, ["a\nb\tc\u{1b}[31m\u{7f}".into()]),
    ),
    case(
        "string-like-a-number",
        "A text of digits is no number: order 007 has its zeros.",
        |maker| values(maker, ["007".into(), "1e3".into(), "true".into()]),
    ),
    case("string-of-4-kib", "A query with its values.", |maker| {
        values(maker, ["select 1;".repeat(455).into()])
    }),
    case(
        "string-of-64-kib",
        "A body that was logged as an attribute.",
        |maker| values(maker, ["0123456789abcdef".repeat(4096).into()]),
    ),
    case("bool", "Both truths.", |maker| {
        values(maker, [true.into(), false.into()])
    }),
    case(
        "int",
        "Counts, sizes, ports; zero and negative ones.",
        |maker| values(maker, [1.into(), 0.into(), (-7).into()]),
    ),
    case(
        "int-above-2-to-the-53",
        "JavaScript and JSON parsers round what does not fit into a double.",
        |maker| {
            values(
                maker,
                [
                    9_007_199_254_740_993.into(),
                    (-9_007_199_254_740_993).into(),
                ],
            )
        },
    ),
    case(
        "int-extremes",
        "The least and the greatest integer of 64 bits.",
        |maker| values(maker, [i64::MAX.into(), i64::MIN.into()]),
    ),
    case(
        "double",
        "Amounts of money and shares: 19.99 has no exact binary form, 0.25 has.",
        |maker| values(maker, [0.25.into(), 19.99.into(), (-1.5).into()]),
    ),
    case(
        "double-whole",
        "A double that is whole is still no integer.",
        |maker| values(maker, [3.0.into(), 1e21.into()]),
    ),
    case(
        "double-extremes",
        "The least and the greatest double, and a zero with a sign.",
        |maker| values(maker, [f64::MAX.into(), 5e-324.into(), (-0.0).into()]),
    ),
    case(
        "double-not-finite",
        "JSON has no NaN and no infinity; OTLP has.",
        |maker| {
            values(
                maker,
                [
                    f64::NAN.into(),
                    f64::INFINITY.into(),
                    f64::NEG_INFINITY.into(),
                ],
            )
        },
    ),
    case("bytes", "Hashes and keys.", |maker| {
        values(maker, [Value::Bytes(vec![0, 1, 0xfe, 0xff])])
    }),
    case("bytes-empty", "No bytes, which is not no value.", |maker| {
        values(maker, [Value::Bytes(Vec::new())])
    }),
    case(
        "value-empty",
        "A value without content, as `null` becomes in some SDKs.",
        |maker| values(maker, [Value::Empty]),
    ),
    case(
        "array-of-strings",
        "Headers have lists of values.",
        |maker| values(maker, [array(["a", "b", ""])]),
    ),
    case(
        "array-of-numbers",
        "Lists of integers and of doubles.",
        |maker| values(maker, [array([1, 2, -3]), array([0.5, 2.0])]),
    ),
    case("array-of-bools", "A list of truths.", |maker| {
        values(maker, [array([true, false])])
    }),
    case(
        "array-mixed",
        "OTLP allows lists of several types, with an empty value among them.",
        |maker| {
            values(
                maker,
                [Value::Array(vec![
                    "a".into(),
                    1.into(),
                    true.into(),
                    0.5.into(),
                    Value::Empty,
                ])],
            )
        },
    ),
    case("array-empty", "A list of nothing.", |maker| {
        values(maker, [Value::Array(Vec::new())])
    }),
    case("array-nested", "Lists in lists.", |maker| {
        values(maker, [Value::Array(vec![array([1, 2]), array(["a"])])])
    }),
    case(
        "map",
        "OTLP allows maps as values since 1.0, and SDKs begin to write them.",
        |maker| {
            let map: Attributes = [("name", Value::from("cup")), ("count", 2.into())]
                .into_iter()
                .collect();
            values(maker, [Value::Map(map)])
        },
    ),
    case("map-nested", "A document as an attribute.", |maker| {
        let inner: Attributes = [
            ("list", array([1, 2])),
            ("empty", Value::Map(Attributes::default())),
        ]
        .into_iter()
        .collect();
        values(maker, [Value::Map(one("inner", Value::Map(inner)))])
    }),
    case("map-empty", "A map of nothing.", |maker| {
        values(maker, [Value::Map(Attributes::default())])
    }),
    case(
        "keys-with-dots",
        "The conventions' keys; a store that nests them must find them again.",
        |maker| {
            keys(
                maker,
                &["http.request.method", "http", "http.request", "order.id"],
            )
        },
    ),
    case(
        "keys-odd",
        "Keys that are no names: spaces, quotes, capitals, slashes, other alphabets.",
        |maker| {
            keys(
                maker,
                &[
                    "with space",
                    "with\"quote",
                    "CamelCase",
                    "a/b",
                    "ключ",
                    "$dollar",
                    "[0]",
                ],
            )
        },
    ),
    case(
        "key-empty",
        "A key without a name, which the specification forbids and protobuf allows.",
        |maker| keys(maker, &[""]),
    ),
    case(
        "key-twice",
        "The specification forbids it; senders do it; which of both is kept?",
        |maker| {
            let mut root = maker.root();
            root.attributes = [("twice", "first"), ("twice", "second")]
                .into_iter()
                .collect();
            Made::one(vec![root])
        },
    ),
    case(
        "keys-that-differ-in-case",
        "Keys are case-sensitive; some stores are not.",
        |maker| keys(maker, &["order", "Order", "ORDER"]),
    ),
    case(
        "attributes-of-other-formats",
        "Attributes with names that Zipkin and Jaeger give a meaning of their own.",
        |maker| {
            let mut root = maker.root();
            root.attributes = [
                ("error", Value::Bool(false)),
                ("span.kind", "mine".into()),
                ("otel.scope.name", "mine".into()),
                ("peer.service", "other".into()),
            ]
            .into_iter()
            .collect();
            Made::one(vec![root])
        },
    ),
];
