//! [`Setup`]: the set-up file of a Collector, or the two files of an agent and its gateways.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{CollectorEffect, Error, effect, variable};

/// The set-up of the Collectors between the services and the sink.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Setup {
    /// One Collector.
    One(PathBuf),
    /// Two agents, each of which sends every trace to one of two gateways.
    Tiers {
        /// The set-up of an agent.
        agent: PathBuf,
        /// The set-up of a gateway.
        gateway: PathBuf,
    },
}

const RECEIVES: &str = "receivers: { otlp: { protocols: { grpc: { endpoint: \"${env:COLLECTOR_OTLP_GRPC:-127.0.0.1:14317}\" } } } }";
const RECEIVES_HTTP: &str = "receivers: { otlp: { protocols: { http: { endpoint: \"${env:COLLECTOR_OTLP_HTTP:-127.0.0.1:14318}\" } } } }";
const SENDS: &str = "exporters: { otlp_grpc/lab: { endpoint: \"${env:LAB_OTLP_GRPC:-127.0.0.1:4317}\", tls: { insecure: true } } }";
const BALANCES: &str =
    "resolver: { static: { hostnames: [\"${env:GATEWAY_1}\", \"${env:GATEWAY_2}\"] } }";

// === impl Setup ===

impl Setup {
    /// Opens a set-up file, or a folder with `agent.yaml` and `gateway.yaml`.
    /// [`Program::check`](crate::Program::check) checks their content.
    ///
    /// # Errors
    ///
    /// When a file cannot be read, or does not take its addresses from the environment.
    pub fn open(path: &Path) -> Result<Setup, Error> {
        let setup = match path.is_dir() {
            true => Setup::Tiers {
                agent: path.join("agent.yaml"),
                gateway: path.join("gateway.yaml"),
            },
            false => Setup::One(path.to_owned()),
        };
        match &setup {
            Setup::One(file) => {
                mentions(file, variable::OTLP_GRPC)?;
                mentions(file, variable::LAB_OTLP_GRPC)?;
            }
            Setup::Tiers { agent, gateway } => {
                mentions(agent, variable::OTLP_GRPC)?;
                for name in variable::GATEWAYS {
                    mentions(agent, name)?;
                }
                mentions(gateway, variable::OTLP_GRPC)?;
                mentions(gateway, variable::LAB_OTLP_GRPC)?;
            }
        }
        Ok(setup)
    }

    /// The files, in the order in which spans pass through them.
    pub fn files(&self) -> Vec<&Path> {
        match self {
            Setup::One(file) => vec![file],
            Setup::Tiers { agent, gateway } => vec![agent, gateway],
        }
    }

    /// The effect on the traces that pass through.
    ///
    /// # Errors
    ///
    /// When a file cannot be read.
    pub fn effect(&self) -> Result<CollectorEffect, Error> {
        let mut whole = CollectorEffect::NONE;
        for file in self.files() {
            whole = whole.then(effect::of_text(&read(file)?));
        }
        Ok(whole)
    }
}

/// A line of a set-up that takes an address from a variable.
pub(crate) fn example(variable: &str) -> &'static str {
    match variable {
        variable::OTLP_HTTP => RECEIVES_HTTP,
        variable::LAB_OTLP_GRPC => SENDS,
        name if variable::GATEWAYS.contains(&name) => BALANCES,
        _ => RECEIVES,
    }
}

fn mentions(file: &Path, variable: &'static str) -> Result<(), Error> {
    match read(file)?.contains(&format!("${{env:{variable}")) {
        true => Ok(()),
        false => Err(Error::NoAddress {
            file: file.to_owned(),
            variable,
            example: example(variable),
        }),
    }
}

pub(crate) fn read(file: &Path) -> Result<String, Error> {
    fs::read_to_string(file).map_err(|source| Error::Unreadable {
        file: file.to_owned(),
        source,
    })
}
