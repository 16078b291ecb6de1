//! [`Recipe`]: the arguments and the environment of each child.
//!
//! A child gets its whole configuration from its flags and the standard `OTEL_*` variables, like a service
//! that is started by hand or in a container.

use std::{
    env,
    ffi::OsString,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
};

use reqwest::Url;
use tokio::process::Command;

use crate::{Collectors, Component, Config, Otlp, Tier};

/// The arguments and the environment of a child, except the address on which it listens.
#[derive(Clone, Debug)]
pub(crate) struct Recipe {
    pub(crate) component: Component,
    pub(crate) program: PathBuf,
    arguments: Vec<OsString>,
    set: Vec<(OsString, OsString)>,
}

/// The addresses that the children need of one another.
#[derive(Clone, Debug)]
pub(crate) struct Wiring {
    pub(crate) data: PathBuf,
    /// The lab's own receiver, as `http://HOST:PORT`.
    pub(crate) sink: String,
    /// The gateways that agents send to; `None` until they run.
    pub(crate) gateways: [Option<SocketAddr>; 2],
    /// The receivers of the services' telemetry; at least one.
    pub(crate) otlp: Vec<Otlp>,
    pub(crate) amqp: String,
    pub(crate) provider: String,
    pub(crate) inventory: String,
    pub(crate) payment: String,
}

/// Variables that no child inherits. A service would read them in place of a flag, or they would change the
/// telemetry settings of the lab. The user may have set them for another shop.
const NOT_PASSED_ON: [&str; 27] = [
    "LISTEN",
    "ALLOWED_HOSTS",
    "PACE",
    "FAULTS",
    "DATABASE_URL",
    "INVENTORY_URL",
    "PAYMENT_URL",
    "PROVIDER_URL",
    "AMQP_URL",
    "MAIL_DIR",
    "SMTP_URL",
    "MESSAGING_RELATION",
    // It would give all five services the same name.
    "OTEL_SERVICE_NAME",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
    "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT",
    "OTEL_EXPORTER_OTLP_LOGS_PROTOCOL",
    "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
    "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL",
    // The addresses of Collectors: each Collector of a lab gets different ones.
    "COLLECTOR_OTLP_GRPC",
    "COLLECTOR_OTLP_HTTP",
    "COLLECTOR_UNDECIDED_GRPC",
    "COLLECTOR_PROMETHEUS",
    "LAB_OTLP_GRPC",
    "GATEWAY_1",
    "GATEWAY_2",
    "GATEWAY_NAME",
];

/// Variables that are set unless the user's environment sets them.
const DEFAULTS: [(&str, &str); 2] = [
    // Milliseconds. The default of 5 s would delay every trace that a user waits for.
    ("OTEL_BSP_SCHEDULE_DELAY", "200"),
    // The default of 2,048 spans is less than a load produces in that time. These are more than one order can make
    // with the fault span-flood, and more than the shop makes at 20 orders a second in a minute without a receiver.
    ("OTEL_BSP_MAX_QUEUE_SIZE", "131072"),
];

// === impl Recipe ===

impl Recipe {
    /// The recipe of a component that runs as a child.
    ///
    /// Its database is a file in the folder of the lab, unless the configuration names a server.
    pub(crate) fn new(
        config: &Config,
        component: Component,
        wiring: &Wiring,
        database: Option<String>,
    ) -> Recipe {
        let mut arguments: Vec<OsString> = Vec::new();
        let mut set: Vec<(OsString, OsString)> = Vec::new();
        if component == Component::Broker {
            let store = wiring.data.join("broker.db");
            arguments.extend(["broker".into(), "--store".into(), store.into()]);
        } else {
            arguments.extend(["service".into(), component.name().into()]);
            arguments.extend(["--pace".into(), config.pace.as_str().into()]);
            match database {
                // The address has a password, and any user of the machine can read the arguments of a
                // process.
                Some(url) => set.push(("DATABASE_URL".into(), url.into())),
                None => {
                    let file = file(&wiring.data, component);
                    arguments.extend(["--database".into(), file.into()]);
                }
            }
            arguments.extend(service_arguments(config, component, wiring));
            set.extend(telemetry(receiver(component, &wiring.otlp)));
        }
        Recipe::child(config, component, arguments, set)
    }

