//! The places in OTLP/JSON, found by the names of the fields.
//!
//! A name with its quotes and colon stands nowhere else: within a text the quotes are escaped.

use memchr::memmem;

use super::{Known, Places};

/// The names of fields with an id or a time.
const NAMES: [(&str, Field); 6] = [
    ("\"traceId\":\"", Field::Trace),
    ("\"spanId\":\"", Field::Span),
    ("\"parentSpanId\":\"", Field::Parent),
    ("\"startTimeUnixNano\":\"", Field::Time),
    ("\"endTimeUnixNano\":\"", Field::Time),
    ("\"timeUnixNano\":\"", Field::Time),
];

/// How many digits a time has, from September 2001 to the year 2286.
pub(crate) const TIME_DIGITS: usize = 19;

#[derive(Clone, Copy)]
enum Field {
    Trace,
    Span,
    Parent,
    Time,
}

/// Finds the ids and times of the trace in OTLP/JSON without spaces. Ids of other traces in links stay as they are.
///
/// # Errors
///
/// The text of a time that has not [`TIME_DIGITS`] digits.
pub(crate) fn in_json(text: &str, known: &Known) -> Result<Places, String> {
    let mut found: Vec<(usize, Field)> = NAMES
        .iter()
        .flat_map(|(name, field)| {
            memmem::find_iter(text.as_bytes(), name).map(|at| (at + name.len(), *field))
        })
        .collect();
    found.sort_by_key(|(at, _)| *at);

    let mut places = Places::default();
    // A span and a link have the trace id before the span id.
    let mut in_this_trace = false;
    for (at, field) in found {
        let value = text[at..].split('"').next().unwrap_or_default();
        match field {
            Field::Trace => {
                in_this_trace = value.parse() == Ok(known.trace_id);
                if in_this_trace {
                    places.trace_ids.push(at);
                }
            }
            Field::Span if !in_this_trace => {}
            Field::Span | Field::Parent => {
                let index = value.parse().ok().and_then(|id| known.spans.get(&id));
                places.span_ids.extend(index.map(|&index| (at, index)));
            }
            Field::Time => {
                if value.len() != TIME_DIGITS {
                    return Err(value.to_owned());
                }
                let time = value.parse().map_err(|_| value.to_owned())?;
                places.times.push((at, known.after_start(time)));
            }
        }
    }
    Ok(places)
}
