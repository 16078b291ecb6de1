//! [`AllowedHosts`]: the names by which a server may be reached.

use std::{fmt, net::IpAddr, str::FromStr, sync::Arc};

/// The names by which a server may be reached, besides addresses and `localhost`.
///
/// As text they are separated by commas; the empty text has none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllowedHosts(Arc<[String]>);

/// What is given is no name of a host.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no name of a host; it has letters, digits, dots and dashes, and neither scheme nor port, such as \
     lab.example"
)]
pub struct HostNameError(String);

/// The argument that names them.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct HostArgs {
    /// Answer also to requests for this host name; may be given more than once.
    ///
    /// Addresses and localhost are always answered. All other names are refused, since a page of another site could
    /// reach this machine through a name of its own.
    #[arg(long, env = "ALLOWED_HOSTS", value_name = "NAME")]
    allow_host: Vec<AllowedHosts>,
}

// === impl HostArgs ===

impl HostArgs {
    /// All names that were given.
    pub fn hosts(&self) -> AllowedHosts {
        let names = self.allow_host.iter().flat_map(AllowedHosts::names);
        AllowedHosts(names.map(str::to_owned).collect())
    }
}

// === impl AllowedHosts ===

impl AllowedHosts {
    /// The names, in lower case.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Whether there is no such name.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether `host`, without its port, is an address, `localhost` or a name below it, or one of these names.
    pub(crate) fn has(&self, host: &str) -> bool {
        let address = host.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
        if address.unwrap_or(host).parse::<IpAddr>().is_ok() {
            return true;
        }
        // A dot at the end makes a name absolute, and changes nothing else.
        let name = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
        name == "localhost" || name.ends_with(".localhost") || self.0.contains(&name)
    }
}

impl FromStr for AllowedHosts {
    type Err = HostNameError;

    fn from_str(text: &str) -> Result<Self, HostNameError> {
        let names = text.split(',').map(str::trim).filter(|it| !it.is_empty());
        let names = names.map(|name| match is_name(name) {
            true => Ok(name.trim_end_matches('.').to_ascii_lowercase()),
            false => Err(HostNameError(name.to_owned())),
        });
        names.collect::<Result<_, _>>().map(AllowedHosts)
    }
}

impl fmt::Display for AllowedHosts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(","))
    }
}

fn is_name(text: &str) -> bool {
    // Names of containers may have underscores.
    text.bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    use super::*;

    #[test]
    fn names_are_a_list_in_any_case() {
        let hosts: AllowedHosts = " Checkout,, lab.Example. ".parse().unwrap();
        assert_eq!(hosts.to_string(), "checkout,lab.example");
        assert_eq!("".parse(), Ok(AllowedHosts::default()));
        for host in ["checkout", "CHECKOUT", "lab.example", "lab.example."] {
            assert!(hosts.has(host), "{host}");
        }
        for host in ["check", "checkout.example", "example", "", "xlab.example"] {
            assert!(!hosts.has(host), "{host}");
        }
    }

    #[test]
    fn addresses_and_localhost_need_no_permission() {
        let hosts = AllowedHosts::default();
        for host in ["127.0.0.1", "[::1]", "10.2.3.4", "localhost", "a.LOCALHOST"] {
            assert!(hosts.has(host), "{host}");
        }
        for host in ["localhost.example", "127.0.0.1.example", "notlocalhost"] {
            assert!(!hosts.has(host), "{host}");
        }
    }

    #[test]
    fn what_is_no_name_is_said() {
        for text in ["http://lab.example", "lab:8080", "*", "a b", "lab,b/c"] {
            let error = text.parse::<AllowedHosts>().unwrap_err();
            assert!(error.to_string().contains("no name of a host"), "{text}");
        }
    }
}
