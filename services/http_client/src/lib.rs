//! HTTP clients that work on every machine.
//!
//! reqwest refuses to build an HTTPS client on a machine without CA certificates, such as many small
//! containers, even if the client will only use plain HTTP. On such a machine a client of this crate trusts
//! no certificate: HTTP works, and an HTTPS request fails.
//!
//! Its connections send at once (TCP_NODELAY): a small request does not wait for the acknowledgement of the one
//! before it.
//!
//! An answer is read up to a limit ([`read`]): what answers at an address may be another program than the one that was
//! meant.
//!
//! ```
//! let client = http_client::with(|builder| builder.timeout(std::time::Duration::from_secs(1)));
//! assert!(client.get("http://127.0.0.1:8080/healthz").build().is_ok());
//! ```
#![warn(
    clippy::missing_errors_doc,
    reason = "callers in other crates must know when a call fails"
)]
#![expect(
    clippy::disallowed_methods,
    reason = "this is what the others use in their place"
)]

use std::{iter, sync::LazyLock};

use reqwest::{Certificate, Client, ClientBuilder, Response};

/// Whether this machine has CA certificates.
static HAS_CERTIFICATES: LazyLock<bool> = LazyLock::new(|| Client::builder().build().is_ok());

/// Builds a client with these settings.
pub fn with(settings: impl FnOnce(ClientBuilder) -> ClientBuilder) -> Client {
    let mut builder = Client::builder().tcp_nodelay(true);
    if !*HAS_CERTIFICATES {
        builder = builder.tls_certs_only(iter::empty::<Certificate>());
    }
    settings(builder)
        .build()
        .expect("the settings need nothing that a machine could lack")
}

/// Why the body of an answer was not read to its end.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It has more bytes than are read.
    #[error("the answer has more than {most} bytes, which is the most that is read of it")]
    TooLarge {
        /// The limit, in bytes.
        most: usize,
    },
    /// The connection failed before its end.
    #[error("the answer broke off")]
    Broken(#[from] reqwest::Error),
}

/// Reads the body of an answer, if it has at most `most` bytes. No more than these are kept in memory.
///
/// # Errors
///
/// When the body is larger, and when the connection fails before its end.
pub async fn read(mut answer: Response, most: usize) -> Result<Vec<u8>, ReadError> {
    let announced = answer.content_length().unwrap_or_default();
    if announced > most as u64 {
        return Err(ReadError::TooLarge { most });
    }
    let mut body = Vec::with_capacity(usize::try_from(announced).unwrap_or_default());
    while let Some(chunk) = answer.chunk().await? {
        if body.len() + chunk.len() > most {
            return Err(ReadError::TooLarge { most });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}
