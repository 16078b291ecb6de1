//! Binds the address of a service, or explains why it cannot.

use std::{io, net::SocketAddr};

use tokio::net::TcpListener;

/// Why a service cannot listen.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Another process uses the port.
    #[error(
        "port {} is already in use on {}: stop what listens there, or choose another with \
         --listen ADDRESS:PORT (port 0 takes a free one)",
        .0.port(), .0.ip()
    )]
    PortInUse(SocketAddr),
    /// Ports below 1024 need privileges.
    #[error("port {} needs privileges: choose one above 1023 with --listen ADDRESS:PORT", .0.port())]
    NotAllowed(SocketAddr),
    /// Any other error, such as an address that this machine does not have.
    #[error("cannot listen on {address}: {source}")]
    Other {
        /// The address that was requested.
        address: SocketAddr,
        /// The error of the operating system.
        source: io::Error,
    },
}

/// Binds the address.
///
/// # Errors
///
/// When the address cannot be bound; the message says what the user can do.
pub async fn listen(address: SocketAddr) -> Result<TcpListener, ListenError> {
    tcp::bind(address)
        .await
        .map_err(|source| match source.kind() {
            io::ErrorKind::AddrInUse => ListenError::PortInUse(address),
            io::ErrorKind::PermissionDenied => ListenError::NotAllowed(address),
            _ => ListenError::Other { address, source },
        })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_port_in_use_is_named_with_the_way_out() {
        let taken = listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let address = taken.local_addr().unwrap();
        let error = listen(address).await.unwrap_err().to_string();
        let start = format!("port {} is already in use on 127.0.0.1", address.port());
        assert!(error.starts_with(&start), "{error}");
        assert!(error.contains("--listen"), "{error}");
    }
}
