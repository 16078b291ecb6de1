//! Reads what OpenTelemetry's exporters put into tags and annotations because Zipkin has no field for it: the
//! exporters of the SDKs (OpenTelemetry specification, "OpenTelemetry to Zipkin Transformation" and
//! "Transformation to non-OTLP Formats") and of the Collector.

use serde_json::{Map, Value as Json};

use trace::{
    Attributes, Event, Kind, Link, Scope, SpanId, Status, StatusCode, Text, TraceId, Value,
};

/// The tags of a span, without the tags that stand for a field.
pub(super) struct Tags(pub(super) Attributes);

// === impl Tags ===

impl Tags {
    /// Converts all tags to text, whatever a reporter wrote.
    pub(super) fn of(tags: Map<String, Json>) -> Tags {
        let text = |json| match json {
            Json::String(text) => text,
            other => other.to_string(),
        };
        let tags = tags
            .into_iter()
            .map(|(key, json)| (Text::from(key), Value::from(text(json))));
        Tags(Attributes(tags.collect()))
    }

    /// Removes a tag that is not an attribute, and returns its text.
    pub(super) fn take(&mut self, key: &str) -> Option<String> {
        let text = self.get(key)?.to_owned();
        self.0.0.retain(|(name, _)| name != key);
        Some(text)
    }

    pub(super) fn take_count(&mut self, key: &str) -> u32 {
        let count = self.get(key).and_then(|text| text.parse().ok());
        if count.is_some() {
            self.take(key);
        }
        count.unwrap_or_default()
    }

    /// Takes a kind that Zipkin does not have, or that was sent only as a tag.
    pub(super) fn take_kind(&mut self) -> Option<Kind> {
        let kind = match self.get("span.kind")?.to_ascii_lowercase().as_str() {
            "internal" => Kind::Internal,
            "server" => Kind::Server,
            "client" => Kind::Client,
            "producer" => Kind::Producer,
            "consumer" => Kind::Consumer,
            _ => return None,
        };
        self.take("span.kind");
        Some(kind)
    }

    /// Takes the status. A tag `error` says that the span failed, and why; some reporters write `false` for
    /// success. The tag stays an attribute unless the status holds all of its information.
    pub(super) fn take_status(&mut self) -> Status {
        let code = self.get("otel.status_code").and_then(status_code);
        if code.is_some() {
            self.take("otel.status_code");
        }
        let description = self.take("otel.status_description");
        let error = self
            .get("error")
            .filter(|text| !text.eq_ignore_ascii_case("false"))
            .map(str::to_owned);
        let code = match code {
            Some(StatusCode::Unset) | None if error.is_some() => StatusCode::Error,
            code => code.unwrap_or_default(),
        };
        let Some(error) = error.filter(|_| code == StatusCode::Error) else {
            let message = description.unwrap_or_default();
            return Status {
                code,
                message: message.into(),
            };
        };
        let telling = !error.is_empty() && !error.eq_ignore_ascii_case("true");
        let message = match description {
            Some(description) if !description.is_empty() => description,
            _ if telling => error.clone(),
            _ => String::new(),
        };
        if !telling || message == error {
            self.take("error");
        }
        Status {
            code,
            message: message.into(),
        }
    }

    pub(super) fn take_scope(&mut self) -> Scope {
        // Exporters send the older names together with the newer ones.
        let mut either = |new, old| {
            let old = self.take(old);
            self.take(new).or(old).unwrap_or_default()
        };
        Scope {
            name: either("otel.scope.name", "otel.library.name"),
            version: either("otel.scope.version", "otel.library.version"),
            ..Scope::default()
        }
    }

    /// Takes the links, up to the first invalid one, and no more than the Collector reads.
    pub(super) fn take_links(&mut self) -> Vec<Link> {
        let take = |number: u32| {
            let key = format!("otlp.link.{number}");
            let link = self.get(&key).and_then(link)?;
            self.take(&key);
            Some(link)
        };
        (0..128).map_while(take).collect()
    }

    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).and_then(Value::as_str)
    }
}

