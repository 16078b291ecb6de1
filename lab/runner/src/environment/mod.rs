//! Where scenarios are run: in a lab that is started for them, in a lab that runs already, or with a sink
//! alone for services of the user.

mod arrivals;
mod backend;
mod room;
mod running_lab;

pub use running_lab::RunningLabError;

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use backends::Reader;
use loadgen::Line;
use reqwest::Url;
use scenario::Target;
use sink::Store;
use supervisor::{Config, Flushed, Lab};
use thiserror::Error;
use tokio::{
    net::TcpListener,
    sync::Mutex,
    task::JoinHandle,
    time::{Instant, timeout},
};
use tokio_util::sync::{CancellationToken, DropGuard};
use trace::Trace;

use crate::{
    case::Unexplained,
    conditions::Conditions,
    known::Known,
    settings::{LabChoice, Settings},
    traces::{Found, Traces},
};

pub(crate) use arrivals::Arrivals;
use arrivals::{Addresses, During};
use room::Room;
use running_lab::{RunningLab, lost};

/// The longest pause between two reads while nothing arrives.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// The place where a scenario is run, and the traces that were received there.
#[derive(Debug)]
pub(crate) struct Environment {
    kind: Kind,
    traces: Mutex<Traces>,
    /// The requests of all scenarios.
    known: Mutex<Known>,
    room: Room,
    /// The backend that traces are read from instead of the sink.
    backend: Option<Arc<dyn Reader>>,
    /// When the last flush began. A request for a flush is fulfilled by any flush that began after it.
    flushed: Mutex<Option<Instant>>,
    /// What the environment offers to the needs of a scenario of the shop.
    conditions: Conditions,
    /// The task that passes the events of a lab on.
    listening: Option<JoinHandle<()>>,
}

#[derive(Debug)]
enum Kind {
    PrivateLab(Box<Lab>),
    RunningLab(RunningLab),
    OwnServices(Receiver),
}

/// A sink for the user's own services.
#[derive(Debug)]
struct Receiver {
    store: Store,
    addresses: Addresses,
    serving: JoinHandle<io::Result<()>>,
    stop: CancellationToken,
    _stop_if_dropped: DropGuard,
}

/// Why scenarios cannot be run.
#[derive(Debug, Error)]
pub enum EnvironmentError {
    /// The lab could not be started.
    #[error(transparent)]
    Lab(#[from] supervisor::Error),
    /// An address for telemetry cannot be listened on.
    #[error(
        "cannot receive telemetry on {address}: {source}; name another address, or stop what listens \
         there"
    )]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The error of the system.
        source: io::Error,
    },
    /// The lab that was named cannot be used.
    #[error(transparent)]
    RunningLab(#[from] RunningLabError),
}

// === impl Environment ===

impl Environment {
    /// Opens the environment that the settings choose. `of_shop` says whether it is for scenarios of the shop
    /// or for the user's services. `events` receives the events of a lab that is started.
    pub(crate) async fn open(
        settings: &Settings,
        of_shop: bool,
        events: impl Fn(supervisor::Event) + Send + Sync + 'static,
    ) -> Result<Environment, EnvironmentError> {
        match &settings.lab {
            LabChoice::Running(page) => {
                let lab = RunningLab::find(page.clone()).await?;
                let conditions = lab.conditions();
                Ok(Environment::new(Kind::RunningLab(lab), conditions))
            }
            LabChoice::Private(config) if of_shop => {
                let conditions = Conditions::of_lab(config);
                let started = Environment::start((**config).clone(), conditions, events).await?;
                Ok(started.reading_from(settings.backend.clone()))
            }
            LabChoice::Private(_) => {
                let (grpc, http) = settings.receiver;
                let receiver = Receiver::start(grpc, http, sink::Config::default()).await?;
                Ok(Environment::new(
                    Kind::OwnServices(receiver),
                    Conditions::Unknown,
                ))
            }
        }
    }

    /// Starts a lab for the environment. `conditions` is what its scenarios may rely on.
    pub(crate) async fn start(
        config: Config,
        conditions: Conditions,
        events: impl Fn(supervisor::Event) + Send + Sync + 'static,
    ) -> Result<Environment, EnvironmentError> {
        let (lab, mut happened) = Lab::start(config).await?;
        let listening = tokio::spawn(async move {
            while let Some(event) = happened.next().await {
                events(event);
            }
        });
        Ok(Environment {
            listening: Some(listening),
            ..Environment::new(Kind::PrivateLab(Box::new(lab)), conditions)
        })
    }

