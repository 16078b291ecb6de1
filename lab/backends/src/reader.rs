//! [`Reader`]: how traces are read from a backend, and [`Representation`]: what its API cannot say.

use std::{fmt, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use plain::Plain;
use thiserror::Error;
use trace::{Span, TraceId};

use crate::loss::{Field, How, Loss};

/// Reads traces from a backend.
///
/// A reader turns what the API gives into spans, and invents nothing. What the API has no place for it names in
/// [`representation`](Reader::representation): a part that is missing there is not the fault of the store. A reader
/// opts out of searches by leaving [`searches`](Reader::searches) empty.
///
/// ```
/// use async_trait::async_trait;
/// use backends::{Identity, ReadError, ReadTrace, Reader, Representation};
///
/// #[derive(Debug)]
/// struct Mine(Vec<trace::Span>);
///
/// #[async_trait]
/// impl Reader for Mine {
///     fn kind(&self) -> &str {
///         "mine"
///     }
///     fn representation(&self) -> Representation {
///         Representation::ALL
///     }
///     async fn identify(&self) -> Result<Identity, ReadError> {
///         Ok(Identity::named("mine"))
///     }
///     async fn trace(&self, id: trace::TraceId) -> Result<Option<ReadTrace>, ReadError> {
///         let of_trace = self.0.iter().filter(|span| span.trace_id == id);
///         let spans: Vec<_> = of_trace.cloned().collect();
///         Ok((!spans.is_empty()).then(|| ReadTrace::of(spans)))
///     }
/// }
/// ```
#[async_trait]
pub trait Reader: fmt::Debug + Send + Sync {
    /// The kind of the backend, as after `--backend`.
    fn kind(&self) -> &str;

    /// What the API has no place for.
    fn representation(&self) -> Representation;

    /// Asks the backend what it is. It is asked before anything is sent.
    ///
    /// # Errors
    ///
    /// [`ReadError`], and [`ReadError::OtherBackend`] when something else answers at the address.
    async fn identify(&self) -> Result<Identity, ReadError>;

    /// The trace as far as the backend has it; `None` if it has no such trace (yet).
    ///
    /// # Errors
    ///
    /// [`ReadError`].
    async fn trace(&self, id: TraceId) -> Result<Option<ReadTrace>, ReadError>;

    /// The criteria that a search may have.
    fn searches(&self) -> &[Criterion] {
        &[]
    }

    /// The traces that a search finds.
    ///
    /// # Errors
    ///
    /// [`ReadError`]. A query with other criteria than those of [`searches`](Reader::searches) is never asked.
    async fn search(&self, _query: &Query) -> Result<Vec<TraceId>, ReadError> {
        Ok(Vec::new())
    }
}

/// What a backend says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Its name, such as `Jaeger`.
    pub name: String,
    /// Its version, if its API has it.
    pub version: Option<String>,
}

/// A trace as a backend gave it.
#[derive(Clone, Debug, Default)]
pub struct ReadTrace {
    /// Its spans.
    pub spans: Vec<Span>,
    /// The protobuf as it was sent; `None` unless the backend promises to keep the bytes of each span.
    pub protobuf: Option<Bytes>,
    /// What was left out or changed while it was read, in words.
    pub notes: Vec<String>,
    /// Whether the backend says that it is not all of the trace.
    pub is_partial: bool,
}

