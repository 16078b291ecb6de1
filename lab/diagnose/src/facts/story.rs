//! The story of an error: its origin, what each layer did with it, and what the user received.

use trace::{Kind, Span, SpanId, Value};

use super::{call, failures::failures, view::View};

/// The story, from the deepest error up to the request of the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Story {
    /// The spans on the way up, the deepest first.
    pub chapters: Vec<Chapter>,
}

/// What one layer did with an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chapter {
    /// The span.
    pub span_id: SpanId,
    /// Its service.
    pub service: String,
    /// Its name.
    pub name: String,
    /// The layer's result: an exception, a status, a reply; or the statement that it recorded nothing.
    pub made_of_it: String,
    /// The attributes of the business: those that no convention defines.
    pub context: Vec<(String, String)>,
}

pub(crate) fn story(view: &View<'_>) -> Option<Story> {
    let deepest = failures(view).into_iter().next()?;
    let way = std::iter::once(deepest).chain(view.above(deepest));
    Some(Story {
        chapters: way.map(|place| chapter(view.span(place))).collect(),
    })
}

fn chapter(span: &Span) -> Chapter {
    let status = call::status_code(span);
    let made_of_it = match (span.is_error(), call::failure(span)) {
        (true, Some(failure)) => {
            match status.filter(|code| !failure.ends_with(&code.to_string())) {
                Some(code) => format!("{failure} ({code})"),
                None => failure,
            }
        }
        (true, None) => "an error, of which it says nothing".to_owned(),
        (false, _) => match (span.kind, status) {
            (Kind::Server, Some(code)) => format!("answered {code}"),
            (_, Some(code)) => format!("got {code}"),
            _ => "says nothing of it".to_owned(),
        },
    };
    Chapter {
        span_id: span.span_id,
        service: span.service().to_owned(),
        name: span.name.to_string(),
        made_of_it,
        context: context(span),
    }
}

/// Namespaces of the conventions: their attributes describe the technical side.
const CONVENTIONS: [&str; 24] = [
    "http",
    "url",
    "server",
    "client",
    "net",
    "network",
    "db",
    "rpc",
    "messaging",
    "user_agent",
    "error",
    "exception",
    "thread",
    "code",
    "otel",
    "peer",
    "lab",
    "busy_ns",
    "idle_ns",
    "target",
    "level",
    "span",
    "process",
    "service",
];

fn context(span: &Span) -> Vec<(String, String)> {
    let told = |key: &str| {
        let namespace = key.split('.').next().unwrap_or(key);
        !CONVENTIONS.contains(&namespace) || key == "messaging.message.id"
    };
    let words = |value: &Value| match value {
        Value::String(text) => text.to_string(),
        other => other.to_string(),
    };
    span.attributes
        .iter()
        .filter(|(key, _)| told(key))
        .map(|(key, value)| (key.to_owned(), words(value)))
        .collect()
}
