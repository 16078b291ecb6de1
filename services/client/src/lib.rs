//! HTTP clients that work on every machine.
//!
//! A client that can speak HTTPS is not to be had from reqwest where the machine has no CA
//! certificates, as in many a small container, even if all that it will ever ask for is plain HTTP.
//! There ours are clients that trust nobody: HTTP works, and HTTPS fails when it is asked for.

use std::{iter, sync::LazyLock};

use reqwest::{Certificate, Client, ClientBuilder};

/// Whether this machine has CA certificates.
static TRUSTS_SOMEBODY: LazyLock<bool> = LazyLock::new(|| Client::builder().build().is_ok());

/// A client with these settings.
pub fn with(settings: impl FnOnce(ClientBuilder) -> ClientBuilder) -> Client {
    let mut builder = Client::builder();
    if !*TRUSTS_SOMEBODY {
        builder = builder.tls_certs_only(iter::empty::<Certificate>());
    }
    settings(builder)
        .build()
        .expect("nothing is asked for that a machine could lack")
}
