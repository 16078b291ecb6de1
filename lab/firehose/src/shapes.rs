//! The shapes that come with the firehose: traces of the shop as they were recorded, and some made of them.

use trace::{Attributes, Span, SpanId, Value, otlp};

use crate::Shape;

/// The names of the shapes that come with the firehose, with what each is.
pub const SHAPES: [(&str, &str); 7] = [
    (
        "typical",
        "an order of 12 spans of 5 services, written and not recorded: 400 bytes a span",
    ),
    ("small", "the list of products, of 4 spans of 2 services"),
    ("order", "an order, of 40 spans of 4 services"),
    ("wide", "an order with 300 spans side by side more"),
    ("deep", "an order, and a chain of 60 spans below it"),
    (
        "heavy",
        "an order whose spans have 4 KiB of attributes more each",
    ),
    ("n-plus-one", "an order with 200 queries in a row"),
];

/// How many spans the chain of `deep` has.
const CHAIN: u64 = 60;
/// How many attributes the spans of `heavy` have more, and how long each is.
const HEAVY: (usize, usize) = (16, 240);

// === impl Shape ===

impl Shape {
    /// A shape that comes with the firehose; `None` if there is none of this name.
    pub fn built_in(name: &str) -> Option<Shape> {
        let spans = match name {
            "typical" => crate::typical(),
            "small" => recorded(include_str!("../shapes/small.json")),
            "order" => recorded(include_str!("../shapes/order.json")),
            "wide" => recorded(include_str!("../shapes/wide.json")),
            "n-plus-one" => recorded(include_str!("../shapes/n-plus-one.json")),
            "deep" => deep(recorded(include_str!("../shapes/order.json"))),
            "heavy" => heavy(recorded(include_str!("../shapes/order.json"))),
            _ => return None,
        };
        Some(Shape {
            name: name.to_owned(),
            weight: 1,
            spans,
        })
    }
}

fn recorded(document: &str) -> Vec<Span> {
    let read = otlp::from_json(document.as_bytes());
    read.expect("a test reads it").spans
}

/// Adds a chain of spans, each within the one before, below the span that began last.
fn deep(mut spans: Vec<Span>) -> Vec<Span> {
    let last = spans.iter().max_by_key(|span| span.start_ns).cloned();
    let mut above = last.expect("an order has spans");
    for level in 1..=CHAIN {
        let id = SpanId::from_bytes((level << 32 | 0xdee9).to_be_bytes());
        let inset = (above.end_ns - above.start_ns) / (4 * CHAIN);
        let below = Span {
            span_id: id.expect("it is not 0"),
            parent_span_id: Some(above.span_id),
            name: format!("step {level}").as_str().into(),
            start_ns: above.start_ns + inset,
            end_ns: above.end_ns - inset,
            events: Vec::new(),
            links: Vec::new(),
            ..above.clone()
        };
        spans.push(below.clone());
        above = below;
    }
    spans
}

/// Adds attributes to each span.
fn heavy(mut spans: Vec<Span>) -> Vec<Span> {
    let (count, length) = HEAVY;
    let text: String = (0..length)
        .map(|at| char::from(b'a' + (at * 7 % 26) as u8))
        .collect();
    for (number, span) in spans.iter_mut().enumerate() {
        let mut all: Vec<_> = span.attributes.0.clone();
        for at in 0..count {
            let value = Value::from(format!("{number}-{at}-{text}"));
            all.push((format!("app.detail.{at}").as_str().into(), value));
        }
        span.attributes = Attributes(all);
    }
    spans
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    use super::*;
    use crate::{Run, Stream, Workload};

    #[test]
    fn each_shape_is_a_trace_that_can_be_sent() {
        let shapes = SHAPES.map(|(name, _)| Shape::built_in(name).unwrap());
        let spans = shapes.each_ref().map(|shape| shape.spans.len());
        assert_eq!(spans, [12, 4, 40, 340, 100, 40, 239]);
        for shape in shapes {
            let roots = shape
                .spans
                .iter()
                .filter(|span| span.parent_span_id.is_none());
            assert_eq!(roots.count(), 1, "{}", shape.name);
            let workload = Workload::of(Run::new(1).unwrap(), vec![shape], 1);
            Stream::new(&workload).unwrap();
        }
        assert!(Shape::built_in("other").is_none());
    }
}
