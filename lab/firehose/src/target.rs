//! [`Target`]: where requests are sent, and by which protocol.

use std::str::FromStr;

use http::{HeaderName, HeaderValue, Method, Request, Uri, header, uri::Authority};
use thiserror::Error;

use crate::{Encoding, Framing, Packing};

/// Where requests are sent: `grpc://HOST:PORT`, `http://HOST:PORT` or `h2://HOST:PORT`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub(crate) protocol: Protocol,
    pub(crate) authority: Authority,
}

/// A protocol of OTLP. None has TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// OTLP/gRPC.
    Grpc,
    /// OTLP/HTTP by HTTP/1.1 with connections that stay open. A connection has one request at a time.
    Http1,
    /// OTLP/HTTP by HTTP/2, begun without an upgrade.
    Http2,
}

/// Why text is no [`Target`].
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0:?} is no receiver: it must be grpc://HOST:PORT, http://HOST:PORT or h2://HOST:PORT")]
pub struct NoTarget(String);

const GRPC_PATH: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
const HTTP_PATH: &str = "/v1/traces";

// === impl Target ===

impl Target {
    /// The protocol of its requests.
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// A request without its body.
    pub(crate) fn head(&self, encoding: Encoding, packing: Packing) -> Request<()> {
        let path = match self.protocol {
            Protocol::Grpc => GRPC_PATH,
            Protocol::Http1 | Protocol::Http2 => HTTP_PATH,
        };
        let mut head = Request::new(());
        *head.method_mut() = Method::POST;
        let uri = Uri::builder();
        let uri = match self.protocol {
            Protocol::Http1 => uri,
            Protocol::Grpc | Protocol::Http2 => {
                *head.version_mut() = http::Version::HTTP_2;
                uri.scheme("http").authority(self.authority.clone())
            }
        };
        *head.uri_mut() = uri
            .path_and_query(path)
            .build()
            .expect("an authority and a path are a URI");
        let content_type = match (self.protocol, encoding) {
            (Protocol::Grpc, _) => "application/grpc",
            (_, Encoding::Protobuf) => "application/x-protobuf",
            (_, Encoding::Json) => "application/json",
        };
        let headers = head.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        if let Some(packing) = packing.header() {
            let name = match self.protocol {
                Protocol::Grpc => HeaderName::from_static("grpc-encoding"),
                Protocol::Http1 | Protocol::Http2 => header::CONTENT_ENCODING,
            };
            headers.insert(name, HeaderValue::from_static(packing));
        }
        match self.protocol {
            Protocol::Grpc => {
                headers.insert(header::TE, HeaderValue::from_static("trailers"));
            }
            Protocol::Http1 => {
                let host = HeaderValue::from_str(self.authority.as_str());
                headers.insert(
                    header::HOST,
                    host.expect("an authority has no control characters"),
                );
            }
            Protocol::Http2 => {}
        }
        head
    }
}

impl FromStr for Target {
    type Err = NoTarget;

    fn from_str(text: &str) -> Result<Target, NoTarget> {
        let wrong = || NoTarget(text.to_owned());
        let (scheme, rest) = text.split_once("://").ok_or_else(wrong)?;
        let protocol = match scheme {
            "grpc" => Protocol::Grpc,
            "http" => Protocol::Http1,
            "h2" => Protocol::Http2,
            _ => return Err(wrong()),
        };
        let authority: Authority = rest.trim_end_matches('/').parse().map_err(|_| wrong())?;
        if authority.port().is_none() || authority.host().is_empty() {
            return Err(wrong());
        }
        Ok(Target {
            protocol,
            authority,
        })
    }
}

// === impl Protocol ===

impl Protocol {
    /// What stands before the message in the body of its requests.
    pub fn framing(self) -> Framing {
        match self {
            Protocol::Grpc => Framing::Grpc,
            Protocol::Http1 | Protocol::Http2 => Framing::Plain,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    use super::*;

    #[test]
    fn a_receiver_has_a_protocol_and_a_port() {
        let target: Target = "grpc://127.0.0.1:4317".parse().unwrap();
        assert_eq!(target.protocol(), Protocol::Grpc);
        assert_eq!(
            target
                .head(Encoding::Protobuf, Packing::None)
                .uri()
                .to_string(),
            format!("http://127.0.0.1:4317{GRPC_PATH}")
        );
        let target: Target = "http://[::1]:4318/".parse().unwrap();
        assert_eq!(
            target.head(Encoding::Json, Packing::None).uri().to_string(),
            HTTP_PATH
        );
        for wrong in [
            "127.0.0.1:4317",
            "https://127.0.0.1:4317",
            "grpc://localhost",
            "http://:1",
        ] {
            let error = wrong.parse::<Target>().unwrap_err().to_string();
            assert!(
                error.starts_with(&format!("{wrong:?} is no receiver")),
                "{error}"
            );
        }
    }
}
