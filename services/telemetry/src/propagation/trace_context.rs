//! The propagator of `traceparent` and `tracestate`, after W3C Trace Context level 2.
//!
//! Section numbers below are those of <https://www.w3.org/TR/trace-context-2/>.

use opentelemetry::{
    Context,
    propagation::{Extractor, Injector, TextMapPropagator, text_map_propagator::FieldIter},
    trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState},
};

const TRACEPARENT: &str = "traceparent";
const TRACESTATE: &str = "tracestate";

/// Section 3.2.2.5.2: the trace id is random, so that other systems may sample by it.
const RANDOM: TraceFlags = TraceFlags::new(0x02);

/// Section 3.3.1.1: a list has at most 32 members.
const MAX_MEMBERS: usize = 32;

/// The strict propagator of W3C trace context.
#[derive(Debug)]
pub struct StrictTraceContextPropagator {
    fields: [String; 2],
}

/// The parts of a received context that the SDK does not pass on to child spans. They are stored in the
/// [`Context`] beside the span, and so reach every header that is sent in the same trace.
#[derive(Debug)]
struct Received {
    /// The random-trace-id flag, which must be passed on unchanged (section 3.2.2.5.2). The SDK clears all
    /// flags where a trace is not sampled.
    random: bool,
    /// A valid `tracestate` that [`TraceState`] cannot hold, unchanged. (The stock type refuses a second `@` in a
    /// key, and more than 13 characters behind the first; level 2 has neither limit.)
    tracestate: Option<String>,
}

// === impl StrictTraceContextPropagator ===

impl Default for StrictTraceContextPropagator {
    fn default() -> Self {
        StrictTraceContextPropagator {
            fields: [TRACEPARENT.to_owned(), TRACESTATE.to_owned()],
        }
    }
}

impl TextMapPropagator for StrictTraceContextPropagator {
    fn inject_context(&self, context: &Context, injector: &mut dyn Injector) {
        let Some(traceparent) = traceparent(context) else {
            return;
        };
        injector.set(TRACEPARENT, traceparent);
        let verbatim = context
            .get::<Received>()
            .and_then(|received| received.tracestate.clone());
        let tracestate =
            verbatim.unwrap_or_else(|| context.span().span_context().trace_state().header());
        if !tracestate.is_empty() {
            injector.set(TRACESTATE, tracestate);
        }
    }

    fn extract_with_context(&self, context: &Context, extractor: &dyn Extractor) -> Context {
        // Section 4.3, step 3: without exactly one valid traceparent, tracestate is ignored.
        let Some(parent) = single(extractor, TRACEPARENT).and_then(parse_traceparent) else {
            return context.clone();
        };
        let headers = extractor.get_all(TRACESTATE).unwrap_or_default();
        let members = parse_tracestate(&headers).unwrap_or_default();
        let (held, verbatim) = match TraceState::from_key_value(members.iter().copied()) {
            Ok(held) => (held, None),
            Err(_) => (TraceState::NONE, Some(list(&members))),
        };
        context
            .with_remote_span_context(SpanContext::new(
                parent.trace_id,
                parent.span_id,
                parent.flags,
                true,
                held,
            ))
            .with_value(Received {
                random: parent.flags & RANDOM == RANDOM,
                tracestate: verbatim,
            })
    }

    fn fields(&self) -> FieldIter<'_> {
        FieldIter::new(&self.fields)
    }
}

/// Writes the `traceparent` of a context's span, in version 00 (section 3.2.2).
pub(crate) fn traceparent(context: &Context) -> Option<String> {
    let span = context.span();
    let span_context = span.span_context();
    if !span_context.is_valid() {
        return None;
    }
    let random = match context.get::<Received>() {
        Some(received) => received.random,
        // A trace without a received context began here, and the SDK makes random ids.
        None => true,
    };
    // Level 2 defines these two flags; section 3.2.2.5.3 demands zero for all others.
    let sampled = span_context.trace_flags() & TraceFlags::SAMPLED;
    let flags = if random { sampled | RANDOM } else { sampled };
    let (trace_id, span_id) = (span_context.trace_id(), span_context.span_id());
    Some(format!("00-{trace_id}-{span_id}-{flags:02x}"))
}

