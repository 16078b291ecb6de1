//! A secret in a span: a card number, a token, a password.

mod card;

use trace::{Attributes, Span, Value};

use self::card::{CARD_DIGITS, card_number, holds_card_number};
use crate::{
    facts::{
        search::{Word, ends_with_ignoring_case},
        view::View,
    },
    finding::{Explains, Finding, Rule, Scope, Severity},
    thresholds::Thresholds,
};

/// The rule `leaked-secret`.
pub(crate) static RULE: Rule = Rule {
    name: "leaked-secret",
    severity: Severity::Critical,
    summary: "an attribute contains a secret: each reader of the traces can read it",
    remedy: "do not record it; redact it in the Collector; then replace the secret, for it is out",
    thresholds: &[],
    source: "ours (card numbers by issuer and Luhn's check, bearer tokens, JSON Web Tokens, keys of cloud providers, values of keys that are called a password)",
    of_the_load: false,
    about_time: false,
    needs_complete_traces: false,
    explains: Explains::NOTHING,
    scope: Scope::Trace(detect),
};

fn detect(view: &View<'_>, _: &Thresholds, found: &mut Vec<Finding>) {
    for place in 0..view.len() {
        if let Some((key, what)) = secret_of(view.span(place)) {
            // The secret itself is not repeated.
            let evidence = format!("{} holds {what} in {key}.", view.place(place));
            found.push(
                Finding::new(&RULE, view.ids(&[place]), evidence)
                    .fact("key", key)
                    .fact("what", what),
            );
        }
    }
}

fn secret_of(span: &Span) -> Option<(String, &'static str)> {
    let events = span.events.iter().map(|event| &event.attributes);
    let links = span.links.iter().map(|link| &link.attributes);
    std::iter::once(&span.attributes)
        .chain(events)
        .chain(links)
        .find_map(secret_in)
        .or_else(|| Some(("its name".to_owned(), secret(&span.name)?)))
        .or_else(|| Some(("its status".to_owned(), secret(&span.status.message)?)))
}

fn secret_in(attributes: &Attributes) -> Option<(String, &'static str)> {
    attributes
        .iter()
        .filter(|(key, _)| !key.starts_with("lab."))
        .find_map(|(key, value)| {
            let what = match value {
                Value::String(text) => secret(text).or_else(|| secret_by_key(key, text)),
                Value::Int(number) if *number > 100_000_000_000 => card_number(&number.to_string())
                    .then_some("a card number")
                    .filter(|_| is_card_key(key)),
                Value::Array(values) => values.iter().find_map(|value| {
                    let text = value.as_str()?;
                    secret(text).or_else(|| secret_by_key(key, text))
                }),
                Value::Map(inner) => secret_in(inner).map(|(_, what)| what),
                _ => None,
            };
            what.map(|what| (key.to_owned(), what))
        })
}

fn is_card_key(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    key.contains("card") || key.contains("pan") || key.contains("number")
}

const NAMED: [&str; 10] = [
    "password",
    "passwd",
    "pwd",
    "secret",
    "api_key",
    "apikey",
    "api-key",
    "access_token",
    "private_key",
    "authorization",
];

/// The kind of secret by its key: the key names a secret, and the value is not masked.
fn secret_by_key(key: &str, text: &str) -> Option<&'static str> {
    if !is_named_a_secret(key.as_bytes()) {
        return None;
    }
    let masked = text.len() < 4
        || text.contains("***")
        || text.contains("<redacted")
        || text.eq_ignore_ascii_case("redacted")
        || text.eq_ignore_ascii_case("[redacted]")
        || matches!(text, "true" | "false" | "none" | "null")
        || text
            .bytes()
            .all(|byte| matches!(byte, b'*' | b'x' | b'X' | b'.'));
    (!masked).then_some("a value of a key that is called a secret")
}

/// Whether the last word of a key is one of those names, or ends with one after a `_`.
fn is_named_a_secret(key: &[u8]) -> bool {
    // Most keys end in another letter than most names: only the others are compared.
    let last = key.last().map(u8::to_ascii_lowercase);
    matches!(last, Some(b'd' | b'n' | b't' | b'y'))
        && NAMED.iter().any(|name| {
            name.as_bytes().last().copied() == last
                && ends_with_ignoring_case(key, name.as_bytes())
                && matches!(
                    key[..key.len() - name.len()].last(),
                    None | Some(b'.' | b'_')
                )
        })
}

