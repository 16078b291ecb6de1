//! [`Addresses`]: what the placeholders of a command line stand for.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::Path,
};

use collector::variable;
use firehose::Protocol;

/// Where it receives OTLP/gRPC.
pub(super) const IN: &str = "{in}";

/// Where it receives OTLP/HTTP.
pub(super) const IN_HTTP: &str = "{in_http}";

/// Where it sends to.
pub(super) const OUT: &str = "{out}";

/// Its folder.
pub(super) const DIR: &str = "{dir}";

/// Names [`DIR`] in its environment.
const DIR_VARIABLE: &str = "BENCH_DIR";

/// The addresses of a SUT, and its folder.
#[derive(Clone, Debug)]
pub(super) struct Addresses {
    grpc: SocketAddr,
    http: SocketAddr,
    /// Where else a set-up of a Collector may listen.
    others: Vec<(&'static str, SocketAddr)>,
    out: SocketAddr,
    dir: String,
}

/// The placeholder of the address for a protocol.
pub(super) fn placeholder(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Grpc => IN,
        Protocol::Http1 | Protocol::Http2 => IN_HTTP,
    }
}

/// The variable of the address for a protocol.
pub(super) fn variable_of(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Grpc => variable::OTLP_GRPC,
        Protocol::Http1 | Protocol::Http2 => variable::OTLP_HTTP,
    }
}

// === impl Addresses ===

impl Addresses {
    /// Free ports of this machine.
    pub(super) fn free(out: SocketAddr, dir: &Path) -> io::Result<Addresses> {
        let host = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let mut free = process::ports::free(host, variable::LISTENING.len())?.into_iter();
        let mut next = || free.next().expect("as many ports as variables");
        let is_other = |name: &&str| ![variable::OTLP_GRPC, variable::OTLP_HTTP].contains(name);
        Ok(Addresses {
            grpc: next(),
            http: next(),
            others: variable::LISTENING
                .into_iter()
                .filter(is_other)
                .map(|name| (name, next()))
                .collect(),
            out,
            dir: dir.to_string_lossy().into_owned(),
        })
    }

    /// Where it receives a protocol.
    pub(super) fn receiving(&self, protocol: Protocol) -> SocketAddr {
        match protocol {
            Protocol::Grpc => self.grpc,
            Protocol::Http1 | Protocol::Http2 => self.http,
        }
    }

    /// A word of the command line, with what its placeholders stand for.
    pub(super) fn fill(&self, word: &str) -> String {
        word.replace(IN, &self.grpc.to_string())
            .replace(IN_HTTP, &self.http.to_string())
            .replace(OUT, &process::ports::reachable(self.out).to_string())
            .replace(DIR, &self.dir)
    }

    /// The variables of its environment.
    pub(super) fn variables(&self) -> impl Iterator<Item = (String, String)> {
        let out = process::ports::reachable(self.out);
        let addresses = [
            (variable::OTLP_GRPC, self.grpc),
            (variable::OTLP_HTTP, self.http),
            (variable::LAB_OTLP_GRPC, out),
        ];
        addresses
            .into_iter()
            .chain(self.others.iter().copied())
            .map(|(name, address)| (name.to_owned(), address.to_string()))
            .chain([(DIR_VARIABLE.to_owned(), self.dir.clone())])
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    use std::collections::{HashMap, HashSet};

    use super::*;

    #[test]
    fn placeholders_and_variables_say_the_same() {
        let out = "0.0.0.0:4317".parse().unwrap();
        let addresses = Addresses::free(out, Path::new("/a folder")).unwrap();
        let variables: HashMap<String, String> = addresses.variables().collect();
        assert_eq!(
            addresses.fill("x={in},{in_http} to {out} by {dir}/{dir} {it}"),
            format!(
                "x={},{} to 127.0.0.1:4317 by /a folder//a folder {{it}}",
                variables["COLLECTOR_OTLP_GRPC"], variables["COLLECTOR_OTLP_HTTP"]
            )
        );
        assert_eq!(variables["LAB_OTLP_GRPC"], "127.0.0.1:4317");
        assert_eq!(variables["BENCH_DIR"], "/a folder");
        let listening: HashSet<&String> = variable::LISTENING.map(|name| &variables[name]).into();
        assert_eq!(listening.len(), variable::LISTENING.len());
        let grpc = addresses.receiving(Protocol::Grpc);
        assert_eq!(variables[variable_of(Protocol::Grpc)], grpc.to_string());
        assert_eq!(
            addresses.fill(placeholder(Protocol::Grpc)),
            grpc.to_string()
        );
    }
}
