//! [`Call`]: the kind of call that a span makes, by the semantic conventions (current and older names).

use trace::{Kind, Span, Value};

use super::wait::For;

/// The kind of call that a span makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Call {
    /// The span is not a call.
    None,
    /// A database.
    Database(Access),
    /// A server, over HTTP.
    Http(Access),
    /// A server, over another protocol with requests and replies.
    Rpc,
    /// A broker.
    Messaging,
    /// A target that the span does not name.
    Other,
}

/// Whether a call changes data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Access {
    /// The call only reads.
    Read,
    /// The call changes data, or may change it.
    Write,
}

const WRITES: [&str; 52] = [
    "insert",
    "update",
    "delete",
    "merge",
    "upsert",
    "replace",
    "create",
    "drop",
    "alter",
    "truncate",
    "comment",
    "grant",
    "revoke",
    "analyze",
    "vacuum",
    "reindex",
    "lock",
    "call",
    "do",
    "begin",
    "start",
    "commit",
    "rollback",
    "savepoint",
    "release",
    "set",
    "copy",
    "pragma",
    "lpush",
    "rpush",
    "ltrim",
    "incr",
    "expire",
    "setex",
    "setnx",
    "mset",
    "hset",
    "hmset",
    "sadd",
    "srem",
    "zadd",
    "zrem",
    "xadd",
    "del",
    "unlink",
    "publish",
    "insertmany",
    "updatemany",
    "bulkwrite",
    "batch",
    "pipeline",
    "exec",
];

const STATEMENTS: [&str; 12] = [
    "select", "insert", "update", "delete", "merge", "begin", "commit", "rollback", "with",
    "replace", "upsert", "truncate",
];

// === impl Call ===

impl Call {
    pub(crate) fn of(span: &Span) -> Call {
        if matches!(span.kind, Kind::Server | Kind::Consumer) {
            return Call::None;
        }
        let (mut database, mut operation, mut statement) = (false, None, None);
        let (mut method, mut rpc, mut messaging) = (None, false, false);
        for (key, value) in span.attributes.iter() {
            match key {
                "db.system.name" | "db.system" => database = true,
                "db.operation.name" | "db.operation" => operation = value.as_str(),
                "db.query.text" | "db.statement" => statement = value.as_str(),
                "http.request.method" | "http.method" => method = value.as_str(),
                "rpc.system" | "rpc.system.name" | "rpc.service" | "rpc.method" => rpc = true,
                "messaging.system" => messaging = true,
                _ => {}
            }
        }
        if span.kind == Kind::Producer {
            return Call::Messaging;
        }
        // Some libraries record queries as INTERNAL spans; a span that waits for a database is not a query.
        let is_call = span.kind == Kind::Client;
        if database && (is_call || operation.is_some() || statement.is_some()) {
            if operation.is_none() && statement.is_none() && takes_a_connection(&span.name) {
                return Call::None;
            }
            let word = operation.or(statement).unwrap_or(&span.name);
            // A read that takes locks is part of a transaction that will write.
            return Call::Database(match statement.is_some_and(takes_locks) {
                true => Access::Write,
                false => Access::of_statement(word),
            });
        }
        if !is_call {
            return Call::None;
        }
        match method {
            Some(method) if !messaging => Call::Http(Access::of_method(method)),
            _ if rpc => Call::Rpc,
            _ if messaging => Call::Messaging,
            _ if is_statement(&span.name) => Call::Database(Access::of_statement(&span.name)),
            _ => Call::Other,
        }
    }

    /// Whether the call waits for an answer; a message is only sent.
    pub(crate) fn is_answered(self) -> bool {
        !matches!(self, Call::None | Call::Messaging)
    }

    /// Whether it is a call to a service, and not to a database or a broker.
    pub(crate) fn is_to_service(self) -> bool {
        matches!(self, Call::Http(_) | Call::Rpc | Call::Other)
    }
}

// === impl Access ===

impl Access {
    fn of_statement(text: &str) -> Access {
        let word = first_word(text);
        match WRITES.iter().any(|write| word.eq_ignore_ascii_case(write)) {
            true => Access::Write,
            false => Access::Read,
        }
    }

    fn of_method(method: &str) -> Access {
        match ["GET", "HEAD", "OPTIONS", "QUERY"]
            .iter()
            .any(|safe| method.eq_ignore_ascii_case(safe))
        {
            true => Access::Read,
            false => Access::Write,
        }
    }
}

/// Whether a span of a database's client takes a connection and asks nothing: `pg-pool.connect`,
/// `redis-connect`, `tcp.connect`, or a wait for a connection.
fn takes_a_connection(name: &str) -> bool {
    let last = name.rsplit(['.', '-', ' ', ':', '_']).next();
    last.is_some_and(|word| word.eq_ignore_ascii_case("connect"))
        || For::of(name) == Some(For::Connection)
}

fn takes_locks(statement: &str) -> bool {
    let end = statement.trim_end().as_bytes();
    let last = &end[end.len().saturating_sub(32)..];
    last.windows(10)
        .any(|words| words.eq_ignore_ascii_case(b"for update"))
}

fn first_word(text: &str) -> &str {
    let text = text.trim_start();
    let end = text
        .find(|c: char| !c.is_ascii_alphabetic())
        .unwrap_or(text.len());
    &text[..end]
}

fn is_statement(name: &str) -> bool {
    let word = first_word(name);
    // `Update` may be any name; `UPDATE orders` is a statement.
    let shouted = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_uppercase());
    shouted
        && STATEMENTS
            .iter()
            .any(|statement| word.eq_ignore_ascii_case(statement))
}

