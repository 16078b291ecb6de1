//! [`Lab`]: a running lab, from its start to its stop.

use std::{
    io,
    net::SocketAddr,
    path::Path,
    sync::OnceLock,
    time::{Duration, Instant},
};

use protocol::Pace;
use reqwest::{Client, Url};
use tokio::{task::JoinHandle, time::timeout_at};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{
    Component, Config, Error, Event, Events, Flushed, Memory, Otlp, OtlpProtocol, Ports, Tier,
    child::End,
    data::Data,
    databases::Databases,
    event::{self, Teller},
    flush,
    keeper::{Keeper, Supervision},
    listen::listen,
    recipe::{Recipe, Wiring},
};

/// A running lab. When it is dropped it stops in the background; [`Lab::stop`] waits for that.
#[derive(Debug)]
pub struct Lab {
    store: sink::Store,
    addresses: Addresses,
    exports_to: Option<String>,
    pace: Pace,
    /// The children in the order in which they were started.
    children: Vec<Keeper>,
    sink: JoinHandle<()>,
    stop_sink: CancellationToken,
    client: OnceLock<Client>,
    data: Data,
    databases: Option<Databases>,
    stop_patience: Duration,
    _stop_if_dropped: DropGuard,
}

/// The addresses of the sink and the broker of a lab.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// The sink, as OTLP/gRPC.
    pub otlp_grpc: String,
    /// The sink, as OTLP/HTTP.
    pub otlp_http: String,
    /// The broker, embedded or external.
    pub amqp: String,
}

/// A service of a lab.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// The service.
    pub component: Component,
    /// Its address, as `http://HOST:PORT`.
    pub url: String,
    /// The process id; `None` while the service is down.
    pub pid: Option<u32>,
}

/// The result of stopping a lab.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stopped {
    /// The children that did not stop in time, and were killed.
    pub killed: Vec<Component>,
}

/// The order in which the children are started: the children of a group together, once the group before is
/// ready.
///
/// A service is started after the services whose addresses it needs.
const GROUPS: [&[Component]; 6] = [
    &[
        Component::Collector(Tier::FirstGateway),
        Component::Collector(Tier::SecondGateway),
    ],
    &[
        Component::Collector(Tier::Only),
        Component::Collector(Tier::FirstAgent),
        Component::Collector(Tier::SecondAgent),
    ],
    &[Component::Broker],
    &[Component::Provider, Component::Inventory, Component::Email],
    &[Component::Payment],
    &[Component::Checkout],
];

/// The time that is kept for each group of children that stops later. A child without work takes less.
const SHARE: Duration = Duration::from_millis(600);

// === impl Lab ===

impl Lab {
    /// Starts a lab. The lab is ready when this function returns.
    ///
    /// # Errors
    ///
    /// When a port is in use, a child does not start, or the data cannot be kept. Everything that was started
    /// has been stopped then.
    pub async fn start(config: Config) -> Result<(Lab, Events), Error> {
        check_ports(&config).await?;
        let data = Data::open(config.data_dir.as_deref())?;
        let databases = match &config.database {
            Some(server) => Some(Databases::open(server, config.data_dir.is_some()).await?),
            None => None,
        };
        let grpc = listen(config.ports, Component::OtlpGrpc).await?;
        let http = listen(config.ports, Component::OtlpHttp).await?;
        let (teller, events) = event::channel();
        let stop = CancellationToken::new();
        let store = sink::Store::new(config.sink.clone());
        // A child token: it is cancelled after the children have stopped.
        let stop_sink = stop.child_token();
        let sink = sink::run(grpc.0, http.0, store.clone(), stop_sink.clone());
        let mut lab = Lab {
            store,
            addresses: Addresses {
                otlp_grpc: url(grpc.1),
                otlp_http: url(http.1),
                amqp: config.amqp.clone().unwrap_or_default(),
            },
            exports_to: config.otlp.as_ref().map(|otlp| otlp.endpoint.clone()),
            pace: config.pace,
            children: Vec::new(),
            sink: tokio::spawn(report_failure(Component::OtlpGrpc, sink, teller.clone())),
            stop_sink,
            client: OnceLock::new(),
            data,
            databases,
            stop_patience: config.stop_patience,
            _stop_if_dropped: stop.clone().drop_guard(),
        };
        let supervision = Supervision {
            teller,
            stop,
            stop_patience: config.stop_patience,
        };
        if let Err(error) = lab.start_children(&config, &supervision).await {
            lab.stop().await;
            return Err(error);
        }
        Ok((lab, events))
    }

