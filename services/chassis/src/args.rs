//! The arguments that every service takes.

use std::net::{Ipv4Addr, SocketAddr};

use crate::Pace;

/// The arguments that every service takes; `PORT` is where it listens by default.
#[derive(Clone, Debug, clap::Args)]
pub struct ServiceArgs<const PORT: u16> {
    /// Where to listen. Port 0 takes a free one; the address is printed on standard output.
    #[arg(
        long,
        env = "LISTEN",
        value_name = "ADDRESS:PORT",
        default_value_t = SocketAddr::from((Ipv4Addr::LOCALHOST, PORT))
    )]
    pub listen: SocketAddr,

    /// Whether steps that a demo cannot do for real take a simulated time.
    #[arg(long, env = "PACE", value_enum, default_value_t)]
    pub pace: Pace,

    /// Stop when standard input is closed, as it is when the process at its other end dies.
    #[arg(long)]
    pub exit_with_parent: bool,
}
