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
