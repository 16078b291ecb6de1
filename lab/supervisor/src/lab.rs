//! [`Lab`]: a running lab, from its start to its stop.

use std::{io, net::SocketAddr, path::Path, sync::OnceLock};

use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{
    Config, Error, Event, Events, Flushed, Memory, Otlp, OtlpProtocol, Pace, Part, Ports, Tier,
    child::End,
    data::Data,
    databases::Databases,
    event::{self, Teller},
    flush,
    keeper::{Keeper, Terms},
    recipe::{Recipe, Wiring},
};

/// A running lab. When it is dropped it stops, without anybody waiting for that; see [`Lab::stop`].
#[derive(Debug)]
pub struct Lab {
    store: sink::Store,
    addresses: Addresses,
    exports_to: Option<String>,
    pace: Pace,
    /// In the order in which they were started.
    children: Vec<Keeper>,
    /// The sink and the page.
    in_process: Vec<JoinHandle<()>>,
    stop_in_process: CancellationToken,
    client: OnceLock<reqwest::Client>,
    data: Data,
    databases: Option<Databases>,
    _stop_if_dropped: DropGuard,
}

/// Where the parts of a lab listen that are no services.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// The page and the lab's HTTP API, as `http://HOST:PORT`.
    pub page: String,
    /// The sink, as OTLP/gRPC.
    pub otlp_grpc: String,
    /// The sink, as OTLP/HTTP.
    pub otlp_http: String,
    /// The broker, embedded or not.
    pub amqp: String,
}

/// A service of a lab.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Which one.
    pub part: Part,
    /// Its address, as `http://HOST:PORT`.
    pub url: String,
    /// The id of its process; `None` while it is down.
    pub pid: Option<u32>,
}

/// How a lab was stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stopped {
    /// The children that did not stop when they were told to, and were killed.
    pub killed: Vec<Part>,
}

/// Which children are started when: each group together, once the one before it is ready.
///
/// A service is started after those that it is told the address of.
const GROUPS: [&[Part]; 6] = [
    &[
        Part::Collector(Tier::FirstGateway),
        Part::Collector(Tier::SecondGateway),
    ],
    &[
        Part::Collector(Tier::Only),
        Part::Collector(Tier::FirstAgent),
        Part::Collector(Tier::SecondAgent),
    ],
    &[Part::Broker],
    &[Part::Provider, Part::Inventory, Part::Email],
    &[Part::Payment],
    &[Part::Checkout],
];

// === impl Lab ===

impl Lab {
    /// Starts a lab. It is ready when this returns.
    ///
    /// # Errors
    ///
    /// When a port is in use, a child does not start, or the data cannot be kept. Nothing of the
    /// lab runs then.
    pub async fn start(config: Config) -> Result<(Lab, Events), Error> {
        let page = listen(config.ports, Part::Page).await?;
        check_ports(&config).await?;
        let data = Data::open(config.data_dir.as_deref())?;
        let databases = match &config.database {
            Some(server) => Some(Databases::open(server, config.data_dir.is_some()).await?),
            None => None,
        };
        let grpc = listen(config.ports, Part::OtlpGrpc).await?;
        let http = listen(config.ports, Part::OtlpHttp).await?;
        let (teller, events) = event::channel();
        let stop = CancellationToken::new();
        let mut lab = Lab {
            store: sink::Store::new(config.sink.clone()),
            addresses: Addresses {
                page: url(page.1),
                otlp_grpc: url(grpc.1),
                otlp_http: url(http.1),
                amqp: config.amqp.clone().unwrap_or_default(),
            },
            exports_to: config.otlp.as_ref().map(|otlp| otlp.endpoint.clone()),
            pace: config.pace,
            children: Vec::new(),
            in_process: Vec::new(),
            // A child, since it is to be cancelled after the children have stopped.
            stop_in_process: stop.child_token(),
            client: OnceLock::new(),
            data,
            databases,
            _stop_if_dropped: stop.clone().drop_guard(),
        };
        let routes = page::router(lab.store.clone()).merge(config.routes.clone());
        lab.run_in_process(
            page::run(page.0, routes, lab.stop_in_process.clone()),
            sink::run(
                grpc.0,
                http.0,
                lab.store.clone(),
                lab.stop_in_process.clone(),
            ),
            &teller,
        );
        let terms = Terms {
            teller,
            stop,
            stop_patience: config.stop_patience,
        };
        if let Err(error) = lab.start_children(&config, &terms).await {
            lab.stop().await;
            return Err(error);
        }
        Ok((lab, events))
    }