/// Parses the event of an annotation; the caller sets its time.
///
/// With attributes, the exporters write the event `e` as `"e": {"k": 1}` (the specification and
/// most SDKs, some without the quotes), `{"e": {"k": 1}}` (Python's) or `e|{"k": 1}|0` (the
/// collector's, with the number of attributes that were dropped).
pub(super) fn event(text: &str) -> Event {
    let (name, attributes, dropped_attributes) = of_collector(text)
        .or_else(|| of_sdk(text))
        .or_else(|| of_python(text))
        .unwrap_or_else(|| (text.to_owned(), Attributes::default(), 0));
    Event {
        time_ns: 0,
        name: name.into(),
        attributes,
        dropped_attributes,
    }
}

fn of_collector(text: &str) -> Option<(String, Attributes, u32)> {
    let (rest, dropped) = text.rsplit_once('|')?;
    let (name, _) = rest.split_once("|{")?;
    let attributes = object(&rest[name.len() + 1..])?;
    Some((name.to_owned(), attributes, dropped.parse().ok()?))
}

fn of_sdk(text: &str) -> Option<(String, Attributes, u32)> {
    let (name, _) = text.split_once('{')?;
    let attributes = object(&text[name.len()..])?;
    let name = name.trim_end().strip_suffix(':')?.trim_end();
    let unquoted = serde_json::from_str(name).unwrap_or_else(|_| name.to_owned());
    Some((unquoted, attributes, 0))
}

fn of_python(text: &str) -> Option<(String, Attributes, u32)> {
    let Attributes(mut events) = object(text)?;
    match (events.pop()?, events.is_empty()) {
        ((name, Value::Map(attributes)), true) => Some((name.into(), attributes, 0)),
        _ => None,
    }
}

/// Parses a link in the Collector's form: trace, span, state, attributes and the number of dropped
/// attributes.
fn link(text: &str) -> Option<Link> {
    let mut parts = text.splitn(4, '|');
    let mut part = || parts.next();
    let trace_id: TraceId = part()?.parse().ok()?;
    let span_id: SpanId = part()?.parse().ok()?;
    let trace_state = part()?.into();
    let (attributes, dropped) = part()?.rsplit_once('|')?;
    Some(Link {
        trace_id,
        span_id,
        trace_state,
        flags: 0,
        attributes: object(attributes)?,
        dropped_attributes: dropped.parse().ok()?,
    })
}

/// Parses a status code by the names of the specification, of the protocol, and of the Collector.
fn status_code(text: &str) -> Option<StatusCode> {
    let name = text.to_ascii_uppercase();
    match name.strip_prefix("STATUS_CODE_").unwrap_or(&name) {
        "ERROR" => Some(StatusCode::Error),
        "OK" => Some(StatusCode::Ok),
        "UNSET" => Some(StatusCode::Unset),
        _ => None,
    }
}

fn object(text: &str) -> Option<Attributes> {
    let map: Map<String, Json> = serde_json::from_str(text).ok()?;
    Some(attributes(map))
}

fn attributes(map: Map<String, Json>) -> Attributes {
    Attributes(
        map.into_iter()
            .map(|(key, json)| (key.into(), value(json)))
            .collect(),
    )
}

/// Converts a value. Its depth is limited by the recursion limit of the parser.
fn value(json: Json) -> Value {
    match json {
        Json::Null => Value::Empty,
        Json::Bool(truth) => Value::Bool(truth),
        Json::Number(number) => match number.as_i64() {
            Some(number) => Value::Int(number),
            None => Value::Double(number.as_f64().unwrap_or(f64::NAN)),
        },
        Json::String(text) => Value::from(text),
        Json::Array(items) => Value::Array(items.into_iter().map(value).collect()),
        Json::Object(map) => Value::Map(attributes(map)),
    }
}