    /// Reads traces from a backend instead of the sink, if there is one.
    pub(crate) fn reading_from(self, backend: Option<Arc<dyn Reader>>) -> Environment {
        Environment { backend, ..self }
    }

    /// A sink alone, with these limits.
    #[cfg(test)]
    pub(crate) async fn with_sink(config: sink::Config) -> (Environment, Store) {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let receiver = Receiver::start(any, any, config)
            .await
            .expect("a free port can be listened on");
        let store = receiver.store.clone();
        let kind = Kind::OwnServices(receiver);
        (Environment::new(kind, Conditions::Unknown), store)
    }

    fn new(kind: Kind, conditions: Conditions) -> Environment {
        Environment {
            kind,
            traces: Mutex::default(),
            known: Mutex::default(),
            room: Room::default(),
            backend: None,
            flushed: Mutex::default(),
            conditions,
            listening: None,
        }
    }

    /// What the environment offers to the needs of a scenario with this target.
    pub(crate) fn conditions(&self, target: &Target) -> Conditions {
        match target {
            Target::Shop => self.conditions,
            // Even in a lab with a shop: the target may be another service.
            Target::Url(_) => Conditions::Unknown,
        }
    }

    /// The address of the shop's checkout; `None` if there is no shop.
    pub(crate) fn checkout_url(&self) -> Option<Url> {
        match &self.kind {
            Kind::PrivateLab(lab) => Some(lab.checkout_url()),
            Kind::RunningLab(lab) => Some(lab.checkout().clone()),
            Kind::OwnServices(_) => None,
        }
    }

    /// Whether all received traces come from the requests of this run. Then a span that belongs to no request
    /// is an error. A lab that runs already may have other clients too.
    pub(crate) fn is_private(&self) -> bool {
        matches!(self.kind, Kind::PrivateLab(_))
    }