/// Why a trace was not read.
#[derive(Debug, Error)]
pub enum ReadError {
    /// Nothing answers at the address.
    #[error("nothing answers at {url}: {}", Plain(why))]
    Unreachable {
        /// The address.
        url: String,
        /// How the attempt failed.
        why: String,
    },
    /// TLS failed.
    #[error(
        "{url}: the TLS connection failed: {}; --ca FILE names the certificate that signed the backend's",
        Plain(why)
    )]
    Tls {
        /// The address.
        url: String,
        /// How it failed.
        why: String,
    },
    /// Credentials are missing or wrong.
    #[error(
        "{url} answers {status}: it wants credentials, or other ones; --header 'Authorization: …' sends them{}",
        body(said)
    )]
    Denied {
        /// The address.
        url: String,
        /// 401 or 403.
        status: u16,
        /// The beginning of the answer.
        said: String,
    },
    /// The backend asks to come later.
    #[error("{url} answers {status}: it asks to come later{}", body(said))]
    Busy {
        /// The address.
        url: String,
        /// 429 or 503.
        status: u16,
        /// The wait that it asks for.
        after: Option<Duration>,
        /// The beginning of the answer.
        said: String,
    },
    /// The backend answers with an error.
    #[error("{url} answers {status}{}", body(said))]
    Failed {
        /// The address.
        url: String,
        /// The status.
        status: u16,
        /// The beginning of the answer.
        said: String,
    },
    /// The answer did not come in time.
    #[error("{url} did not answer within {within:?}")]
    Slow {
        /// The address.
        url: String,
        /// The wait.
        within: Duration,
    },
    /// The answer is not what the API gives.
    #[error("{url}: the answer cannot be read: {}", Plain(why))]
    Answer {
        /// The address.
        url: String,
        /// What is wrong with it.
        why: String,
    },
    /// Something else answers at the address.
    #[error("{url} is no {wanted}: {}", Plain(looks))]
    OtherBackend {
        /// The address.
        url: String,
        /// The kind that was named.
        wanted: String,
        /// What it looks like instead.
        looks: String,
    },
    /// A file cannot be read.
    #[error("{} cannot be read: {}", Plain(path), Plain(why))]
    File {
        /// The path.
        path: String,
        /// What is wrong.
        why: String,
    },
    /// A program that reads does not.
    #[error("the command {} {}", Plain(command), Plain(why))]
    Command {
        /// The command line.
        command: String,
        /// What is wrong.
        why: String,
    },
}

/// The beginning of an answer, if it has one.
fn body(said: &str) -> String {
    match said.is_empty() {
        true => String::new(),
        false => format!(": {}", Plain(said)),
    }
}

/// A criterion of a search.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Criterion {
    /// The name of a service.
    Service,
    /// The name of a span.
    Name,
    /// A key and text of an attribute.
    Attribute,
    /// The least duration of a span.
    MinDuration,
    /// The greatest duration of a span.
    MaxDuration,
    /// Only traces of a part of the time.
    Time,
}

// === impl Criterion ===

impl Criterion {
    /// All of them.
    pub const ALL: [Criterion; 6] = [
        Criterion::Service,
        Criterion::Name,
        Criterion::Attribute,
        Criterion::MinDuration,
        Criterion::MaxDuration,
        Criterion::Time,
    ];
}

/// What is searched for: traces that have a span that fulfils everything that is `Some`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// The service. Most backends need one.
    pub service: Option<String>,
    /// The name of the span.
    pub name: Option<String>,
    /// The key and text of an attribute.
    pub attribute: Option<(String, String)>,
    /// The least duration.
    pub min_duration: Option<Duration>,
    /// The greatest duration.
    pub max_duration: Option<Duration>,
    /// From when to when the span started, in nanoseconds since the Unix epoch. Some backends need it.
    pub time_ns: Option<(u64, u64)>,
    /// The highest number of traces.
    pub limit: usize,
}

/// What an API has no place for.
#[derive(Clone, Copy, Debug)]
pub struct Representation {
    /// Parts of which it can only have lost something, in the named way or (`None`) in any.
    cannot: &'static [(Field, Option<How>)],
    /// In words, such as `times are whole microseconds`; empty if it can say all of OTLP.
    pub says: &'static [&'static str],
}

// === impl ReadError ===

impl ReadError {
    /// The wait that the backend asks for; `None` unless it is busy and says how long.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            ReadError::Busy { after, .. } => *after,
            _ => None,
        }
    }
}

// === impl Identity ===

impl Identity {
    /// A backend whose version is not known.
    pub fn named(name: &str) -> Identity {
        Identity {
            name: name.to_owned(),
            version: None,
        }
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.version {
            Some(version) => write!(f, "{} {}", Plain(&self.name), Plain(version)),
            None => write!(f, "{}", Plain(&self.name)),
        }
    }
}

// === impl ReadTrace ===

impl ReadTrace {
    /// A trace of which nothing but the spans is known.
    pub fn of(spans: Vec<Span>) -> ReadTrace {
        ReadTrace {
            spans,
            ..ReadTrace::default()
        }
    }
}

// === impl Representation ===

impl Representation {
    /// All that OTLP can say.
    pub const ALL: Representation = Representation {
        cannot: &[],
        says: &[],
    };

    pub(crate) const fn without(
        cannot: &'static [(Field, Option<How>)],
        says: &'static [&'static str],
    ) -> Representation {
        Representation { cannot, says }
    }

    /// Whether this loss is one of the API itself, which has no place for what was lost.
    pub fn lacks(&self, loss: &Loss) -> bool {
        let mut cannot = self.cannot.iter();
        cannot.any(|(field, how)| *field == loss.field && how.is_none_or(|how| how == loss.how))
    }
}
