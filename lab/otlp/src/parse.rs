//! JSON texts, read also where serde_json refuses them: a text that is not Unicode, nesting of more than 128
//! levels.
//!
//! JavaScript cuts long texts in the middle of a surrogate pair, and writes the half that is left as an
//! escape. An attribute of 64 levels is JSON of about 270. Both are rare: a text is looked at again only
//! after serde_json has refused it.

use std::{borrow::Cow, str};

use serde::Deserialize as _;
use serde_json::{Error, Value as Json};

/// The highest number of objects and arrays around a value: 64 levels of an attribute, and what is around it.
const MOST_NESTED: usize = 300;

/// Parses one document. The number is that of the texts in which U+FFFD replaces what is no character.
///
/// # Errors
///
/// When the text is no JSON, or nested too deeply.
pub fn parse(text: &[u8]) -> Result<(Json, usize), Error> {
    let refused = match serde_json::from_slice(text) {
        Ok(json) => return Ok((json, 0)),
        Err(refused) => refused,
    };
    let (mended, replaced) = match mended(text) {
        Some((mended, replaced)) => (Cow::Owned(mended), replaced),
        None => (Cow::Borrowed(text), 0),
    };
    let read = match replaced {
        0 => Err(refused),
        _ => serde_json::from_slice(&mended),
    };
    read.or_else(|refused| parse_deep(&mended).ok_or(refused))
        .map(|json| (json, replaced))
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

/// Parses a document that is nested deeper than serde_json reads on its own; `None` if it is nested too deeply, or is
/// no JSON.
fn parse_deep(text: &[u8]) -> Option<Json> {
    if Scan::default().nesting(text) > MOST_NESTED {
        return None;
    }
    let mut json = serde_json::Deserializer::from_slice(text);
    json.disable_recursion_limit();
    let value = Json::deserialize(&mut json).ok()?;
    json.end().ok()?;
    Some(value)
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
            let (json, _) = parse(&nested(levels)).expect("it is within the limit");
            let mut at = &json;
            for _ in 0..levels {
                at = &at[0]["a"];
            }
            assert_eq!(*at, 7);
        }
        let refused = parse(&nested(151)).expect_err("it is nested too deeply");
        assert!(refused.to_string().contains("recursion"), "{refused}");
    }
}
