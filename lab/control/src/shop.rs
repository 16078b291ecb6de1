//! [`Shop`]: the shop of a lab, whose services are started by the lab or run elsewhere.

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use futures::future;
use protocol::{Database, LabDescription, Pace, ProcessDescription};
use reqwest::{Client, Url};
use sink::Store;
use supervisor::{Component, Lab};

/// The longest wait for a flush. A service whose receiver is away may answer later, and exports in the background.
const PATIENCE: Duration = Duration::from_secs(30);

/// The shop of a lab.
#[derive(Clone, Copy, Debug)]
pub enum Shop<'a> {
    /// The services are children of this process.
    Supervised {
        /// The lab that started the services.
        lab: &'a Lab,
        /// The address of the page.
        page: SocketAddr,
    },
    /// The services run elsewhere.
    External(&'a ExternalShop),
}

/// A shop whose services the lab did not start; for example, each service runs in a container. The lab knows
/// only their addresses. Their traces come to a sink of this process.
#[derive(Debug)]
pub struct ExternalShop {
    store: Store,
    checkout: Url,
    services: BTreeMap<Component, Url>,
    database: Database,
    pace: Option<Pace>,
    listens: Listens,
    client: Client,
}

/// The addresses of the page and the sink in front of a shop.
#[derive(Clone, Copy, Debug)]
pub struct Listens {
    /// The page and the lab's HTTP API.
    pub page: SocketAddr,
    /// The sink, as OTLP/gRPC.
    pub otlp_grpc: SocketAddr,
    /// The sink, as OTLP/HTTP.
    pub otlp_http: SocketAddr,
}

// === impl ExternalShop ===

impl ExternalShop {
    /// Makes a shop of these services; `None` if checkout, which takes the orders, is not among them. A
    /// `pace` of `None` is an unknown pace.
    pub fn new(
        store: Store,
        services: BTreeMap<Component, Url>,
        database: Database,
        pace: Option<Pace>,
        listens: Listens,
    ) -> Option<ExternalShop> {
        Some(ExternalShop {
            store,
            checkout: services.get(&Component::Checkout)?.clone(),
            services,
            database,
            pace,
            listens,
            client: http_client::with(|it| it.no_proxy().timeout(PATIENCE)),
        })
    }

    fn describe(&self) -> LabDescription {
        let services = self.services.iter().map(|(part, url)| {
            let process = ProcessDescription {
                url: url.as_str().trim_end_matches('/').to_owned(),
                pid: None,
            };
            (part.name().to_owned(), process)
        });
        let Listens {
            page,
            otlp_grpc,
            otlp_http,
        } = self.listens;
        LabDescription {
            ready: true,
            page: format!("http://{page}"),
            otlp_grpc: format!("http://{otlp_grpc}"),
            otlp_http: format!("http://{otlp_http}"),
            exports_to: None,
            // Only the services need the broker's address.
            amqp: String::new(),
            database: self.database,
            pace: self.pace,
            services: services.collect(),
        }
    }

    /// Makes every service export its spans. A service that does not answer is skipped.
    async fn flush(&self) {
        let asked = self.services.values().map(|service| async {
            let url = service.join("/lab/flush").ok()?;
            self.client.post(url).send().await.ok()
        });
        future::join_all(asked).await;
    }
}

// === impl Shop ===

impl Shop<'_> {
    /// The receiver of the services' telemetry, if it is not the sink.
    pub(crate) fn exports_to(&self) -> Option<&str> {
        match self {
            Shop::Supervised { lab, .. } => lab.exports_to(),
            Shop::External(_) => None,
        }
    }

    /// The description of the lab: the addresses of its components.
    pub(crate) fn describe(self) -> LabDescription {
        match self {
            Shop::Supervised { lab, page } => describe(lab, page),
            Shop::External(shop) => shop.describe(),
        }
    }

    /// The address of checkout.
    pub(crate) fn checkout(self) -> Url {
        match self {
            Shop::Supervised { lab, .. } => checkout_url(lab),
            Shop::External(shop) => shop.checkout.clone(),
        }
    }

    /// The process id of checkout; `None` while it is down, and for a checkout that the lab did not start.
    pub(crate) fn checkout_pid(self) -> Option<u32> {
        match self {
            Shop::Supervised { lab, .. } => lab.pid(Component::Checkout),
            Shop::External(_) => None,
        }
    }

    /// Whether the services use PostgreSQL and not SQLite.
    pub(crate) fn has_postgresql(self) -> bool {
        match self {
            Shop::Supervised { lab, .. } => lab.has_postgresql(),
            Shop::External(shop) => shop.database == Database::Postgresql,
        }
    }

    /// The sink that receives its traces.
    pub(crate) fn store(&self) -> &Store {
        match self {
            Shop::Supervised { lab, .. } => lab.store(),
            Shop::External(shop) => &shop.store,
        }
    }

    /// Makes every service export its spans, and waits for the answers.
    pub(crate) async fn flush(self) {
        match self {
            Shop::Supervised { lab, .. } => drop(lab.flush().await),
            Shop::External(shop) => shop.flush().await,
        }
    }
}

/// The address of the lab's checkout.
fn checkout_url(lab: &Lab) -> Url {
    let address = lab
        .address(Component::Checkout)
        .expect("every lab that was started has a checkout");
    format!("http://{address}")
        .parse()
        .expect("an address makes a URL")
}

/// The description of a lab whose page is at `page`.
pub fn describe(lab: &Lab, page: SocketAddr) -> LabDescription {
    let addresses = lab.addresses().clone();
    let mut services: BTreeMap<String, ProcessDescription> = lab
        .services()
        .into_iter()
        .map(|service| {
            let process = ProcessDescription {
                url: service.url,
                pid: service.pid,
            };
            (service.component.name().to_owned(), process)
        })
        .collect();
    if lab.address(Component::Broker).is_some() {
        let process = ProcessDescription {
            url: addresses.amqp.clone(),
            pid: lab.pid(Component::Broker),
        };
        services.insert(Component::Broker.name().to_owned(), process);
    }
    LabDescription {
        ready: true,
        page: format!("http://{page}"),
        otlp_grpc: addresses.otlp_grpc,
        otlp_http: addresses.otlp_http,
        exports_to: lab.exports_to().map(str::to_owned),
        amqp: addresses.amqp,
        database: database(lab),
        pace: Some(lab.pace()),
        services,
    }
}

fn database(lab: &Lab) -> Database {
    match lab.has_postgresql() {
        true => Database::Postgresql,
        false => Database::Sqlite,
    }
}