/// The kind of secret that a text contains, if any.
fn secret(text: &str) -> Option<&'static str> {
    if text.len() < 12 {
        return None;
    }
    // Nearly all texts lack what every secret has: a run of digits, or one of a few letters and signs.
    let bytes = text.as_bytes();
    let (signs, digits) = signs(bytes);
    let may = |sign: u8| signs & sign != 0;
    if digits >= *CARD_DIGITS.start() && holds_card_number(text) {
        return Some("a card number");
    }
    if may(SPACE) && BEARER.find(bytes).is_some_and(|at| is_bearer(bytes, at)) {
        return Some("a bearer token");
    }
    if may(CAPITAL_J) && JWT.find(bytes).is_some_and(|at| is_jwt(&text[at..])) {
        return Some("a JSON Web Token");
    }
    if may(CAPITAL_K) && KEY_ID.find(bytes).is_some_and(|at| is_key_id(bytes, at)) {
        return Some("an access key");
    }
    if may(CAPITAL_K) && PEM.is_in(text) && PRIVATE_KEY.is_in(text) {
        return Some("a private key");
    }
    if may(EQUALS) && (has_password(bytes) || (may(QUOTE) && has_password_literal(bytes))) {
        return Some("a password");
    }
    (may(AT) && has_password_in_address(text)).then_some("a password in an address")
}

/// The common part of `Bearer` and `bearer`.
static BEARER: Word = Word::new("earer ");
/// The Base64 form of `{"`, with which a JSON Web Token begins.
static JWT: Word = Word::new("eyJ");
/// The prefix of the ids of AWS access keys.
static KEY_ID: Word = Word::new("AKIA");
static PEM: Word = Word::new("-----BEGIN ");
static PRIVATE_KEY: Word = Word::new("PRIVATE KEY-----");
/// The lower-case text before the literal of a password.
static LITERALS: [Word; 3] = [
    Word::new("password"),
    Word::new("passwd"),
    Word::new("secret"),
];

const DIGIT: u8 = 1;
const SPACE: u8 = 2;
const CAPITAL_J: u8 = 4;
const CAPITAL_K: u8 = 8;
const EQUALS: u8 = 16;
const AT: u8 = 32;
const QUOTE: u8 = 64;

/// The signs that occur in a text of at least a few bytes, and the most digits that it can have. Sixteen bytes are
/// taken at a time, each of them compared with all signs.
fn signs(bytes: &[u8]) -> (u8, usize) {
    const LANES: usize = 16;
    let (mut signs, mut digits) = ([0_u8; LANES], [0_u8; LANES]);
    let mut take = |chunk: &[u8; LANES]| {
        for ((signs, digits), &byte) in signs.iter_mut().zip(&mut digits).zip(chunk) {
            let sign = sign_of(byte);
            *signs |= sign;
            *digits = digits.saturating_add(sign & DIGIT);
        }
    };
    let (chunks, rest) = bytes.as_chunks::<LANES>();
    chunks.iter().for_each(&mut take);
    match bytes.last_chunk::<LANES>() {
        // Some bytes are taken twice: their signs are the same, and there are no more digits than counted.
        Some(last) if !rest.is_empty() => take(last),
        Some(_) => {}
        None => {
            let mut padded = [0; LANES];
            padded[..rest.len()].copy_from_slice(rest);
            take(&padded);
        }
    }
    let signs = signs.iter().fold(0, |all, signs| all | signs);
    (
        signs,
        digits.iter().map(|&digits| usize::from(digits)).sum(),
    )
}

/// The sign that a byte is, or 0. It has no branch, so that the compiler can use it on many bytes at once.
#[inline]
fn sign_of(byte: u8) -> u8 {
    let is = |sign: u8, is_it: bool| sign * u8::from(is_it);
    is(DIGIT, byte.wrapping_sub(b'0') < 10)
        | is(SPACE, byte == b' ')
        | is(CAPITAL_J, byte == b'J')
        | is(CAPITAL_K, byte == b'K')
        | is(EQUALS, byte == b'=')
        | is(AT, byte == b'@')
        | is(QUOTE, byte == b'\'')
}

fn is_bearer(bytes: &[u8], at: usize) -> bool {
    let begins = at
        .checked_sub(1)
        .is_some_and(|before| matches!(bytes[before], b'B' | b'b'));
    begins && token_length(&bytes[at + BEARER.len()..]) >= 16
}

/// The text before the `=` of a password.
const ASSIGNED: [&str; 8] = [
    "password",
    "passwd",
    "pwd",
    "api_key",
    "access_token",
    "client_secret",
    "secret_key",
    "secret_access_key",
];