    /// Where the parts listen that are no services.
    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// The services, in alphabetical order.
    pub fn services(&self) -> Vec<Service> {
        let mut services: Vec<Service> = self
            .children
            .iter()
            .filter(|child| Part::SERVICES.contains(&child.part))
            .map(|child| Service {
                part: child.part,
                url: url(child.address),
                pid: child.pid(),
            })
            .collect();
        services.sort_by_key(|service| service.part.name());
        services
    }

    /// The address of a service or of the embedded broker, if the lab has it.
    pub fn address(&self, part: Part) -> Option<SocketAddr> {
        self.child(part).map(|child| child.address)
    }

    /// The id of the process of a service or of the embedded broker; `None` while it is down.
    pub fn pid(&self, part: Part) -> Option<u32> {
        self.child(part).and_then(Keeper::pid)
    }

    /// What the sink has received.
    pub fn store(&self) -> &sink::Store {
        &self.store
    }

    /// Whether its services have PostgreSQL rather than SQLite.
    pub fn has_postgresql(&self) -> bool {
        self.databases.is_some()
    }

    /// At which pace its services run.
    pub fn pace(&self) -> Pace {
        self.pace
    }

    /// Where its services send their telemetry, if that is not the sink.
    pub fn exports_to(&self) -> Option<&str> {
        self.exports_to.as_deref()
    }

    /// Where databases and mails are kept.
    pub fn data_dir(&self) -> &Path {
        self.data.path()
    }

    /// Asks every service to push its telemetry out, and waits until it has.
    ///
    /// What it answers is in the order of [`Part::SERVICES`]; a service that cannot be reached is
    /// among it, by its name.
    pub async fn flush(&self) -> Vec<Flushed> {
        let client = self.client.get_or_init(flush::client);
        let asked: Vec<_> = Part::SERVICES
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

    /// How much memory the processes of the lab take; `None` where the system does not tell.
    pub fn memory(&self) -> Option<Memory> {
        let children = self
            .children
            .iter()
            .filter_map(|child| Some((child.part.name(), child.pid()?)));
        process::memory::measure(std::iter::once(("lab", std::process::id())).chain(children))
    }

    /// Stops the lab: the children in the reverse of the order in which they were started, so that
    /// none is missed by one that needs it, then the sink, so that their last spans arrive: those of the
    /// services, and those that Collectors still hold.
    ///
    /// Children that do not stop in time are killed.
    pub async fn stop(mut self) -> Stopped {
        let mut killed = Vec::new();
        for group in GROUPS.iter().rev() {
            let (of_group, others): (Vec<_>, Vec<_>) = std::mem::take(&mut self.children)
                .into_iter()
                .partition(|child| group.contains(&child.part));
            self.children = others;
            let stopping: Vec<_> = of_group
                .into_iter()
                .map(|child| (child.part, tokio::spawn(child.stop())))
                .collect();
            for (part, stopped) in stopping {
                if stopped.await.unwrap_or(End::Killed) == End::Killed {
                    killed.push(part);
                }
            }
        }
        self.stop_in_process.cancel();
        for part in std::mem::take(&mut self.in_process) {
            // An error means that it has ended by a panic, which was told when it happened.
            let _ = part.await;
        }
        if let Some(databases) = self.databases.take() {
            databases.close().await;
        }
        Stopped { killed }
    }

    fn child(&self, part: Part) -> Option<&Keeper> {
        self.children.iter().find(|child| child.part == part)
    }

    fn run_in_process(
        &mut self,
        page: impl Future<Output = io::Result<()>> + Send + 'static,
        sink: impl Future<Output = io::Result<()>> + Send + 'static,
        teller: &Teller,
    ) {
        self.in_process = vec![
            tokio::spawn(told(Part::OtlpGrpc, sink, teller.clone())),
            tokio::spawn(told(Part::Page, page, teller.clone())),
        ];
    }

    async fn start_children(&mut self, config: &Config, terms: &Terms) -> Result<(), Error> {
        for group in GROUPS {
            let wiring = self.wiring(config);
            let database = |part| self.databases.as_ref().map(|databases| databases.of(part));
            let mut starting = Vec::new();
            for &part in group.iter().filter(|part| is_wanted(config, **part)) {
                let recipe = match &config.collectors {
                    Some(collectors) if matches!(part, Part::Collector(_)) => {
                        Recipe::of_collector(config, part, collectors, &wiring)
                    }
                    _ => Recipe::new(config, part, &wiring, database(part)),
                };
                let listen = config.ports.address(part)?;
                let terms = Terms {
                    // Of its own, so that the children can be stopped one after another.
                    stop: terms.stop.child_token(),
                    ..terms.clone()
                };
                starting.push(tokio::spawn(Keeper::start(recipe, listen, terms)));
            }
            // All of them are waited for, so that those that did start can be stopped.
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
            if let Some(broker) = self.address(Part::Broker) {
                self.addresses.amqp = format!("amqp://guest:guest@{broker}/%2f");
            }
        }
        Ok(())
    }

    /// Where the services send their telemetry: with two agents, one service here and the next there.
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
            .filter_map(|tier| self.address(Part::Collector(tier)))
            .map(|address| to(url(address)))
            .collect();
        match collectors.is_empty() {
            true => vec![to(self.addresses.otlp_grpc.clone())],
            false => collectors,
        }
    }