struct Parent {
    trace_id: TraceId,
    span_id: SpanId,
    flags: TraceFlags,
}

/// Reads a `traceparent` of any version (section 4.3 says how future ones are read).
fn parse_traceparent(header: &str) -> Option<Parent> {
    let header = trim_ows(header);
    let (version, rest) = header.split_once('-')?;
    let version = hex(version, 2)?;
    // Version 255 is invalid in every level.
    if version == 0xff {
        return None;
    }
    let (trace_id, rest) = rest.split_once('-')?;
    let (span_id, rest) = rest.split_once('-')?;
    // A future version may have more fields after the flags, but only after another dash.
    let flags = match rest.split_once('-') {
        Some(_) if version == 0 => return None,
        Some((flags, _future)) => flags,
        None => rest,
    };
    let trace_id = TraceId::from(hex(trace_id, 32)?);
    let span_id = SpanId::from(u64::try_from(hex(span_id, 16)?).ok()?);
    if trace_id == TraceId::INVALID || span_id == SpanId::INVALID {
        return None;
    }
    // Unknown flags are not passed on.
    let known = TraceFlags::SAMPLED | RANDOM;
    let flags = TraceFlags::new(u8::try_from(hex(flags, 2)?).ok()?) & known;
    Some(Parent {
        trace_id,
        span_id,
        flags,
    })
}

/// Reads all `tracestate` headers as one list (section 3.3.1). `None` if any part is invalid: the whole list
/// is then discarded (section 4.3, step 5). A key that comes twice is kept twice: a service should not delete what
/// others have added (section 3.5).
fn parse_tracestate<'a>(headers: &[&'a str]) -> Option<Vec<(&'a str, &'a str)>> {
    let mut members: Vec<(&str, &str)> = Vec::new();
    for member in headers
        .iter()
        .flat_map(|header| header.split(','))
        .map(trim_ows)
    {
        // Empty members are allowed, so that a sender may leave a comma behind.
        if member.is_empty() {
            continue;
        }
        let (key, value) = member.split_once('=')?;
        if !is_key(key) || !is_value(value) || members.len() == MAX_MEMBERS {
            return None;
        }
        members.push((key, value));
    }
    Some(members)
}

fn list(members: &[(&str, &str)]) -> String {
    let members: Vec<_> = members
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    members.join(",")
}

/// Section 3.3.1.3.1: whether a key is valid: 1 to 256 lower-case letters, digits and `_-*/@`, of which the first
/// is a letter or a digit. (Level 1 gave the `@` a meaning, `tenant@system`, with a limit for each part. Level 2
/// has only the character.)
fn is_key(key: &str) -> bool {
    key.len() <= 256
        && key.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        && key.bytes().all(|byte| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-*/@".contains(&byte)
        })
}

/// Section 3.3.1.3.2: whether a value is valid: 1 to 256 printable ASCII characters without `,` and `=`.
/// (The last one may not be a blank; a blank there is white space around the member, and is trimmed.)
fn is_value(value: &str) -> bool {
    (1..=256).contains(&value.len())
        && value
            .bytes()
            .all(|byte| (0x20..=0x7e).contains(&byte) && byte != b'=' && byte != b',')
}

/// The value of a header that must occur exactly once; `None` otherwise.
fn single<'a>(extractor: &'a dyn Extractor, name: &str) -> Option<&'a str> {
    match extractor.get_all(name)?.as_slice() {
        [value] => Some(value),
        _ => None,
    }
}

/// Trims the optional white space of HTTP (RFC 9110, section 5.6.3).
fn trim_ows(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

/// Reads a number of exactly `digits` lower-case hexadecimal digits.
fn hex(text: &str, digits: usize) -> Option<u128> {
    let lower_case = text
        .bytes()
        .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    (text.len() == digits && lower_case).then(|| u128::from_str_radix(text, 16).ok())?
}
