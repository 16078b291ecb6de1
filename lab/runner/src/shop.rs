//! [`Shop`]: the shop that a page is in front of, whoever runs its services.

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use futures::future;
use reqwest::{Client, Url};
use sink::Store;
use supervisor::{Lab, Pace, Part};

use crate::described::{Database, Described, DescribedProcess};

/// How long a flush may take: longer than an exporter waits for its receiver.
const PATIENCE: Duration = Duration::from_secs(30);

/// The shop that a page is in front of.
#[derive(Clone, Copy, Debug)]
pub enum Shop<'a> {
    /// Its services are children of this process.
    Lab(&'a Lab),
    /// Its services run elsewhere.
    Elsewhere(&'a Elsewhere),
}

/// A shop whose services somebody else starts, such as a container each: of them only the addresses
/// are known. Their traces come to a sink of this process.
#[derive(Debug)]
pub struct Elsewhere {
    store: Store,
    checkout: Url,
    services: BTreeMap<Part, Url>,
    database: Database,
    pace: Option<Pace>,
    listens: Listens,
    client: Client,
}

/// Where the page and the sink in front of a shop listen.
#[derive(Clone, Copy, Debug)]
pub struct Listens {
    /// The page and the lab's HTTP API.
    pub page: SocketAddr,
    /// The sink, as OTLP/gRPC.
    pub otlp_grpc: SocketAddr,
    /// The sink, as OTLP/HTTP.
    pub otlp_http: SocketAddr,
}

// === impl Elsewhere ===

impl Elsewhere {
    /// A shop of these services; `None` if checkout is not among them, where everything begins. A `pace`
    /// of `None` is one that is not known.
    pub fn new(
        store: Store,
        services: BTreeMap<Part, Url>,
        database: Database,
        pace: Option<Pace>,
        listens: Listens,
    ) -> Option<Elsewhere> {
        Some(Elsewhere {
            store,
            checkout: services.get(&Part::Checkout)?.clone(),
            services,
            database,
            pace,
            listens,
            client: http_client::with(|it| it.no_proxy().timeout(PATIENCE)),
        })
    }

    fn describe(&self) -> Described {
        let services = self.services.iter().map(|(part, url)| {
            let process = DescribedProcess {
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
        Described {
            ready: true,
            page: format!("http://{page}"),
            otlp_grpc: format!("http://{otlp_grpc}"),
            otlp_http: format!("http://{otlp_http}"),
            exports_to: None,
            // Only the services need to know it.
            amqp: String::new(),
            database: self.database,
            pace: self.pace,
            services: services.collect(),
        }
    }

    /// Who does not answer has nothing that could be waited for.
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
    /// Where the services send their telemetry, if that is not the sink.
    pub(crate) fn exports_to(&self) -> Option<&str> {
        match self {
            Shop::Lab(lab) => lab.exports_to(),
            Shop::Elsewhere(_) => None,
        }
    }

    /// Where everything listens.
    pub(crate) fn describe(self) -> Described {
        match self {
            Shop::Lab(lab) => describe(lab),
            Shop::Elsewhere(elsewhere) => elsewhere.describe(),
        }
    }

    /// Where it takes orders.
    pub(crate) fn checkout(self) -> Url {
        match self {
            Shop::Lab(lab) => checkout_url(lab),
            Shop::Elsewhere(elsewhere) => elsewhere.checkout.clone(),
        }
    }

    /// The process of checkout, if it is up and if it is one of this machine's.
    pub(crate) fn checkout_pid(self) -> Option<u32> {
        match self {
            Shop::Lab(lab) => lab.pid(Part::Checkout),
            Shop::Elsewhere(_) => None,
        }
    }

    /// Whether its services have PostgreSQL rather than SQLite.
    pub(crate) fn has_postgresql(self) -> bool {
        match self {
            Shop::Lab(lab) => lab.has_postgresql(),
            Shop::Elsewhere(elsewhere) => elsewhere.database == Database::Postgresql,
        }
    }

    /// What the sink has received of it.
    pub(crate) fn store(&self) -> &Store {
        match self {
            Shop::Lab(lab) => lab.store(),
            Shop::Elsewhere(elsewhere) => &elsewhere.store,
        }
    }

    /// Asks every service to push its telemetry out, and waits until it has.
    pub(crate) async fn flush(self) {
        match self {
            Shop::Lab(lab) => drop(lab.flush().await),
            Shop::Elsewhere(elsewhere) => elsewhere.flush().await,
        }
    }
}

/// Where the lab's shop takes orders.
pub(crate) fn checkout_url(lab: &Lab) -> Url {
    let address = lab
        .address(Part::Checkout)
        .expect("every lab that was started has a checkout");
    format!("http://{address}")
        .parse()
        .expect("an address makes a URL")
}

/// Where everything of a lab listens.
pub fn describe(lab: &Lab) -> Described {
    let addresses = lab.addresses().clone();
    let mut services: BTreeMap<String, DescribedProcess> = lab
        .services()
        .into_iter()
        .map(|service| {
            let process = DescribedProcess {
                url: service.url,
                pid: service.pid,
            };
            (service.part.name().to_owned(), process)
        })
        .collect();
    if lab.address(Part::Broker).is_some() {
        let process = DescribedProcess {
            url: addresses.amqp.clone(),
            pid: lab.pid(Part::Broker),
        };
        services.insert(Part::Broker.name().to_owned(), process);
    }
    Described {
        ready: true,
        page: addresses.page,
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
