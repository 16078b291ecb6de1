//! [`Access`]: how a backend is reached over HTTP: headers, certificates, the wait for an answer.

use std::{fmt, path::PathBuf, str::FromStr, time::Duration};

use http::{HeaderMap, HeaderName, HeaderValue};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use reqwest::{Certificate, Client};
use thiserror::Error;

/// How a backend is reached.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// Sent with every request, such as credentials or the name of a tenant.
    pub headers: Vec<Header>,
    /// A file of certificates (PEM) that are trusted besides those of the machine.
    pub ca: Option<PathBuf>,
}

/// A header of a request. Its value is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Header {
    name: HeaderName,
    value: HeaderValue,
}

/// Why no client can be made.
#[derive(Debug, Error)]
pub enum AccessError {
    /// A header is not of the form `NAME: VALUE`.
    #[error(
        "a header is NAME: VALUE, such as 'Authorization: Bearer …' or 'X-Scope-OrgID: team'; {0}"
    )]
    Header(String),
    /// The file of certificates cannot be read.
    #[error("the certificates of {path} cannot be read: {why}")]
    Certificates {
        /// The path.
        path: String,
        /// What is wrong.
        why: String,
    },
}

/// The longest wait for a connection.
const CONNECT: Duration = Duration::from_secs(5);

/// What is encoded of a value in the environment: all but the unreserved characters of RFC 3986, section 2.3.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

// === impl Access ===

impl Access {
    /// A client of HTTP/1.1 and, over TLS, HTTP/2. An answer that takes longer than `timeout` is an error.
    ///
    /// # Errors
    ///
    /// [`AccessError::Certificates`].
    pub fn client(&self, timeout: Duration) -> Result<Client, AccessError> {
        self.build(timeout, false)
    }

    /// A client that speaks HTTP/2 from the first byte, as gRPC without TLS does.
    ///
    /// # Errors
    ///
    /// [`AccessError::Certificates`].
    pub fn grpc_client(&self, timeout: Duration) -> Result<Client, AccessError> {
        self.build(timeout, true)
    }

    fn build(&self, timeout: Duration, h2: bool) -> Result<Client, AccessError> {
        let certificates = self.certificates()?;
        let headers: HeaderMap = self
            .headers
            .iter()
            .map(|header| (header.name.clone(), header.value.clone()))
            .collect();
        Ok(http_client::with(|mut builder| {
            for certificate in certificates {
                builder = builder.add_root_certificate(certificate);
            }
            if h2 {
                builder = builder.http2_prior_knowledge();
            }
            builder
                .default_headers(headers)
                .connect_timeout(CONNECT)
                .timeout(timeout)
                // A header with credentials goes where it was meant to go.
                .redirect(reqwest::redirect::Policy::none())
        }))
    }

    fn certificates(&self) -> Result<Vec<Certificate>, AccessError> {
        let Some(path) = &self.ca else {
            return Ok(Vec::new());
        };
        let wrong = |why: String| AccessError::Certificates {
            path: path.display().to_string(),
            why,
        };
        let pem = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
        match Certificate::from_pem_bundle(&pem) {
            Ok(found) if found.is_empty() => Err(wrong(
                "there is no certificate in it; it begins with -----BEGIN CERTIFICATE-----"
                    .to_owned(),
            )),
            Ok(found) => Ok(found),
            Err(error) => Err(wrong(error.to_string())),
        }
    }
}

// === impl Header ===

impl Header {
    /// The header as `OTEL_EXPORTER_OTLP_HEADERS` has it: `name=value`, percent-encoded.
    pub fn for_environment(&self) -> String {
        let value = percent_encode(self.value.as_bytes(), ENCODED);
        format!("{}={value}", self.name)
    }
}

impl FromStr for Header {
    type Err = AccessError;

    fn from_str(text: &str) -> Result<Header, AccessError> {
        // The text may be a secret: no message repeats more than the name.
        let wrong = |why: &str| AccessError::Header(why.to_owned());
        let (name, value) = text
            .split_once(':')
            .ok_or_else(|| wrong("this one has no colon"))?;
        let name = name.trim().to_ascii_lowercase();
        let name = HeaderName::from_str(&name).map_err(|_| wrong("this name is none of HTTP"))?;
        let mut value = HeaderValue::from_str(value.trim())
            .map_err(|_| wrong("the value has characters that no header may have"))?;
        value.set_sensitive(true);
        Ok(Header { name, value })
    }
}

impl fmt::Debug for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: …", self.name)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    use super::*;

    #[test]
    fn the_value_of_a_header_is_never_printed() {
        let header: Header = "Authorization: Bearer abc".parse().unwrap();
        assert_eq!(format!("{header:?}"), "authorization: …");
        assert_eq!(header.for_environment(), "authorization=Bearer%20abc");
        for wrong in ["Bearer abc", "a b: abc", "x: abc\nd"] {
            let error = wrong.parse::<Header>().unwrap_err().to_string();
            assert!(!error.contains("abc"), "{error}");
        }
    }

    #[test]
    fn a_file_without_a_certificate_is_named() {
        let access = Access {
            ca: Some("Cargo.toml".into()),
            ..Access::default()
        };
        let error = access.client(CONNECT).unwrap_err().to_string();
        assert!(error.contains("Cargo.toml"), "{error}");
    }
}