/// Finds `password=value`, as in a query or a connection string. The first occurrence of each name counts.
fn has_password(bytes: &[u8]) -> bool {
    let mut seen = [false; ASSIGNED.len()];
    let mut equals = memchr::memchr_iter(b'=', bytes);
    equals.any(|at| {
        let (before, value) = (&bytes[..at], &bytes[at + 1..]);
        ASSIGNED.iter().zip(&mut seen).any(|(name, seen)| {
            let is_first = !*seen && ends_with_ignoring_case(before, name.as_bytes());
            *seen |= is_first;
            is_first && is_password(value)
        })
    })
}

/// Whether the text after a `=` is a password, and neither masked nor a placeholder.
fn is_password(value: &[u8]) -> bool {
    let ends = |byte: &u8| matches!(byte, b'&' | b' ' | b';' | b'"' | b'\'' | b',');
    let length = value.iter().take_while(|byte| !ends(byte)).count();
    let mask = |byte: &u8| matches!(byte, b'*' | b'x' | b'X' | b'?' | b'$' | b'{' | b'}' | b'.');
    let is_placeholder = matches!(value.first(), Some(b'$' | b':' | b'?' | b'%' | b'<' | b'['));
    let redacted = value.get(.."redacted".len());
    let masked = value[..length].iter().all(mask)
        || redacted.is_some_and(|word| word.eq_ignore_ascii_case(b"redacted"));
    length >= 4 && !masked && !is_placeholder
}

/// Finds `password = 'literal'`, as in a statement or a file.
fn has_password_literal(bytes: &[u8]) -> bool {
    let lower = bytes.to_ascii_lowercase();
    LITERALS.iter().any(|name| {
        let Some(at) = name.find(&lower) else {
            return false;
        };
        let rest = lower[at + name.len()..].trim_ascii_start();
        let value = rest.strip_prefix(b"=").map(<[u8]>::trim_ascii_start);
        let quoted = value.and_then(|value| value.strip_prefix(b"'"));
        quoted.is_some_and(|quoted| {
            let length = quoted.iter().take_while(|&&byte| byte != b'\'').count();
            let masked = quoted[..length]
                .iter()
                .all(|byte| matches!(byte, b'*' | b'x' | b'?'));
            length >= 4 && !masked
        })
    })
}

/// Finds `scheme://user:password@host`.
fn has_password_in_address(text: &str) -> bool {
    let Some((_, after)) = text.split_once("://") else {
        return false;
    };
    let authority = after.split(['/', '?', '#', ' ']).next().unwrap_or_default();
    let password = authority
        .rsplit_once('@')
        .and_then(|(user, _)| user.split_once(':'));
    password.is_some_and(|(_, password)| {
        let masked = password.bytes().all(|byte| matches!(byte, b'*' | b'x'));
        !masked && !password.eq_ignore_ascii_case("redacted")
    })
}

fn token_length(bytes: &[u8]) -> usize {
    let is_token = |byte: &&u8| {
        byte.is_ascii_alphanumeric()
            || matches!(byte, b'-' | b'_' | b'.' | b'~' | b'+' | b'/' | b'=')
    };
    bytes.iter().take_while(is_token).count()
}

fn is_jwt(text: &str) -> bool {
    let word = &text[..token_length(text.as_bytes())];
    let parts: Vec<&str> = word.split('.').collect();
    matches!(parts.as_slice(), [head, body, _] if head.len() >= 10 && body.len() >= 10 && body.starts_with("eyJ"))
}

fn is_key_id(bytes: &[u8], at: usize) -> bool {
    let rest = &bytes[at + 4..];
    let length = rest
        .iter()
        .take_while(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
        .count();
    length == 16 && (at == 0 || !bytes[at - 1].is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_known_and_what_looks_alike_is_not() {
        for text in [
            "4242 4242 4242 4242",
            "card 4111-1111-1111-1111 was declined",
            "378282246310005",
            "Authorization: Bearer abcdef0123456789abcdef",
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N",
            "postgres://shop:hunter22@db/shop",
            "https://example.com/?password=hunter22&x=1",
            "AKIAIOSFODNN7EXAMPLE",
        ] {
            assert!(secret(text).is_some(), "{text}");
        }
        for text in [
            "4242424242424241",
            "**** **** **** 4242",
            "1764068400000000000",
            "6f9619ff-8b86-4011-b42d-00c04fc964ff",
            "2026-11-25 10:54:38 4000",
            "postgres://shop@db/shop",
            "postgres://shop:****@db/shop",
            "SELECT * FROM users WHERE password=$1",
            "the bearer of this letter",
            "0000000000000000",
            "order 4242",
        ] {
            assert_eq!(secret(text), None, "{text}");
        }
        assert!(secret_by_key("user.password", "hunter22").is_some());
        assert!(secret_by_key("user.password", "********").is_none());
        assert!(secret_by_key("password_reset.count", "many").is_none());
    }
}