    /// The recipe of a Collector: it runs below `tracelab collector`, which stops with the lab and then stops
    /// the Collector.
    pub(crate) fn of_collector(
        config: &Config,
        component: Component,
        collectors: &Collectors,
        wiring: &Wiring,
    ) -> Recipe {
        let is_gateway = matches!(
            component,
            Component::Collector(Tier::FirstGateway | Tier::SecondGateway)
        );
        let file = match &collectors.gateway {
            Some(gateway) if is_gateway => gateway,
            _ => &collectors.file,
        };
        let arguments = vec![
            "collector".into(),
            file.into(),
            "--collector".into(),
            collectors.program.clone().into(),
        ];
        let sink = wiring.sink.trim_start_matches("http://");
        let mut set: Vec<(OsString, OsString)> = vec![
            ("LAB_OTLP_GRPC".into(), sink.into()),
            ("GATEWAY_NAME".into(), component.name().into()),
        ];
        for (name, gateway) in ["GATEWAY_1", "GATEWAY_2"].into_iter().zip(wiring.gateways) {
            set.extend(gateway.map(|gateway| (name.into(), gateway.to_string().into())));
        }
        Recipe::child(config, component, arguments, set)
    }

    fn child(
        config: &Config,
        component: Component,
        mut arguments: Vec<OsString>,
        mut set: Vec<(OsString, OsString)>,
    ) -> Recipe {
        arguments.push("--exit-with-parent".into());
        set.extend(
            config
                .extra_env
                .iter()
                .filter(|(of, _, _)| *of == component)
                .map(|(_, name, value)| (name.into(), value.into())),
        );
        Recipe {
            component,
            program: config.program.clone(),
            arguments,
            set,
        }
    }

    /// Whether the process has a child, which it ends itself once its standard input is closed.
    fn has_child(&self) -> bool {
        matches!(self.component, Component::Collector(_))
    }

    /// The command that starts the child. The child is killed when its handle is dropped.
    pub(crate) fn command(&self, listen: SocketAddr) -> Command {
        let mut command = Command::new(&self.program);
        for name in NOT_PASSED_ON {
            command.env_remove(name);
        }
        command
            .args(&self.arguments)
            .args(["--listen", &listen.to_string()])
            .envs(self.set.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Ctrl-C on the terminal goes to the lab, which then stops its children in order.
            .process_group(0)
            .kill_on_drop(!self.has_child());
        command
    }
}

/// The receiver of a service's telemetry.
fn receiver(component: Component, receivers: &[Otlp]) -> &Otlp {
    let place = Component::SERVICES
        .iter()
        .position(|service| *service == component);
    &receivers[place.unwrap_or_default() % receivers.len()]
}

fn service_arguments(config: &Config, component: Component, wiring: &Wiring) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = Vec::new();
    if config.faults {
        arguments.push("--faults".into());
    }
    if !config.allowed_hosts.is_empty() {
        let hosts = config.allowed_hosts.to_string();
        arguments.extend(["--allow-host".into(), hosts.into()]);
    }
    let mut say = |flag: &str, value: &str| arguments.extend([flag.into(), value.into()]);
    match component {
        Component::Checkout => {
            say("--inventory-url", &wiring.inventory);
            say("--payment-url", &wiring.payment);
            say("--amqp-url", &wiring.amqp);
        }
        Component::Payment => say("--provider-url", &wiring.provider),
        Component::Email => {
            say("--amqp-url", &wiring.amqp);
            say("--messaging-relation", config.messaging_relation.as_str());
            arguments.extend(["--mail-dir".into(), wiring.data.join("mail").into()]);
        }
        _ => {}
    }
    arguments
}

/// The address of a service's SQLite database: a file in the folder, which must be absolute.
fn file(data: &Path, component: Component) -> String {
    let file = data.join(format!("{component}.db"));
    let url = Url::from_file_path(&file).expect("the folder of the lab is an absolute path");
    // The path is escaped like any other URL, and sqlx decodes it.
    url.as_str().replacen("file:", "sqlite:", 1)
}

#[expect(
    clippy::disallowed_methods,
    reason = "what the user has set is inherited by the services"
)]
fn telemetry(otlp: &Otlp) -> Vec<(OsString, OsString)> {
    let mut set: Vec<(OsString, OsString)> = vec![
        (
            "OTEL_EXPORTER_OTLP_ENDPOINT".into(),
            otlp.endpoint.as_str().into(),
        ),
        (
            "OTEL_EXPORTER_OTLP_PROTOCOL".into(),
            otlp.protocol.as_str().into(),
        ),
    ];
    let unset = DEFAULTS
        .iter()
        .filter(|(name, _)| env::var_os(name).is_none());
    set.extend(unset.map(|(name, value)| (name.into(), value.into())));
    set
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_of_a_database_is_escaped() {
        assert_eq!(
            file(Path::new("/tmp/my lab"), Component::Email),
            "sqlite:///tmp/my%20lab/email.db"
        );
        assert_eq!(
            file(Path::new("/tmp/a?b#c%d"), Component::Email),
            "sqlite:///tmp/a%3Fb%23c%25d/email.db"
        );
    }
}