    /// The addresses of the sink and the broker.
    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// The services, in alphabetical order.
    pub fn services(&self) -> Vec<Service> {
        let mut services: Vec<Service> = self
            .children
            .iter()
            .filter(|child| Component::SERVICES.contains(&child.component))
            .map(|child| Service {
                component: child.component,
                url: url(child.address),
                pid: child.pid(),
            })
            .collect();
        services.sort_by_key(|service| service.component.name());
        services
    }

    /// The address of a service or of the embedded broker; `None` if the lab does not run it.
    pub fn address(&self, component: Component) -> Option<SocketAddr> {
        self.child(component).map(|child| child.address)
    }

    /// The address of checkout, which takes the orders.
    pub fn checkout_url(&self) -> Url {
        let address = self
            .address(Component::Checkout)
            .expect("every lab that was started has a checkout");
        url(address).parse().expect("an address makes a URL")
    }

    /// The process id of a service or of the embedded broker; `None` while it is down.
    pub fn pid(&self, component: Component) -> Option<u32> {
        self.child(component).and_then(Keeper::pid)
    }

    /// What the sink has received.
    pub fn store(&self) -> &sink::Store {
        &self.store
    }

    /// Whether the services use PostgreSQL and not SQLite.
    pub fn has_postgresql(&self) -> bool {
        self.databases.is_some()
    }

    /// The pace of the services.
    pub fn pace(&self) -> Pace {
        self.pace
    }

    /// The receiver of the services' telemetry, if it is not the sink.
    pub fn exports_to(&self) -> Option<&str> {
        self.exports_to.as_deref()
    }

    /// The folder of databases and mails.
    pub fn data_dir(&self) -> &Path {
        self.data.path()
    }

    /// Makes every service export its telemetry, and waits for the answers.
    ///
    /// The answers are in the order of [`Component::SERVICES`]. A service that cannot be reached has an error
    /// in its place.
    pub async fn flush(&self) -> Vec<Flushed> {
        let client = self.client.get_or_init(flush::client);
        let asked: Vec<_> = Component::SERVICES
            .into_iter()
            .filter_map(|service| Some((service, self.address(service)?)))
            .map(|(service, address)| {
                let client = client.clone();
                tokio::spawn(async move { flush::flush(&client, service, address).await })
            })
            .collect();
        let mut flushed = Vec::new();
        for answer in asked {
            flushed.push(answer.await.expect("asking neither panics nor is aborted"));
        }
        flushed
    }

    /// The memory of the lab's processes; `None` if the system does not report it.
    pub fn memory(&self) -> Option<Memory> {
        let children = self
            .children
            .iter()
            .filter_map(|child| Some((child.component.name(), child.pid()?)));
        process::memory::measure(std::iter::once(("lab", std::process::id())).chain(children))
    }

    /// Stops the lab. The children stop in the reverse order of their start, so that each child has what it
    /// needs until its end. The sink stops last, so that it still receives the last spans of the services and
    /// of the Collectors.
    ///
    /// It takes [`Config::stop_patience`] at most: children that do not stop in time are killed.
    pub async fn stop(self) -> Stopped {
        let deadline = Instant::now() + self.stop_patience;
        self.stop_by(deadline).await
    }

    /// Stops the lab as [`stop`](Lab::stop) does, by this deadline.
    ///
    /// Each child has the time that is left, but for a share of those that stop after it.
    pub async fn stop_by(mut self, deadline: Instant) -> Stopped {
        let mut killed = Vec::new();
        for (place, group) in GROUPS.iter().enumerate().rev() {
            let left = deadline.saturating_duration_since(Instant::now());
            let groups_after = u32::try_from(place).expect("there are 6 groups");
            let group_deadline = deadline - SHARE.min(left / 10) * groups_after;
            let (of_group, others): (Vec<_>, Vec<_>) = std::mem::take(&mut self.children)
                .into_iter()
                .partition(|child| group.contains(&child.component));
            self.children = others;
            let stopping: Vec<_> = of_group
                .into_iter()
                .map(|child| (child.component, tokio::spawn(child.stop(group_deadline))))
                .collect();
            for (component, stopped) in stopping {
                if stopped.await.unwrap_or(End::Killed) == End::Killed {
                    killed.push(component);
                }
            }
        }
        self.stop_sink.cancel();
        let last = async {
            // An error means that it ended by a panic, which was reported when it happened.
            let _ = self.sink.await;
            if let Some(databases) = self.databases.take() {
                databases.close().await;
            }
        };
        // The children may have used up the time; what is quick is done all the same.
        let deadline = deadline.max(Instant::now() + SHARE);
        let _ = timeout_at(deadline.into(), last).await;
        Stopped { killed }
    }

