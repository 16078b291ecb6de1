//! [`Sender`]: sends requests of traces over OTLP, as the specification has it: what a receiver refuses for now is sent
//! again, after the wait that it asks for.

mod grpc;

use std::{fmt, str::FromStr, time::Duration};

use backends::{Access, AccessError};
use http::{HeaderMap, StatusCode, header};
use plain::Plain;
use reqwest::{Client, Url};
use serde::Serialize;
use thiserror::Error;
use tokio::time::{Instant, sleep};
use trace::{Span, otlp};

/// A protocol of OTLP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// OTLP/gRPC.
    Grpc,
    /// OTLP/HTTP with protobuf.
    Http,
    /// OTLP/HTTP with JSON.
    Json,
}

/// Where traces are sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// OTLP/gRPC.
    Grpc(Url),
    /// OTLP/HTTP; the path is that of traces.
    Http(Url),
}

/// A text that names no target.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "{0:?} is no place to send to; grpc://HOST:PORT (grpcs:// with TLS) is one of OTLP/gRPC, http://HOST:PORT or \
     https://HOST:PORT/v1/traces one of OTLP/HTTP"
)]
pub struct TargetError(String);

/// Sends requests.
#[derive(Clone, Debug)]
pub struct Sender {
    target: Target,
    protocol: Protocol,
    client: Client,
}

/// What became of a request that was answered with success.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accepted {
    /// The number of spans that the receiver says it has rejected ("Partial Success").
    pub rejected: i64,
    /// What it says about that; a warning if nothing was rejected.
    pub message: String,
    /// How often the request was sent.
    pub tries: u32,
}

/// Why a request was not taken.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum SendError {
    /// The receiver will not take it.
    #[error("it was refused: {}", Plain(.0))]
    Refused(String),
    /// The receiver took none of it for as long as was waited.
    #[error("it was not taken within {within:?}: {}", Plain(last))]
    Busy {
        /// The wait.
        within: Duration,
        /// The last answer.
        last: String,
    },
    /// Nothing answers.
    #[error("nothing takes it: {}", Plain(.0))]
    Unreachable(String),
}

/// One answer.
enum Answer {
    Accepted {
        rejected: i64,
        message: String,
    },
    /// It may be sent again, after this wait.
    Later {
        after: Option<Duration>,
        said: String,
    },
    Refused(String),
    Unreachable(String),
}

/// The longest wait for one answer.
const TIMEOUT: Duration = Duration::from_secs(20);

/// The longest time for which a request is sent again.
const PATIENCE: Duration = Duration::from_secs(20);

/// The first wait where a receiver names none; it doubles.
const FIRST_WAIT: Duration = Duration::from_millis(100);

/// The most characters of an answer that a message has.
const SAID: usize = 300;

// === impl Sender ===

impl Sender {
    /// A sender of one protocol.
    ///
    /// # Errors
    ///
    /// [`AccessError`]: the certificates cannot be read.
    pub fn new(target: Target, protocol: Protocol, access: &Access) -> Result<Sender, AccessError> {
        let client = match &target {
            Target::Grpc(_) => access.grpc_client(TIMEOUT)?,
            Target::Http(_) => access.client(TIMEOUT)?,
        };
        Ok(Sender {
            target,
            protocol,
            client,
        })
    }

    /// The protocol.
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// Sends spans in one request.
    ///
    /// # Errors
    ///
    /// [`SendError`].
    pub async fn send(&self, spans: &[Span]) -> Result<Accepted, SendError> {
        let body = match self.protocol {
            Protocol::Grpc | Protocol::Http => otlp::to_protobuf(spans),
            Protocol::Json => otlp::to_json(spans).into_bytes(),
        };
        self.send_encoded(body).await
    }

    async fn send_encoded(&self, body: Vec<u8>) -> Result<Accepted, SendError> {
        let body = bytes::Bytes::from(body);
        let began = Instant::now();
        let (mut tries, mut wait) = (0, FIRST_WAIT);
        loop {
            tries += 1;
            let (last, after) = match self.once(body.clone()).await {
                Answer::Accepted { rejected, message } => {
                    return Ok(Accepted {
                        rejected,
                        message,
                        tries,
                    });
                }
                Answer::Refused(said) => return Err(SendError::Refused(said)),
                Answer::Unreachable(why) if tries > 3 => return Err(SendError::Unreachable(why)),
                Answer::Unreachable(why) => (why, None),
                Answer::Later { after, said } => (said, after),
            };
            let pause = after.unwrap_or(wait);
            wait = (2 * wait).min(Duration::from_secs(2));
            if began.elapsed() + pause > PATIENCE {
                return Err(SendError::Busy {
                    within: began.elapsed(),
                    last,
                });
            }
            sleep(pause).await;
        }
    }

    async fn once(&self, body: bytes::Bytes) -> Answer {
        match &self.target {
            Target::Grpc(url) => grpc::export(&self.client, url, body).await,
            Target::Http(url) => self.post(url, body).await,
        }
    }

    async fn post(&self, url: &Url, body: bytes::Bytes) -> Answer {
        let content_type = match self.protocol {
            Protocol::Json => "application/json",
            _ => "application/x-protobuf",
        };
        let request = self
            .client
            .post(url.clone())
            .header(header::CONTENT_TYPE, content_type);
        let response = match request.body(body).send().await {
            Ok(response) => response,
            Err(error) => return unreachable(&error),
        };
        let (status, headers) = (response.status(), response.headers().clone());
        let body = response.bytes().await.unwrap_or_default();
        if status.is_success() {
            // Some receivers answer protobuf with JSON, against the specification; the success counts.
            let is_json = self.protocol == Protocol::Json;
            let (rejected, message) = match is_json {
                true => rejected_in_json(&body),
                false => grpc::rejected_in(&body),
            };
            return Answer::Accepted { rejected, message };
        }
        let said = format!("{} {}", status.as_u16(), words(&body));
        // OTLP/HTTP, "Failures": these may be sent again, and no others.
        match status {
            StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT => Answer::Later {
                after: retry_after(&headers),
                said,
            },
            _ => Answer::Refused(said),
        }
    }
}

