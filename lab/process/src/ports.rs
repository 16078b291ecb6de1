//! Ports that are free.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener},
};

/// `count` addresses of `host` with free ports, all different. Another program may take one before it is used; then
/// the caller has to ask again.
///
/// # Errors
///
/// When the system gives no port.
pub fn free(host: IpAddr, count: usize) -> io::Result<Vec<SocketAddr>> {
    // All are held at once, or the system might give the same one twice.
    let held: Vec<TcpListener> = (0..count)
        .map(|_| TcpListener::bind((host, 0)))
        .collect::<io::Result<_>>()?;
    held.iter().map(TcpListener::local_addr).collect()
}

/// The address at which a listener on `address` is reached from this machine.
pub fn reachable(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        ip if ip.is_unspecified() => SocketAddr::from((Ipv4Addr::LOCALHOST, address.port())),
        _ => address,
    }
}
