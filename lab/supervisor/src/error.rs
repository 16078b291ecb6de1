//! Why a lab could not be started.

use std::{io, net::SocketAddr, path::PathBuf, process::ExitStatus, time::Duration};

use process::Said;
use thiserror::Error;

use crate::Component;

/// Why a lab could not be started. What was started of it has been stopped again.
#[derive(Debug, Error)]
pub enum Error {
    /// Something else listens on a port of the lab.
    #[error(
        "port {port} ({component}) is already in use; choose other ports with --port-base N or \
         --free-ports"
    )]
    PortInUse {
        /// The port.
        port: u16,
        /// Which component was to have it.
        component: Component,
    },
    /// There are no nine ports from this one on.
    #[error("there are no nine ports from {0} on; a port base lies between 1 and 65527")]
    PortBase(u16),
    /// A component cannot listen, for some other reason.
    #[error("the {component} cannot listen on {address}")]
    Listen {
        /// Which component.
        component: Component,
        /// Where it was to listen.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// The folder for databases and mails cannot be made or used.
    #[error("cannot use {} for the data of the lab", .path.display())]
    DataDir {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The databases of the services cannot be made.
    #[error(
        "cannot make the databases of the services on {server}: {why}; it must be a PostgreSQL server, \
         as postgres://USER:PASSWORD@HOST:PORT, and the user must be allowed to create databases"
    )]
    Database {
        /// The server, without its password.
        server: String,
        /// What the attempt came to.
        why: String,
    },
    /// The program of the children cannot be started.
    #[error("cannot start {} as the {component}", .program.display())]
    Program {
        /// The program.
        program: PathBuf,
        /// Which component it was to be.
        component: Component,
        /// What the system says.
        source: io::Error,
    },
    /// A child came to its end before it listened.
    #[error("the {component} stopped before it was ready ({status}){}", Said(.stderr))]
    Exited {
        /// Which child.
        component: Component,
        /// How it ended.
        status: ExitStatus,
        /// The last lines of its standard error.
        stderr: Vec<String>,
    },
    /// A child neither listened nor ended.
    #[error("the {component} was not ready after {} s{}", .patience.as_secs(), Said(.stderr))]
    NotReady {
        /// Which child.
        component: Component,
        /// How long it was waited for.
        patience: Duration,
        /// The last lines of its standard error.
        stderr: Vec<String>,
    },
}