fn rejected_in_json(body: &[u8]) -> (i64, String) {
    let json: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let partial = &json["partialSuccess"];
    let rejected = &partial["rejectedSpans"];
    let number = rejected
        .as_i64()
        .or_else(|| rejected.as_str()?.parse().ok());
    let message = partial["errorMessage"].as_str().unwrap_or_default();
    (number.unwrap_or(0), message.to_owned())
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(header::RETRY_AFTER)?.to_str().ok()?;
    value.trim().parse().ok().map(Duration::from_secs)
}

/// The readable part of an answer: a `google.rpc.Status` has its message among other bytes.
fn words(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let readable: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    let words: Vec<&str> = readable.split_whitespace().collect();
    words.join(" ").chars().take(SAID).collect()
}

fn unreachable(error: &reqwest::Error) -> Answer {
    let mut why: &dyn std::error::Error = error;
    while let Some(source) = why.source() {
        why = source;
    }
    Answer::Unreachable(why.to_string())
}

// === impl Protocol ===

impl Protocol {
    /// All, in the order in which they are tried.
    pub const ALL: [Protocol; 3] = [Protocol::Grpc, Protocol::Http, Protocol::Json];

    /// Its name, as after `--over`.
    pub fn as_str(self) -> &'static str {
        match self {
            Protocol::Grpc => "grpc",
            Protocol::Http => "http",
            Protocol::Json => "json",
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Protocol::Grpc => "OTLP/gRPC",
            Protocol::Http => "OTLP/HTTP protobuf",
            Protocol::Json => "OTLP/HTTP JSON",
        })
    }
}

// === impl Target ===

impl Target {
    /// OTLP/gRPC at an address.
    ///
    /// # Errors
    ///
    /// [`TargetError`]: it is no address.
    pub fn grpc(address: impl fmt::Display) -> Result<Target, TargetError> {
        format!("grpc://{address}").parse()
    }

    /// OTLP/HTTP at an address.
    ///
    /// # Errors
    ///
    /// [`TargetError`]: it is no address.
    pub fn http(address: impl fmt::Display) -> Result<Target, TargetError> {
        format!("http://{address}").parse()
    }

    /// Whether this protocol can be sent there.
    pub fn takes(&self, protocol: Protocol) -> bool {
        matches!(
            (self, protocol),
            (Target::Grpc(_), Protocol::Grpc) | (Target::Http(_), Protocol::Http | Protocol::Json)
        )
    }

    /// Whether it is reached with TLS.
    pub fn is_tls(&self) -> bool {
        let (Target::Grpc(url) | Target::Http(url)) = self;
        url.scheme() == "https"
    }

    /// Host and port.
    pub fn authority(&self) -> (String, u16) {
        let (Target::Grpc(url) | Target::Http(url)) = self;
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        (host.to_owned(), url.port_or_known_default().unwrap_or(0))
    }
}

impl FromStr for Target {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Target, TargetError> {
        let wrong = || TargetError(text.to_owned());
        let (scheme, rest) = text.split_once("://").unwrap_or(("grpc", text));
        let (secure, is_grpc) = match scheme {
            "grpc" => ("http", true),
            "grpcs" => ("https", true),
            "http" => ("http", false),
            "https" => ("https", false),
            _ => return Err(wrong()),
        };
        let mut url: Url = format!("{secure}://{rest}").parse().map_err(|_| wrong())?;
        if !url.has_host() || (is_grpc && url.port_or_known_default().is_none()) {
            return Err(wrong());
        }
        Ok(match is_grpc {
            true => Target::Grpc(url),
            false => {
                // OTEL_EXPORTER_OTLP_ENDPOINT is without it, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT with it.
                if !url.path().ends_with("/v1/traces") {
                    let path = url.path().trim_end_matches('/').to_owned();
                    url.set_path(&format!("{path}/v1/traces"));
                }
                Target::Http(url)
            }
        })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Grpc(url) => {
                let text = url.as_str().trim_end_matches('/');
                write!(f, "{}", text.replacen("http", "grpc", 1))
            }
            Target::Http(url) => f.write_str(url.as_str()),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    use super::*;

    #[test]
    fn targets_are_read() {
        let shown = |text: &str| text.parse::<Target>().unwrap().to_string();
        assert_eq!(shown("127.0.0.1:4317"), "grpc://127.0.0.1:4317");
        assert_eq!(shown("grpcs://collector:443"), "grpcs://collector");
        assert_eq!(shown("http://h:4318"), "http://h:4318/v1/traces");
        assert_eq!(
            shown("https://h/otlp/v1/traces"),
            "https://h/otlp/v1/traces"
        );
        assert_eq!(
            shown("http://h:10428/insert/opentelemetry"),
            "http://h:10428/insert/opentelemetry/v1/traces"
        );
        for wrong in ["ftp://h:1", "grpc://", "http://"] {
            assert!(wrong.parse::<Target>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_partial_success_is_read_from_json() {
        let body = br#"{"partialSuccess":{"rejectedSpans":"2","errorMessage":"no room"}}"#;
        assert_eq!(rejected_in_json(body), (2, "no room".to_owned()));
        assert_eq!(rejected_in_json(b"{}"), (0, String::new()));
    }
}
