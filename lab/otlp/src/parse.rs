//! JSON texts, read also where serde_json refuses them: a text that is not Unicode, nesting of more than 128
//! levels.
//!
//! JavaScript cuts long texts in the middle of a surrogate pair, and writes the half that is left as an
//! escape. An attribute of 64 levels is JSON of about 270. Both are rare: a text is looked at again only
//! after serde_json has refused it.

use std::{borrow::Cow, str};

use serde::de::IgnoredAny;
use serde_json::Value as Json;
use thiserror::Error;

mod tree;

/// The highest number of objects and arrays around a value: 64 levels of an attribute, and what is around it.
const MOST_NESTED: usize = 300;

/// Parses the document at the beginning of a text; returns its length, too. It takes no more than `room` bytes of
/// memory.
///
/// # Errors
///
/// When the text does not begin with JSON that serde_json reads, and when it takes more memory.
pub fn parse_first(text: &[u8], room: usize) -> Result<(Json, usize), ParseError> {
    let mut json = serde_json::Deserializer::from_slice(text);
    let value = tree::within(&mut json, room)?;
    Ok((value, json.into_iter::<IgnoredAny>().byte_offset()))
}

/// Parses a text that is one document, also where serde_json refuses it. The number is that of the texts in which
/// U+FFFD replaces what is no character. It takes no more than `room` bytes of memory.
///
/// # Errors
///
/// When the text is no JSON, or nested too deeply, and when it takes more memory.
pub fn parse(text: &[u8], room: usize) -> Result<(Json, usize), ParseError> {
    let whole = |text: &[u8], is_deep: bool| {
        let mut json = serde_json::Deserializer::from_slice(text);
        if is_deep {
            json.disable_recursion_limit();
        }
        let value = tree::within(&mut json, room)?;
        json.end()?;
        Ok(value)
    };
    let refused = match whole(text, false) {
        Err(ParseError::Json(refused)) => refused,
        read => return read.map(|json| (json, 0)),
    };
    let (mended, replaced) = match mended(text) {
        Some((mended, replaced)) => (Cow::Owned(mended), replaced),
        None => (Cow::Borrowed(text), 0),
    };
    let read = match replaced {
        0 => Err(refused.into()),
        _ => whole(&mended, false),
    };
    let read = match read {
        Err(ParseError::Json(refused)) if Scan::default().nesting(&mended) <= MOST_NESTED => {
            whole(&mended, true).map_err(|error| match error {
                ParseError::Json(_) => refused.into(),
                too_large => too_large,
            })
        }
        read => read,
    };
    read.map(|json| (json, replaced))
}

/// Why a text was not parsed.
#[derive(Debug, Error)]
pub enum ParseError {
    /// It is no JSON.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    /// As a tree it takes more memory than it may.
    #[error("the document is too large to be read as a whole")]
    TooLarge,
}

/// Writes a text over in which strings hold bytes that are not UTF-8, or a surrogate without the other one:
/// U+FFFD replaces each. The number is that of these strings; `None` if there are none.
pub(crate) fn mended(text: &[u8]) -> Option<(Vec<u8>, usize)> {
    let mut out = Vec::with_capacity(text.len());
    let mut replaced = 0;
    let mut rest = text;
    while let Some(start) = rest.iter().position(|byte| *byte == b'"') {
        let (before, string) = rest.split_at(start + 1);
        out.extend_from_slice(before);
        let end = end_of_string(string);
        let (inside, after) = string.split_at(end);
        match without_lone_surrogates(&String::from_utf8_lossy(inside)) {
            Cow::Borrowed(same) if same.as_bytes() == inside => out.extend_from_slice(inside),
            other => {
                replaced += 1;
                out.extend_from_slice(other.as_bytes());
            }
        }
        // The quote at the end, so that it does not begin another string.
        let quote = usize::from(!after.is_empty());
        out.extend_from_slice(&after[..quote]);
        rest = &after[quote..];
    }
    out.extend_from_slice(rest);
    (replaced > 0).then_some((out, replaced))
}

/// The length of the value at the beginning of a text, which begins with a bracket or a quote; `None` if the text ends
/// before it does. What stands inside is not looked at.
pub fn length_of(text: &[u8]) -> Option<usize> {
    let mut scan = Scan::default();
    let end = text.iter().position(|byte| {
        scan.step(*byte);
        scan.depth == 0 && !scan.in_string
    });
    end.map(|end| end + 1)
}