    /// Reads what has arrived, after all services have exported their spans.
    pub(crate) async fn read<'l>(&self, lines: impl IntoIterator<Item = &'l Line>) {
        self.flush().await;
        if let Some(reader) = &self.backend {
            let read = backend::traces_of(&**reader, lines.into_iter().collect()).await;
            let mut traces = self.traces.lock().await;
            read.into_iter().for_each(|trace| traces.take(trace));
            return;
        }
        match &self.kind {
            Kind::PrivateLab(lab) => self.traces.lock().await.refresh(lab.store()),
            Kind::OwnServices(receiver) => self.traces.lock().await.refresh(&receiver.store),
            Kind::RunningLab(lab) => {
                let read = lab.traces_of(lines.into_iter().collect()).await;
                let mut traces = self.traces.lock().await;
                read.into_iter().for_each(|trace| traces.take(trace));
            }
        }
    }

    /// Waits until something arrives, at most [`POLL_INTERVAL`].
    pub(crate) async fn wait(&self) {
        match self.store().filter(|_| self.backend.is_none()) {
            Some(store) => {
                let mut arrivals = store.changes();
                let _ = timeout(POLL_INTERVAL, arrivals.changed()).await;
            }
            None => tokio::time::sleep(POLL_INTERVAL).await,
        }
    }

    /// Takes a request into account: its trace is explained.
    pub(crate) async fn add(&self, line: &Line) {
        self.known.lock().await.add(line);
    }

    /// Finds the traces of these requests.
    pub(crate) async fn find<'l>(&self, lines: impl IntoIterator<Item = &'l Line>) -> Vec<Found> {
        let traces = self.traces.lock().await;
        let known = self.known.lock().await;
        let find = |line: &Line| {
            let found = traces.find(line, &known);
            let is_missing = found.trace.is_none();
            let is_evicted = is_missing && line.trace_id.is_some_and(|id| self.was_evicted(id));
            Found {
                is_evicted,
                ..found
            }
        };
        lines.into_iter().map(find).collect()
    }

    /// The traces that belong to no request.
    pub(crate) async fn unexplained(&self) -> Vec<Unexplained> {
        self.read(std::iter::empty()).await;
        let mut unexplained = self.room.unexplained();
        let left = self.unexplained_since(Instant::now()).await;
        unexplained.extend(left.iter().map(|trace| Unexplained::of(trace)));
        unexplained
    }

    async fn unexplained_since(&self, unchanged_since: Instant) -> Vec<Arc<Trace>> {
        let traces = self.traces.lock().await;
        let known = self.known.lock().await;
        traces.unexplained(&known, unchanged_since)
    }

    /// What has arrived so far; `None` unless the services are the user's own.
    pub(crate) async fn arrivals(&self) -> Option<Arrivals> {
        let Kind::OwnServices(receiver) = &self.kind else {
            return None;
        };
        let stats = receiver.store.stats();
        Some(Arrivals {
            spans: stats.spans.received,
            unreadable: stats.requests.malformed,
            traces: receiver.store.trace_ids().into_iter().collect(),
        })
    }

    /// Why traces of requests are missing that brought a `traceparent`, as far as what has arrived since
    /// `before` says it.
    pub(crate) async fn why_missing(&self, before: &Arrivals) -> Option<String> {
        let Kind::OwnServices(receiver) = &self.kind else {
            return None;
        };
        let now = self.arrivals().await?;
        let foreign = self.unexplained().await;
        let mut foreign = foreign.iter().map(|trace| trace.trace_id);
        let during = During {
            spans: now.spans.saturating_sub(before.spans),
            unreadable: now.unreadable.saturating_sub(before.unreadable),
            foreign: foreign
                .by_ref()
                .filter(|id| !before.traces.contains(id))
                .count(),
        };
        during.cause(receiver.addresses)
    }

    /// The number of spans that were lost so far, between their end and the sink or in the sink. Those of
    /// traces that were read and forgotten are not lost.
    pub(crate) async fn lost_spans(&self) -> u64 {
        let lost = self.spans_not_there().await;
        lost.saturating_sub(self.room.forgotten_spans())
    }

    async fn spans_not_there(&self) -> u64 {
        match &self.kind {
            Kind::PrivateLab(lab) => {
                // Spans that a killed process did not export are not counted; they are missing from their
                // traces.
                let lost = |flushed: Flushed| flushed.counts.as_ref().map_or(0, lost);
                let in_services: u64 = lab.flush().await.into_iter().map(lost).sum();
                in_services + refused(lab.store())
            }
            Kind::RunningLab(lab) => lab.lost_spans().await,
            Kind::OwnServices(receiver) => refused(&receiver.store),
        }
    }

    /// Stops everything that was started for the environment.
    pub(crate) async fn close(self) {
        match self.kind {
            Kind::PrivateLab(lab) => drop(lab.stop().await),
            Kind::RunningLab(_) => {}
            Kind::OwnServices(receiver) => {
                receiver.stop.cancel();
                let _ = receiver.serving.await;
            }
        }
        if let Some(listening) = self.listening {
            // The task ends with the lab; a panic in it has been printed already.
            let _ = listening.await;
        }
    }

    fn store(&self) -> Option<&Store> {
        match &self.kind {
            Kind::PrivateLab(lab) => Some(lab.store()),
            Kind::OwnServices(receiver) => Some(&receiver.store),
            Kind::RunningLab(_) => None,
        }
    }

    async fn flush(&self) {
        let asked = Instant::now();
        let mut last = self.flushed.lock().await;
        if last.is_some_and(|began| began >= asked) {
            return;
        }
        *last = Some(Instant::now());
        match &self.kind {
            Kind::PrivateLab(lab) => drop(lab.flush().await),
            Kind::RunningLab(lab) => lab.flush().await,
            Kind::OwnServices(_) => {}
        }
    }
}

// === impl Receiver ===

impl Receiver {
    async fn start(
        grpc: SocketAddr,
        http: SocketAddr,
        config: sink::Config,
    ) -> Result<Receiver, EnvironmentError> {
        let listen = async |address| {
            let cannot_listen = |source| EnvironmentError::Listen { address, source };
            let listener = TcpListener::bind(address).await.map_err(cannot_listen)?;
            let bound = listener.local_addr().map_err(cannot_listen)?;
            Ok::<_, EnvironmentError>((listener, bound))
        };
        let (grpc, on_grpc) = listen(grpc).await?;
        let (http, on_http) = listen(http).await?;
        let addresses = Addresses {
            grpc: on_grpc,
            http: on_http,
        };
        let store = Store::new(config);
        let stop = CancellationToken::new();
        let serving = tokio::spawn(sink::run(grpc, http, store.clone(), stop.clone()));
        Ok(Receiver {
            store,
            addresses,
            serving,
            _stop_if_dropped: stop.clone().drop_guard(),
            stop,
        })
    }
}

/// The number of spans that the sink received and did not keep.
fn refused(store: &Store) -> u64 {
    let spans = store.stats().spans;
    spans.evicted + spans.refused
}