    /// What is known of the children that run.
    fn wiring(&self, config: &Config) -> Wiring {
        let service = |part| self.address(part).map(url).unwrap_or_default();
        Wiring {
            data: self.data.path().to_owned(),
            sink: self.addresses.otlp_grpc.clone(),
            gateways: [Tier::FirstGateway, Tier::SecondGateway]
                .map(|tier| self.address(Part::Collector(tier))),
            otlp: self.receivers(config),
            amqp: self.addresses.amqp.clone(),
            provider: service(Part::Provider),
            inventory: service(Part::Inventory),
            payment: service(Part::Payment),
        }
    }
}

/// Whether the lab has this part of its own.
fn is_wanted(config: &Config, part: Part) -> bool {
    let tiers = config
        .collectors
        .as_ref()
        .map(|collectors| collectors.gateway.is_some());
    match part {
        Part::Broker => config.amqp.is_none(),
        Part::Collector(Tier::Only) => tiers == Some(false),
        Part::Collector(_) => tiers == Some(true),
        _ => true,
    }
}

/// Looks whether the ports of the children are free, before anything is started. The others are
/// taken here, which tells as well.
async fn check_ports(config: &Config) -> Result<(), Error> {
    for part in Part::ALL {
        if part.is_child() && is_wanted(config, part) && config.ports != Ports::Free {
            drop(listen(config.ports, part).await?);
        }
    }
    Ok(())
}

async fn listen(ports: Ports, part: Part) -> Result<(TcpListener, SocketAddr), Error> {
    let address = ports.address(part)?;
    let cannot_listen = |source: io::Error| match source.kind() {
        io::ErrorKind::AddrInUse => Error::PortInUse {
            port: address.port(),
            part,
        },
        _ => Error::Listen {
            part,
            address,
            source,
        },
    };
    let listener = TcpListener::bind(address).await.map_err(cannot_listen)?;
    let address = listener.local_addr().map_err(cannot_listen)?;
    Ok((listener, address))
}

/// Runs a part of this process, and tells of it if it fails.
async fn told(part: Part, running: impl Future<Output = io::Result<()>>, teller: Teller) {
    if let Err(error) = running.await {
        let why = error.to_string();
        teller.tell(Event::Failed { part, why });
    }
}

fn url(address: SocketAddr) -> String {
    format!("http://{address}")
}
