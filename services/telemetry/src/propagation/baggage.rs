//! The propagator of `baggage`, after the W3C recommendation <https://www.w3.org/TR/baggage/>.
//!
//! A malformed member is dropped and the others are kept; members beyond the limits (64 members, 8,192 bytes
//! in all headers) are dropped. No header can make extraction fail.
//!
//! The limit in bytes applies to the header that is sent on. It is written as short as the specification
//! allows, so it is not longer than the received one: what one service accepts, the next service accepts.

use std::collections::HashMap;

use http::HeaderMap;
use opentelemetry::{
    Context,
    baggage::{Baggage, BaggageExt, KeyValueMetadata},
    propagation::{Extractor, Injector, TextMapPropagator, text_map_propagator::FieldIter},
};
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

const BAGGAGE: &str = "baggage";

/// The most members of a request.
pub const MAX_MEMBERS: usize = 64;

/// The most bytes of the members of a request, with the commas between them.
pub const MAX_BYTES: usize = 8_192;

/// The bytes that are percent-encoded in a value: all but the baggage octets, and the percent sign itself.
const ENCODED: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b',')
    .add(b';')
    .add(b'\\')
    .add(b'%');

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
        let members: Vec<String> = context
            .baggage()
            .iter()
            .map(|(key, (value, properties))| {
                written(key.as_str(), value.as_str(), properties.as_str())
            })
            .collect();
        if !members.is_empty() {
            injector.set(BAGGAGE, members.join(","));
        }
    }

    fn extract_with_context(&self, context: &Context, extractor: &dyn Extractor) -> Context {
        let headers = extractor.get_all(BAGGAGE).unwrap_or_default();
        let mut taken = Taken::default();
        for member in headers.iter().flat_map(|header| header.split(',')) {
            // Dropped members are reported by `dropped`.
            let _ = taken.take(member);
        }
        if taken.baggage.is_empty() {
            context.clone()
        } else {
            context.with_baggage(taken.baggage)
        }
    }

    fn fields(&self) -> FieldIter<'_> {
        FieldIter::new(&self.fields)
    }
}

/// A member of a `baggage` header that the propagator drops.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dropped {
    /// The member as it was received, without white space around it. Bytes that are not UTF-8 are U+FFFD.
    pub member: String,
    /// The reason.
    pub why: Why,
}

/// Why a member of a `baggage` header is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// Its header contains bytes other than printable ASCII.
    NotAscii,
    /// It does not have the form of section 3.3.1.
    Malformed,
    /// [`MAX_MEMBERS`] members precede it.
    TooMany,
    /// With it, the members would have `bytes` bytes, more than [`MAX_BYTES`].
    TooLong {
        /// The number of bytes.
        bytes: usize,
    },
}

/// The members of a request's `baggage` headers that the propagator drops, in their order. Empty members are
/// not counted as members.
pub fn dropped(headers: &HeaderMap) -> Vec<Dropped> {
    let mut taken = Taken::default();
    let mut dropped = Vec::new();
    for header in headers.get_all(BAGGAGE) {
        let is_ascii = header.to_str().is_ok();
        for member in String::from_utf8_lossy(header.as_bytes()).split(',') {
            let member = trim_ows(member);
            let why = match is_ascii {
                true => taken.take(member).err(),
                false => Some(Why::NotAscii),
            };
            if let Some(why) = why.filter(|_| !member.is_empty()) {
                let member = member.to_owned();
                dropped.push(Dropped { member, why });
            }
        }
    }
    dropped
}

/// A context with the baggage of another context, and nothing of its trace.
pub(crate) fn baggage_alone(context: &Context) -> Context {
    let entries = context.baggage().iter();
    Context::new().with_baggage(entries.map(|(key, (value, properties))| {
        KeyValueMetadata::new(key.clone(), value.clone(), properties.clone())
    }))
}

/// The members of a request that were taken so far.
#[derive(Default)]
struct Taken {
    baggage: Baggage,
    /// The length of each member when it is sent on, in bytes: key, value and properties.
    bytes: HashMap<String, usize>,
}

struct Member {
    key: String,
    value: String,
    properties: String,
}

// === impl Taken ===

impl Taken {
    /// Adds a member. If its key exists already, the new member replaces the old one.
    fn take(&mut self, member: &str) -> Result<(), Why> {
        let member = parse_member(member).ok_or(Why::Malformed)?;
        let is_known = self.bytes.contains_key(&member.key);
        if !is_known && self.bytes.len() == MAX_MEMBERS {
            return Err(Why::TooMany);
        }
        let own = written(&member.key, &member.value, &member.properties).len();
        let others = self.bytes.iter().filter(|(key, _)| **key != member.key);
        // A comma precedes every member but the first.
        let bytes = own + others.map(|(_, bytes)| bytes + 1).sum::<usize>();
        if bytes > MAX_BYTES {
            return Err(Why::TooLong { bytes });
        }
        self.bytes.insert(member.key.clone(), own);
        self.baggage
            .insert_with_metadata(member.key, member.value, member.properties);
        Ok(())
    }
}

/// The text of a member when it is sent on.
fn written(key: &str, value: &str, properties: &str) -> String {
    let value = utf8_percent_encode(value, ENCODED);
    match properties.is_empty() {
        true => format!("{key}={value}"),
        false => format!("{key}={value};{properties}"),
    }
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
        // A percent sign that encodes nothing is kept, and bytes that are not UTF-8 become U+FFFD, as the
        // recommendation demands.
        value: percent_decode_str(value).decode_utf8_lossy().into_owned(),
        properties: properties?.join(";"),
    })
}

/// Section 3.3.1: a property is a key, or a key and a value.
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

/// Section 3.3.1: printable ASCII without blank, double quote, comma, semicolon and backslash.
fn is_baggage_octet(byte: u8) -> bool {
    matches!(byte, 0x21 | 0x23..=0x2b | 0x2d..=0x3a | 0x3c..=0x5b | 0x5d..=0x7e)
}

fn trim_ows(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}
