//! Binds the port of a component, or says why it cannot be.

use std::{io, net::SocketAddr};

use tokio::net::TcpListener;

use crate::{Component, Error, Ports};

/// Binds the port of a component. The lab's page is served by the program that starts the lab; its port is
/// planned with the others.
///
/// # Errors
///
/// When the port is in use, or the system refuses the address.
pub async fn listen(
    ports: Ports,
    component: Component,
) -> Result<(TcpListener, SocketAddr), Error> {
    let address = ports.address(component)?;
    let cannot_listen = |source: io::Error| match source.kind() {
        io::ErrorKind::AddrInUse => Error::PortInUse {
            port: address.port(),
            component,
        },
        _ => Error::Listen {
            component,
            address,
            source,
        },
    };
    let listener = TcpListener::bind(address).await.map_err(cannot_listen)?;
    let address = listener.local_addr().map_err(cannot_listen)?;
    Ok((listener, address))
}