    fn child(&self, component: Component) -> Option<&Keeper> {
        self.children
            .iter()
            .find(|child| child.component == component)
    }

    async fn start_children(
        &mut self,
        config: &Config,
        supervision: &Supervision,
    ) -> Result<(), Error> {
        for group in GROUPS {
            let wiring = self.wiring(config);
            let database = |component| {
                self.databases
                    .as_ref()
                    .map(|databases| databases.of(component))
            };
            let mut starting = Vec::new();
            for &component in group
                .iter()
                .filter(|component| is_wanted(config, **component))
            {
                let recipe = match &config.collectors {
                    Some(collectors) if matches!(component, Component::Collector(_)) => {
                        Recipe::of_collector(config, component, collectors, &wiring)
                    }
                    _ => Recipe::new(config, component, &wiring, database(component)),
                };
                let listen = config.ports.address(component)?;
                let supervision = Supervision {
                    // A separate token for each child, so that the children can be stopped one after another.
                    stop: supervision.stop.child_token(),
                    ..supervision.clone()
                };
                starting.push(tokio::spawn(Keeper::start(recipe, listen, supervision)));
            }
            // All starts are awaited, so that the children that did start can be stopped.
            let mut failed = None;
            for started in starting {
                match started
                    .await
                    .expect("starting neither panics nor is aborted")
                {
                    Ok(child) => self.children.push(child),
                    Err(error) => failed = failed.or(Some(error)),
                }
            }
            if let Some(error) = failed {
                return Err(error);
            }
            if let Some(broker) = self.address(Component::Broker) {
                self.addresses.amqp = format!("amqp://guest:guest@{broker}/%2f");
            }
        }
        Ok(())
    }

    /// The receivers of the services' telemetry. With two agents, the services alternate between them.
    fn receivers(&self, config: &Config) -> Vec<Otlp> {
        if let Some(otlp) = &config.otlp {
            return vec![otlp.clone()];
        }
        let to = |endpoint| Otlp {
            endpoint,
            protocol: OtlpProtocol::Grpc,
        };
        let collectors: Vec<Otlp> = [Tier::Only, Tier::FirstAgent, Tier::SecondAgent]
            .into_iter()
            .filter_map(|tier| self.address(Component::Collector(tier)))
            .map(|address| to(url(address)))
            .collect();
        match collectors.is_empty() {
            true => vec![to(self.addresses.otlp_grpc.clone())],
            false => collectors,
        }
    }

    /// The addresses of the children that run.
    fn wiring(&self, config: &Config) -> Wiring {
        let service = |component| self.address(component).map(url).unwrap_or_default();
        Wiring {
            data: self.data.path().to_owned(),
            sink: self.addresses.otlp_grpc.clone(),
            gateways: [Tier::FirstGateway, Tier::SecondGateway]
                .map(|tier| self.address(Component::Collector(tier))),
            otlp: self.receivers(config),
            amqp: self.addresses.amqp.clone(),
            provider: service(Component::Provider),
            inventory: service(Component::Inventory),
            payment: service(Component::Payment),
        }
    }
}

/// Whether the lab runs this component itself.
fn is_wanted(config: &Config, component: Component) -> bool {
    let tiers = config
        .collectors
        .as_ref()
        .map(|collectors| collectors.gateway.is_some());
    match component {
        Component::Broker => config.amqp.is_none(),
        Component::Collector(Tier::Only) => tiers == Some(false),
        Component::Collector(_) => tiers == Some(true),
        _ => true,
    }
}

/// Checks that the ports of the children are free, before anything is started. Other components bind their
/// ports in this process, which finds ports in use as well.
async fn check_ports(config: &Config) -> Result<(), Error> {
    for component in Component::ALL {
        if component.is_child() && is_wanted(config, component) && config.ports != Ports::Free {
            drop(listen(config.ports, component).await?);
        }
    }
    Ok(())
}

/// Runs a component in this process, and reports it as [`Event::Failed`] if it fails.
async fn report_failure(
    component: Component,
    running: impl Future<Output = io::Result<()>>,
    teller: Teller,
) {
    if let Err(error) = running.await {
        let why = error.to_string();
        teller.tell(Event::Failed { component, why });
    }
}

fn url(address: SocketAddr) -> String {
    format!("http://{address}")
}
