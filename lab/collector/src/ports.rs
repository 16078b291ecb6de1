//! Ports that are free.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};

use crate::Error;

/// Addresses on which nobody listens, all different. Somebody else may take one before it is used: who
/// uses them must be ready to ask again.
pub(crate) fn free(host: IpAddr, count: usize) -> Result<Vec<SocketAddr>, Error> {
    // All are held at once, or the system might give the same one twice.
    let held: Vec<TcpListener> = (0..count)
        .map(|_| TcpListener::bind((host, 0)))
        .collect::<Result<_, _>>()
        .map_err(Error::Ports)?;
    held.iter()
        .map(|listener| listener.local_addr().map_err(Error::Ports))
        .collect()
}

/// Where one that listens on an address can be reached from this machine.
pub(crate) fn reachable(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        ip if ip.is_unspecified() => SocketAddr::from((Ipv4Addr::LOCALHOST, address.port())),
        _ => address,
    }
}
