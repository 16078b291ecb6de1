//! Why a lab could not be started.

use std::{io, net::SocketAddr, path::PathBuf, process::ExitStatus, time::Duration};

use plain::Plain;
use process::Said;
use thiserror::Error;

use crate::Component;

/// Why a lab could not be started. Everything that was started has been stopped again.
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
        /// The component that needs the port.
        component: Component,
    },
    /// The port base is too high: nine ports do not fit above it.
    #[error("there are no nine ports from {0} on; a port base lies between 1 and 65527")]
    PortBase(u16),
    /// A component cannot listen, for another reason.
    #[error("the {component} cannot listen on {address}")]
    Listen {
        /// The component.
        component: Component,
        /// The address.
        address: SocketAddr,
        /// The error of the system.
        source: io::Error,
    },
    /// The folder for databases and mails cannot be created or used.
    #[error("cannot use {} for the data of the lab", Plain(.path.display()))]
    DataDir {
        /// The folder.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// Another lab keeps its data in the folder.
    #[error(
        "the folder {} is in use by another lab{}: stop that lab, or name another folder with --data FOLDER",
        .path.display(), .pid.map(|pid| format!(" (process {pid})")).unwrap_or_default()
    )]
    DataInUse {
        /// The folder.
        path: PathBuf,
        /// The process of the other lab, if it could be read.
        pid: Option<u32>,
    },
    /// The databases of the services cannot be created.
    #[error(
        "cannot make the databases of the services on {server}: {why}; it must be a PostgreSQL server, \
         as postgres://USER:PASSWORD@HOST:PORT, and the user must be allowed to create databases"
    )]
    Database {
        /// The server, without its password.
        server: String,
        /// The reason, from the server or the client library.
        why: String,
    },
    /// The program of the children cannot be started.
    #[error("cannot start {} as the {component}", Plain(.program.display()))]
    Program {
        /// The program.
        program: PathBuf,
        /// The component that it should run.
        component: Component,
        /// The error of the system.
        source: io::Error,
    },
    /// A child ended before it listened.
    #[error("the {component} stopped before it was ready ({status}){}", Said(.stderr))]
    Exited {
        /// The child.
        component: Component,
        /// Its exit status.
        status: ExitStatus,
        /// The last lines of its standard error.
        stderr: Vec<String>,
    },
    /// A child did not listen in time, and did not end.
    #[error("the {component} was not ready after {} s{}", .patience.as_secs(), Said(.stderr))]
    NotReady {
        /// The child.
        component: Component,
        /// The time that the lab waited for it.
        patience: Duration,
        /// The last lines of its standard error.
        stderr: Vec<String>,
    },
}
