//! The arguments that every service takes.

use std::net::{Ipv4Addr, SocketAddr};

use axum::http::Uri;

use crate::Pace;

/// The arguments that every service takes; `PORT` is where it listens by default.
#[derive(Clone, Debug, clap::Args)]
pub struct ServiceArgs<const PORT: u16> {
    /// Where to listen. Port 0 takes a free one; the address is printed on standard output.
    #[arg(
        long,
        env = "LISTEN",
        value_name = "ADDRESS:PORT",
        default_value_t = SocketAddr::from((Ipv4Addr::LOCALHOST, PORT))
    )]
    pub listen: SocketAddr,

    /// Whether steps that a demo cannot do for real take a simulated time.
    #[arg(long, env = "PACE", value_enum, default_value_t)]
    pub pace: Pace,

    /// Stop when standard input is closed, as it is when the process at its other end dies.
    #[arg(long)]
    pub exit_with_parent: bool,
}

/// Reads the address of another service, for clap's `value_parser`. What comes of it has no slash at
/// its end, so that a path can follow.
pub fn service_url(text: &str) -> Result<String, String> {
    let expected = "it must be the address of a service, such as http://127.0.0.1:8083 (services \
                    speak no TLS among themselves)";
    match text.parse::<Uri>() {
        Ok(uri) if uri.scheme_str() == Some("http") && uri.query().is_none() => {
            Ok(text.trim_end_matches('/').to_owned())
        }
        _ => Err(expected.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_of_a_service_is_ready_for_a_path() {
        for text in ["http://payment:8082", "http://payment:8082/"] {
            assert_eq!(service_url(text), Ok("http://payment:8082".to_owned()));
        }
        for text in [
            "payment:8082",
            "https://payment",
            "http://",
            "http://a b",
            "",
        ] {
            assert!(service_url(text).is_err(), "{text}");
        }
    }
}
