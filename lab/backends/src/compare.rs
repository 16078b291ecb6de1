//! [`compare`]: what became of the spans of a trace.
//!
//! Order is not compared: neither that of spans, nor that of attributes, events or links, which no backend promises.

mod items;
mod pairs;
mod span;
mod values;

use serde::Serialize;
use trace::{Span, Value};

use crate::loss::{Field, How, Loss, ValueType};
use pairs::Pairs;

/// Something that came back in another way than it was sent.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// What happened, and to which part.
    pub loss: Loss,
    /// The span; `None` where it concerns the whole trace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub span: Option<String>,
    /// Where in the span: the key of an attribute, the name of an event; empty if the loss says it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub place: String,
    /// What was sent, in words; empty if nothing was.
    pub sent: String,
    /// What came back, in words; empty if nothing did.
    pub got: String,
}

/// The highest number of characters of a value in [`Difference::sent`] and [`Difference::got`].
const SHOWN: usize = 80;

/// Compares the spans that were sent with those that came back.
///
/// ```
/// use backends::compare;
///
/// let sent = testing::spans::healthy();
/// assert_eq!(compare(&sent, &sent), []);
/// let differences = compare(&sent, &sent[1..]);
/// assert_eq!(differences[0].loss.to_string(), "span: missing");
/// ```
pub fn compare(sent: &[Span], got: &[Span]) -> Vec<Difference> {
    let pairs = Pairs::of(sent, got);
    let mut found = Vec::new();
    for (one, other) in &pairs.swapped {
        found.push(Difference {
            span: Some(name_of(one)),
            ..Difference::of(
                Loss::new(Field::SpanId, How::Swapped),
                format!("the id {}", one.span_id),
                format!("the id of {}, {}", name_of(other), other.span_id),
            )
        });
    }
    for (sent, got) in &pairs.matched {
        let mut of_span = span::compare(sent, got, &pairs.new_ids);
        for difference in &mut of_span {
            difference.span = Some(name_of(sent));
        }
        found.append(&mut of_span);
    }
    for span in &pairs.missing {
        found.push(Difference {
            span: Some(name_of(span)),
            ..Difference::of(
                Loss::new(Field::Span, How::Missing),
                format!("span {}", span.span_id),
                String::new(),
            )
        });
    }
    for (span, is_copy) in &pairs.added {
        let how = if *is_copy {
            How::Duplicated
        } else {
            How::Added
        };
        found.push(Difference {
            span: Some(name_of(span)),
            ..Difference::of(
                Loss::new(Field::Span, how),
                String::new(),
                format!("span {}", span.span_id),
            )
        });
    }
    found
}

/// Compares the bytes of spans whose content is the same: `protobuf` is the request that came back, as bytes.
pub fn exact_bytes(sent: &[Span], protobuf: &[u8]) -> Vec<Difference> {
    let mut expected: Vec<Vec<u8>> = sent.iter().map(trace::otlp::span_to_protobuf).collect();
    let mut found = Vec::new();
    let walked = otlp::walk(protobuf, |part| -> Result<(), otlp::DecodeError> {
        if let otlp::Part::Span(head) = part {
            match expected.iter().position(|bytes| bytes == head.message) {
                Some(at) => drop(expected.swap_remove(at)),
                None => found.push(Difference {
                    span: Some(clipped(&String::from_utf8_lossy(head.name))),
                    ..Difference::of(
                        Loss::new(Field::Bytes, How::Changed),
                        String::new(),
                        format!(
                            "{} bytes that are of no span that was sent",
                            head.message.len()
                        ),
                    )
                }),
            }
        }
        Ok(())
    });
    if let Err(error) = walked {
        let loss = Loss::new(Field::Bytes, How::Unreadable);
        found.push(Difference::of(loss, String::new(), error.to_string()));
    }
    found
}

/// The name of a span, for a report.
fn name_of(span: &Span) -> String {
    clipped(&span.name)
}

/// A value, for a report.
fn shown(value: &Value) -> String {
    clipped(&value.to_string())
}

fn clipped(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}… ({} bytes)", &text[..end], text.len()),
    }
}

// === impl Difference ===

impl Difference {
    /// A difference of the whole trace.
    pub fn of(loss: Loss, sent: String, got: String) -> Difference {
        Difference {
            loss,
            span: None,
            place: String::new(),
            sent,
            got,
        }
    }

    /// A difference of a value.
    fn at(
        field: Field,
        how: How,
        place: &str,
        sent: Option<&Value>,
        got: Option<&Value>,
    ) -> Difference {
        let of = sent.or(got).map(ValueType::from);
        Difference {
            loss: Loss { field, of, how },
            span: None,
            place: clipped(place),
            sent: sent.map(shown).unwrap_or_default(),
            got: got.map(shown).unwrap_or_default(),
        }
    }
}
