//! The readers, one file each, and [`open`], which makes the one of a [`Kind`].

mod answer;
mod command;
mod file;
mod jaeger;
mod jaeger_v1;
mod looks;
mod sink;
mod tempo;
mod zipkin;

pub(crate) use answer::{at, get};

use std::{fmt, str::FromStr, time::Duration};

use reqwest::Url;
use thiserror::Error;

use crate::{
    access::{Access, AccessError},
    reader::Reader,
};

/// A kind of backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The lab's own sink.
    Sink,
    /// Jaeger from 2 on, by its API v3.
    Jaeger,
    /// Jaeger by the JSON API of version 1, which its page uses.
    JaegerV1,
    /// Zipkin.
    Zipkin,
    /// Grafana Tempo.
    Tempo,
    /// VictoriaTraces.
    VictoriaTraces,
    /// A file of traces, such as the one that the Collector's file exporter writes.
    File,
    /// A program that prints the trace whose id it is given.
    Command(String),
}

/// A text that names no kind of backend.
#[derive(Debug, Error)]
pub enum KindError {
    /// No such kind.
    #[error("there is no backend {0:?}; there are {names}, and 'command:PROGRAM …' for a program that prints OTLP/JSON for a trace id", names = Kind::NAMES.join(", "))]
    Unknown(String),
    /// The address does not fit the kind.
    #[error("{0}")]
    Address(String),
    /// No client can be made.
    #[error(transparent)]
    Access(#[from] AccessError),
}

/// The longest wait for an answer.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(30);

/// Makes the reader of a kind. `url` is where the backend is read: the address of its API, the path of a file.
///
/// # Errors
///
/// [`KindError`].
pub fn open(kind: &Kind, url: Option<&str>, access: &Access) -> Result<Box<dyn Reader>, KindError> {
    let client = access.client(TIMEOUT)?;
    let address = || -> Result<Url, KindError> {
        let text = url.ok_or_else(|| {
            KindError::Address(format!(
                "{kind} is read over HTTP: --url says where, such as {}",
                kind.default_url()
            ))
        })?;
        let text = match text.contains("://") {
            true => text.to_owned(),
            false => format!("http://{text}"),
        };
        match text.parse::<Url>() {
            Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Ok(url),
            _ => Err(KindError::Address(format!(
                "{text} is no address of a backend; {} would be one",
                kind.default_url()
            ))),
        }
    };
    Ok(match kind {
        Kind::Sink => Box::new(sink::Sink::new(address()?, client)),
        Kind::Jaeger => Box::new(jaeger::Jaeger::new(address()?, client)),
        Kind::JaegerV1 => Box::new(jaeger_v1::JaegerV1::of_jaeger(address()?, client)),
        Kind::VictoriaTraces => {
            Box::new(jaeger_v1::JaegerV1::of_victoria_traces(address()?, client))
        }
        Kind::Zipkin => Box::new(zipkin::Zipkin::new(address()?, client)),
        Kind::Tempo => Box::new(tempo::Tempo::new(address()?, client)),
        Kind::File => {
            let path = url.ok_or_else(|| {
                KindError::Address(
                    "a file is read: --url is its path, such as traces.json".to_owned(),
                )
            })?;
            Box::new(file::File::new(
                path.strip_prefix("file://").unwrap_or(path).into(),
            ))
        }
        Kind::Command(line) => Box::new(command::Command::new(line)?),
    })
}

// === impl Kind ===

impl Kind {
    /// The names, as after `--backend`.
    pub const NAMES: [&'static str; 7] = [
        "sink",
        "jaeger",
        "jaeger-v1",
        "zipkin",
        "tempo",
        "victoriatraces",
        "file",
    ];

    /// Where a backend of this kind is read by default.
    pub fn default_url(&self) -> &'static str {
        match self {
            Kind::Sink => "http://127.0.0.1:8080",
            Kind::Jaeger | Kind::JaegerV1 => "http://127.0.0.1:16686",
            Kind::Zipkin => "http://127.0.0.1:9411",
            Kind::Tempo => "http://127.0.0.1:3200",
            Kind::VictoriaTraces => "http://127.0.0.1:10428",
            Kind::File => "traces.json",
            Kind::Command(_) => "",
        }
    }

    /// The name of the profile that is used where none is named.
    pub fn profile(&self) -> &str {
        match self {
            Kind::Sink => "sink",
            Kind::Jaeger => "jaeger",
            Kind::JaegerV1 => "jaeger-v1",
            Kind::Zipkin => "zipkin",
            Kind::Tempo => "tempo",
            Kind::VictoriaTraces => "victoriatraces",
            Kind::File => "collector-file",
            Kind::Command(_) => "",
        }
    }
}

impl FromStr for Kind {
    type Err = KindError;

    fn from_str(text: &str) -> Result<Kind, KindError> {
        Ok(match text {
            "sink" => Kind::Sink,
            "jaeger" => Kind::Jaeger,
            "jaeger-v1" => Kind::JaegerV1,
            "zipkin" => Kind::Zipkin,
            "tempo" => Kind::Tempo,
            "victoriatraces" => Kind::VictoriaTraces,
            "file" => Kind::File,
            _ => match text.strip_prefix("command:") {
                Some(line) => Kind::Command(line.trim().to_owned()),
                None => return Err(KindError::Unknown(text.to_owned())),
            },
        })
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Kind::Command(line) => write!(f, "command:{line}"),
            kind => f.write_str(match kind {
                Kind::Sink => "sink",
                Kind::Jaeger => "jaeger",
                Kind::JaegerV1 => "jaeger-v1",
                Kind::Zipkin => "zipkin",
                Kind::Tempo => "tempo",
                Kind::VictoriaTraces => "victoriatraces",
                _ => "file",
            }),
        }
    }
}
