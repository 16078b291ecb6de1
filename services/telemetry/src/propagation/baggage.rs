//! `baggage`, after the W3C recommendation <https://www.w3.org/TR/baggage/>.
//!
//! A malformed member is left out and the others are kept; members beyond the limits (64 of them,
//! 8,192 bytes in all) are dropped. Nothing in a header can make extraction fail.

use opentelemetry::{
    Context,
    baggage::{Baggage, BaggageExt, KeyValueMetadata},
    propagation::{Extractor, Injector, TextMapPropagator, text_map_propagator::FieldIter},
};

const BAGGAGE: &str = "baggage";

/// The propagator of W3C baggage.
#[derive(Debug)]
pub struct StrictBaggagePropagator {
    fields: [String; 1],
}

// === impl StrictBaggagePropagator ===

impl Default for StrictBaggagePropagator {
    fn default() -> Self {
        StrictBaggagePropagator {
            fields: [BAGGAGE.to_owned()],
        }
    }
}

impl TextMapPropagator for StrictBaggagePropagator {
    fn inject_context(&self, context: &Context, injector: &mut dyn Injector) {
        let baggage = context.baggage();
        if !baggage.is_empty() {
            // The type percent-encodes values and keeps properties as they came.
            injector.set(BAGGAGE, baggage.to_string());
        }
    }

    fn extract_with_context(&self, context: &Context, extractor: &dyn Extractor) -> Context {
        let headers = extractor.get_all(BAGGAGE).unwrap_or_default();
        let mut baggage = Baggage::new();
        for member in headers.iter().flat_map(|header| header.split(',')) {
            if let Some(Member {
                key,
                value,
                properties,
            }) = parse_member(member)
            {
                // The type itself keeps to the limits: what goes beyond them is not taken.
                baggage.insert_with_metadata(key, value, properties);
            }
        }
        if baggage.is_empty() {
            context.clone()
        } else {
            context.with_baggage(baggage)
        }
    }

    fn fields(&self) -> FieldIter<'_> {
        FieldIter::new(&self.fields)
    }
}

/// A context that has the baggage of another, and nothing of its trace.
pub(crate) fn baggage_alone(context: &Context) -> Context {
    let entries = context.baggage().iter();
    Context::new().with_baggage(entries.map(|(key, (value, properties))| {
        KeyValueMetadata::new(key.clone(), value.clone(), properties.clone())
    }))
}

struct Member {
    key: String,
    value: String,
    properties: String,
}

/// Section 3.3.1: `key OWS "=" OWS value *( OWS ";" OWS property )`.
fn parse_member(member: &str) -> Option<Member> {
    let (pair, properties) = match member.split_once(';') {
        Some((pair, properties)) => (pair, properties),
        None => (member, ""),
    };
    let (key, value) = pair.split_once('=')?;
    let (key, value) = (trim_ows(key), trim_ows(value));
    if !is_token(key) || !value.bytes().all(is_baggage_octet) {
        return None;
    }
    let properties: Option<Vec<&str>> = properties
        .split(';')
        .map(trim_ows)
        .filter(|property| !property.is_empty())
        .map(|property| is_property(property).then_some(property))
        .collect();
    Some(Member {
        key: key.to_owned(),
        value: percent_decode(value),
        properties: properties?.join(";"),
    })
}

/// A property is a key, or a key and a value.
fn is_property(property: &str) -> bool {
    match property.split_once('=') {
        None => is_token(property),
        Some((key, value)) => {
            is_token(trim_ows(key)) && trim_ows(value).bytes().all(is_baggage_octet)
        }
    }
}

/// A token of HTTP (RFC 9110, section 5.6.2).
fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

/// Printable ASCII without blank, double quote, comma, semicolon and backslash.
fn is_baggage_octet(byte: u8) -> bool {
    matches!(byte, 0x21 | 0x23..=0x2b | 0x2d..=0x3a | 0x3c..=0x5b | 0x5d..=0x7e)
}

/// Decodes `%xx`. A percent sign that starts no such triplet stands for itself, and bytes that are
/// not UTF-8 become U+FFFD, as the recommendation says.
fn percent_decode(value: &str) -> String {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let digits = after
            .get(..2)
            .and_then(|digits| std::str::from_utf8(digits).ok());
        let decoded = digits
            .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match decoded {
            Some(decoded) if byte == b'%' => {
                bytes.push(decoded);
                rest = &after[2..];
            }
            _ => {
                bytes.push(byte);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn trim_ows(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}
