//! Finds free ports.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener},
};

/// Finds `count` addresses of `host` with free ports, all different. Another program may take a port before
/// it is used; then the caller must call this function again.
///
/// # Errors
///
/// When the system has no free port.
pub fn free(host: IpAddr, count: usize) -> io::Result<Vec<SocketAddr>> {
    // All ports are held at the same time, or the system might return the same port twice.
    let held: Vec<TcpListener> = (0..count)
        .map(|_| TcpListener::bind((host, 0)))
        .collect::<io::Result<_>>()?;
    held.iter().map(TcpListener::local_addr).collect()
}

/// The address at which this machine reaches a listener on `address`.
pub fn reachable(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        ip if ip.is_unspecified() => SocketAddr::from((Ipv4Addr::LOCALHOST, address.port())),
        _ => address,
    }
}

/// Whether a program ended because another one has its port, by the last lines that it wrote.
pub fn taken(said: &[String]) -> bool {
    // As the C library and Go's say it, and what Rust, Python and Java make of it.
    let says = |line: &String| line.to_ascii_lowercase().contains("address already in use");
    said.iter().any(says)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_says_that_its_port_is_taken() {
        let line = |text: &str| [text.to_owned()];
        assert!(taken(&line(
            "listen tcp 127.0.0.1:4317: bind: address already in use"
        )));
        assert!(taken(&line("Error: Address already in use (os error 98)")));
        assert!(!taken(&line("no such file")));
    }
}
