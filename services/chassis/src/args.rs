//! The arguments that every service takes.

use std::net::SocketAddr;

use axum::http::Uri;
use browser_guard::{AllowedHosts, HostArgs};

use crate::{FaultSwitch, Pace};

/// The arguments that every service takes; `PORT` is where it listens by default.
#[derive(Clone, Debug, clap::Args)]
pub struct ServiceArgs<const PORT: u16> {
    /// Where to listen. Port 0 takes a free one; the address is printed on standard output.
    #[arg(
        long,
        env = "LISTEN",
        value_name = "ADDRESS:PORT",
        default_value = loopback(PORT)
    )]
    pub listen: SocketAddr,

    /// Whether steps that a demo cannot do for real take a simulated time.
    #[arg(long, env = "PACE", value_enum, default_value_t)]
    pub pace: Pace,

    /// Honour the faults that a request asks for in its baggage, as in a laboratory.
    #[arg(long, env = "FAULTS")]
    pub faults: bool,

    /// The names by which the service may be reached.
    #[command(flatten)]
    pub hosts: HostArgs,

    /// Stop when standard input is closed, as it is when the process at its other end dies.
    #[arg(long)]
    pub exit_with_parent: bool,
}

impl<const PORT: u16> ServiceArgs<PORT> {
    /// Whether faults are honoured.
    pub fn fault_switch(&self) -> FaultSwitch {
        match self.faults {
            true => FaultSwitch::Honoured,
            false => FaultSwitch::Ignored,
        }
    }

    /// The names by which the service may be reached, besides addresses and `localhost`.
    pub fn hosts(&self) -> AllowedHosts {
        self.hosts.hosts()
    }
}

/// The address of a port that only this machine reaches, for clap's help. It is leaked, once for
/// each time that a command line is read: clap's `default_value_t` would keep the text in a static,
/// of which there is one for all values of `PORT`.
fn loopback(port: u16) -> &'static str {
    format!("127.0.0.1:{port}").leak()
}

/// Reads the address of another service, for clap's `value_parser`. What comes of it has no slash at
/// its end, so that a path can follow.
///
/// # Errors
///
/// When it is none; the message says what it must be.
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
#[allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    use clap::{Command, FromArgMatches};

    use super::*;

    fn default_port<const PORT: u16>() -> u16 {
        let command = <ServiceArgs<PORT> as clap::Args>::augment_args(Command::new("service"));
        let arguments = command.try_get_matches_from(["service"]).unwrap();
        let args = ServiceArgs::<PORT>::from_arg_matches(&arguments).unwrap();
        args.listen.port()
    }

    #[test]
    fn each_service_has_its_own_default_port() {
        assert_eq!(default_port::<8081>(), 8081);
        assert_eq!(default_port::<8082>(), 8082);
    }

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
