//! The shape of a statement, a route or a name: the part that is equal in calls that differ only in their
//! values.

use std::{borrow::Cow, fmt};

use trace::Span;

use super::call::{self, Call};

/// The shape of a span's operation. Equal shapes mean the same work for other values.
pub(crate) fn of(span: &Span, call: Call) -> Cow<'_, str> {
    match call {
        Call::Database(_) => match call::text(span, &["db.query.text", "db.statement"]) {
            Some(text) => statement(text).into(),
            None => {
                let summary = call::text(span, &["db.query.summary"]).unwrap_or(&span.name);
                let collection = call::text(
                    span,
                    &[
                        "db.collection.name",
                        "db.sql.table",
                        "db.mongodb.collection",
                    ],
                );
                let name_of_both = format!("{summary} {}", collection.unwrap_or_default());
                name(&name_of_both).into_owned().into()
            }
        },
        Call::Http(_) => Route::of(span).to_string().into(),
        _ => name(&span.name),
    }
}

/// A statement without its values: literals, placeholders and lists of them become one `?`.
pub(crate) fn statement(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut shape = String::with_capacity(text.len());
    let mut at = 0;
    while at < bytes.len() {
        let byte = bytes[at];
        let before = shape.as_bytes().last().copied();
        let in_word = before.is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        match byte {
            b'\'' => {
                at = end_of_literal(bytes, at);
                shape.push('?');
            }
            b'0'..=b'9' if !in_word => {
                at = skip(bytes, at, |byte| {
                    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_')
                });
                shape.push('?');
            }
            b'$' | b':' | b'@'
                if !in_word && bytes.get(at + 1).is_some_and(u8::is_ascii_alphanumeric) =>
            {
                at = skip(bytes, at + 1, |byte| {
                    byte.is_ascii_alphanumeric() || byte == b'_'
                });
                shape.push('?');
            }
            b'%' if bytes.get(at + 1) == Some(&b's') => {
                at += 2;
                shape.push('?');
            }
            b' ' | b'\t' | b'\n' | b'\r' => {
                at += 1;
                if before.is_some_and(|byte| byte != b' ') {
                    shape.push(' ');
                }
            }
            _ if byte.is_ascii() => {
                at += 1;
                shape.push(char::from(byte.to_ascii_lowercase()));
            }
            _ => {
                let end = skip(bytes, at, |byte| !byte.is_ascii());
                shape.push_str(&text[at..end]);
                at = end;
            }
        }
    }
    one_of_many(shape.trim_end())
}

/// Replaces a list of placeholders by one, since its length differs between calls.
fn one_of_many(shape: &str) -> String {
    let mut short = shape.replace("?, ?", "?,?");
    while short.contains("?,?") {
        short = short.replace("?,?", "?");
        short = short.replace("?, ?", "?");
    }
    while short.contains("(?), (?)") || short.contains("(?),(?)") {
        short = short.replace("(?), (?)", "(?)").replace("(?),(?)", "(?)");
    }
    short
}

fn end_of_literal(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while at < bytes.len() {
        match (bytes[at], bytes.get(at + 1)) {
            (b'\'', Some(b'\'')) | (b'\\', Some(_)) => at += 2,
            (b'\'', _) => return at + 1,
            _ => at += 1,
        }
    }
    at
}

fn skip(bytes: &[u8], from: usize, is: impl Fn(u8) -> bool) -> usize {
    let rest = bytes[from..].iter();
    from + rest.take_while(|&&byte| is(byte)).count()
}

/// The method, the server and the path of a call, without ids and without a query.
#[derive(PartialEq, Eq, Hash)]
pub(crate) struct Route<'s> {
    method: &'s str,
    host: &'s str,
    port: Option<i64>,
    path: Cow<'s, str>,
}

impl<'s> Route<'s> {
    pub(crate) fn of(span: &'s Span) -> Route<'s> {
        let (host, port) = call::address(span).unwrap_or_default();
        let template = call::text(span, &["url.template", "http.route"]);
        Route {
            method: call::method(span).unwrap_or(&span.name),
            host,
            port,
            path: match template {
                Some(template) => template.into(),
                None => name(call::path(span).unwrap_or_default()),
            },
        }
    }
}

impl fmt::Display for Route<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.host)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        f.write_str(&self.path)
    }
}