/// The place of the quote that ends a string, or the end of the text.
fn end_of_string(string: &[u8]) -> usize {
    let mut escaped = false;
    let end = string.iter().position(|byte| match (escaped, byte) {
        (true, _) => {
            escaped = false;
            false
        }
        (false, b'\\') => {
            escaped = true;
            false
        }
        (false, byte) => *byte == b'"',
    });
    end.unwrap_or(string.len())
}

fn without_lone_surrogates(string: &str) -> Cow<'_, str> {
    let mut out = String::new();
    let mut done = 0;
    let mut at = 0;
    let bytes = string.as_bytes();
    while let Some(found) = bytes[at..].iter().position(|byte| *byte == b'\\') {
        let escape = at + found;
        at = escape + 2;
        let Some(unit) = unit(bytes, escape) else {
            if at >= bytes.len() {
                break;
            }
            continue;
        };
        at = escape + 6;
        match unit {
            0xd800..=0xdbff if matches!(self::unit(bytes, at), Some(0xdc00..=0xdfff)) => at += 6,
            0xd800..=0xdfff => {
                out.push_str(&string[done..escape]);
                out.push_str("\\ufffd");
                done = at;
            }
            _ => {}
        }
    }
    if done == 0 {
        return Cow::Borrowed(string);
    }
    out.push_str(&string[done..]);
    Cow::Owned(out)
}

/// The UTF-16 code unit of an escape `\uXXXX` at this place.
fn unit(bytes: &[u8], at: usize) -> Option<u16> {
    let digits = bytes.get(at..)?.strip_prefix(b"\\u")?.get(..4)?;
    let digits = str::from_utf8(digits).ok()?;
    let all = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    all.then(|| u16::from_str_radix(digits, 16).ok()).flatten()
}

/// Follows the nesting of a JSON text.
#[derive(Default)]
struct Scan {
    depth: usize,
    in_string: bool,
    escaped: bool,
}

// === impl Scan ===

impl Scan {
    fn nesting(&mut self, text: &[u8]) -> usize {
        let depths = text.iter().map(|byte| {
            self.step(*byte);
            self.depth
        });
        depths.max().unwrap_or(0)
    }

    fn step(&mut self, byte: u8) {
        match (self.in_string, byte) {
            (true, _) if self.escaped => self.escaped = false,
            (true, b'\\') => self.escaped = true,
            (true, b'"') => self.in_string = false,
            (true, _) => {}
            (false, b'"') => self.in_string = true,
            (false, b'{' | b'[') => self.depth += 1,
            (false, b'}' | b']') => self.depth = self.depth.saturating_sub(1),
            (false, _) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text_of(mended: Option<(Vec<u8>, usize)>) -> Option<(String, usize)> {
        mended.map(|(text, count)| (String::from_utf8_lossy(&text).into_owned(), count))
    }

    #[test]
    fn only_halves_of_characters_are_replaced() {
        for whole in [
            &br#"{"a":"\ud83d\ude00 \u00e9 \\ud800"}"#[..],
            "{\"ü\": \"\\\"\"}".as_bytes(),
            br#"{"cut": "\"#,
        ] {
            assert_eq!(text_of(mended(whole)), None);
        }
        let lone = br#"["a\ud83d","\ude00b\ud83d\ud83d\ude00","fine"]"#;
        let right = r#"["a\ufffd","\ufffdb\ufffd\ud83d\ude00","fine"]"#;
        assert_eq!(text_of(mended(lone)), Some((right.to_owned(), 2)));
        let bytes = [&b"[\"caf\xc3\",1]"[..]].concat();
        assert_eq!(
            text_of(mended(&bytes)),
            Some(("[\"caf\u{fffd}\",1]".to_owned(), 1))
        );
    }

    #[test]
    fn nesting_is_read_up_to_its_limit() {
        let nested = |levels: usize| {
            let text = format!("{}7{}", "[{\"a\":".repeat(levels), "}]".repeat(levels));
            text.into_bytes()
        };
        for levels in [60, 70, 120, 150] {
            let (json, _) = parse(&nested(levels), 1 << 20).expect("it is within the limit");
            let mut at = &json;
            for _ in 0..levels {
                at = &at[0]["a"];
            }
            assert_eq!(*at, 7);
        }
        let refused = parse(&nested(151), 1 << 20).expect_err("it is nested too deeply");
        assert!(refused.to_string().contains("recursion"), "{refused}");
    }
}