/// The first of these attributes whose value is text.
pub(crate) fn text<'s>(span: &'s Span, keys: &[&str]) -> Option<&'s str> {
    keys.iter()
        .find_map(|key| span.attributes.get(key)?.as_str())
}

/// The first of these attributes whose value is a number, or text that can be parsed as a number.
pub(crate) fn number(span: &Span, keys: &[&str]) -> Option<i64> {
    keys.iter().find_map(|key| match span.attributes.get(key)? {
        Value::Int(number) => Some(*number),
        Value::String(text) => text.parse().ok(),
        _ => None,
    })
}

/// The status code of the HTTP response, if there is one.
pub(crate) fn status_code(span: &Span) -> Option<i64> {
    number(span, &["http.response.status_code", "http.status_code"])
}

/// The HTTP method of a call or a request.
pub(crate) fn method(span: &Span) -> Option<&str> {
    text(span, &["http.request.method", "http.method"])
}

/// The path of a call or a request, without its query.
pub(crate) fn path(span: &Span) -> Option<&str> {
    let path = match text(span, &["url.path", "http.target"]) {
        Some(path) => path,
        None => {
            let url = text(span, &["url.full", "http.url"])?;
            let after = url.split_once("://").map_or(url, |(_, after)| after);
            after.find('/').map_or("/", |slash| &after[slash..])
        }
    };
    Some(path.split(['?', '#']).next().unwrap_or(path))
}

/// The address of the callee: the host, and the port if the span has it.
pub(crate) fn address(span: &Span) -> Option<(&str, Option<i64>)> {
    let host = text(
        span,
        &[
            "server.address",
            "net.peer.name",
            "net.sock.peer.addr",
            "http.host",
        ],
    );
    let port = number(
        span,
        &["server.port", "net.peer.port", "net.sock.peer.port"],
    );
    if let Some(host) = host {
        return Some((host, port));
    }
    let url = text(span, &["url.full", "http.url"])?;
    let (_, after) = url.split_once("://")?;
    let authority = after.split(['/', '?', '#']).next()?;
    let authority = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    match authority.rsplit_once(':') {
        Some((host, port)) if port.parse::<u16>().is_ok() => Some((host, port.parse().ok())),
        _ => Some((authority, None)),
    }
}

/// The name of the called service, if the caller's span has it.
pub(crate) fn peer_service(span: &Span) -> Option<&str> {
    text(span, &["service.peer.name", "peer.service"])
}

/// The id of the message that a span sends or processes.
pub(crate) fn message_id(span: &Span) -> Option<&str> {
    text(span, &["messaging.message.id", "messaging.message_id"])
}

/// Whether the caller gave up after a timeout.
pub(crate) fn timed_out(span: &Span) -> bool {
    let error_type = text(span, &["error.type"]);
    if !span.is_error() && error_type.is_none() {
        return false;
    }
    let says = |text: &str| {
        let text = text.to_ascii_lowercase();
        ["timeout", "timed out", "timed_out", "timedout", "deadline"]
            .iter()
            .any(|word| text.contains(word))
    };
    let grpc = number(span, &["rpc.grpc.status_code"]) == Some(4)
        || text(span, &["rpc.response.status_code"]) == Some("DEADLINE_EXCEEDED");
    let by_exception = span
        .events
        .iter()
        .filter(|event| event.name == "exception")
        .any(|event| {
            let attribute = |key| event.attributes.get(key).and_then(Value::as_str);
            attribute("exception.type").is_some_and(says)
        });
    grpc || by_exception
        || error_type.is_some_and(says)
        || says(&span.status.message)
        || matches!(status_code(span), Some(408 | 504))
}

/// The failure of a span in one line: the recorded exception, the status, or the error type.
pub(crate) fn failure(span: &Span) -> Option<String> {
    let whole = whole_failure(span)?;
    Some(
        whole
            .lines()
            .next()
            .unwrap_or_default()
            .trim_end()
            .to_owned(),
    )
}

fn whole_failure(span: &Span) -> Option<String> {
    let exception = span
        .events
        .iter()
        .rev()
        .find(|event| event.name == "exception");
    if let Some(event) = exception {
        let attribute = |key| event.attributes.get(key).and_then(Value::as_str);
        return match (attribute("exception.type"), attribute("exception.message")) {
            (Some(kind), Some(message)) => Some(format!("{kind}: {message}")),
            (Some(one), None) | (None, Some(one)) => Some(one.to_owned()),
            (None, None) => None,
        };
    }
    let message = span.status.message.as_str();
    if !message.is_empty() {
        return Some(message.to_owned());
    }
    let said = text(
        span,
        &[
            "error.message",
            "grpc.error_message",
            "rpc.grpc.error_message",
        ],
    );
    let kind = text(
        span,
        &["error.type", "grpc.error_name", "rpc.grpc.error_name"],
    );
    match (kind, said) {
        (Some(kind), Some(said)) if kind != said => Some(format!("{kind}: {said}")),
        (Some(one), _) | (None, Some(one)) => Some(one.to_owned()),
        (None, None) => status(span),
    }
}

/// The status of the answer, of HTTP or of an RPC.
fn status(span: &Span) -> Option<String> {
    let rpc = || {
        let keys = ["rpc.response.status_code", "rpc.grpc.status_code"];
        text(span, &keys)
            .map(str::to_owned)
            .or_else(|| number(span, &keys).map(|code| code.to_string()))
    };
    status_code(span)
        .map(|code| format!("status {code}"))
        .or_else(|| rpc().map(|code| format!("gRPC status {code}")))
}
