//! HTTP clients that work on every machine.
//!
//! reqwest refuses to build an HTTPS client on a machine without CA certificates, such as many small
//! containers, even if the client will only use plain HTTP. On such a machine a client of this crate trusts
//! no certificate: HTTP works, and an HTTPS request fails.
//!
//! Its connections send at once (TCP_NODELAY): a small request does not wait for the acknowledgement of the one
//! before it.
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

use reqwest::{Certificate, Client, ClientBuilder};

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