/// A name without ids: numbers, UUIDs, long hexadecimal words, and everything after a `?`.
pub(crate) fn name(text: &str) -> Cow<'_, str> {
    match may_hold_an_id(text) {
        true => without_ids(text).into(),
        false => text.into(),
    }
}

/// Whether a name can contain an id at all: every id has a digit, or is after a `?`.
pub(crate) fn may_hold_an_id(text: &str) -> bool {
    text.bytes()
        .any(|byte| byte.is_ascii_digit() || byte == b'?')
}

fn without_ids(text: &str) -> String {
    let mut shape = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if is_word(first) {
            let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
            let (word, after) = rest.split_at(end);
            shape.push_str(if is_id(word) { "?" } else { word });
            rest = after;
        } else if first == '?' {
            shape.push_str("??");
            break;
        } else {
            shape.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    shape
}

/// Whether a name must be one of an unlimited number: it contains a UUID, a long hexadecimal word, or the
/// query of a URL.
pub(crate) fn is_unique(text: &str) -> bool {
    let queried = text.find('?').is_some_and(|at| text[at..].contains('='));
    let mut words = text.split(|c| !is_word(c));
    queried || words.any(|word| is_uuid(word) || (word.len() >= 16 && is_hex(word)))
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '-'
}

fn is_id(word: &str) -> bool {
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    digits > 0
        && (digits == word.len()
            || is_uuid(word)
            || (word.len() >= 8 && is_hex(word))
            || (word.len() >= 16 && digits >= 4))
}

fn is_hex(word: &str) -> bool {
    word.bytes().all(|byte| byte.is_ascii_hexdigit())
        && word.bytes().any(|byte| byte.is_ascii_digit())
}

/// Whether a word has the form of a UUID: 8-4-4-4-12 hexadecimal digits.
pub(crate) fn is_uuid(word: &str) -> bool {
    let bytes = word.as_bytes();
    bytes.len() == 36
        && bytes.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_that_differ_in_their_values_have_one_shape() {
        let shape = "select * from users where id = ? and name = ?";
        for text in [
            "SELECT * FROM users WHERE id = 17 AND name = 'O''Brien'",
            "select *  from users\n where id = $1 and name = $2",
            "SELECT * FROM users WHERE id = :id AND name = :name",
            "SELECT * FROM users WHERE id = %s AND name = %s",
            "SELECT * FROM users WHERE id = ? AND name = ?",
        ] {
            assert_eq!(statement(text), shape, "{text}");
        }
        assert_eq!(
            statement("SELECT a1 FROM t2 WHERE x IN ($1, $2, $3)"),
            statement("SELECT a1 FROM t2 WHERE x IN ($1)")
        );
        assert_eq!(
            statement("INSERT INTO t (a, b) VALUES ($1, $2), ($3, $4)"),
            "insert into t (a, b) values (?)"
        );
        assert_eq!(statement("GET user:17"), "get user:?");
        assert_ne!(statement("SELECT a FROM t"), statement("SELECT b FROM t"));
        assert_eq!(statement("'unfinished"), "?");
        assert_eq!(statement("größe > 5"), "größe > ?");
    }

    #[test]
    fn names_lose_their_ids_and_nothing_else() {
        for (text, shape) in [
            ("GET /users/17/orders", "GET /users/?/orders"),
            ("GET /v1/users", "GET /v1/users"),
            ("order 6f9619ff-8b86-d011-b42d-00c04fc964ff", "order ?"),
            ("GET /prices?sku=A,B", "GET /prices??"),
            ("blob/deadbeef01", "blob/?"),
            ("process_order", "process_order"),
            ("", ""),
        ] {
            assert_eq!(name(text), shape);
        }
        assert!(is_unique("GET /prices?sku=A"));
        assert!(is_unique("load 6f9619ff-8b86-d011-b42d-00c04fc964ff"));
        assert!(!is_unique("GET /users/{id}"));
        assert!(!is_unique("really?"));
    }
}
