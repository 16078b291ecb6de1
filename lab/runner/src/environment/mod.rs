//! Where scenarios are run: in a lab of their own, in a lab that runs already, or beside services of the
//! user's own with nothing but a sink.

mod running_lab;

pub use running_lab::RunningLabError;

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

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
    conditions::Conditions,
    settings::{LabChoice, Settings},
    traces::{Found, Known, Traces},
};

use running_lab::{RunningLab, lost};

/// The longest pause between two reads while nothing arrives.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// Where a scenario is run, and what was received there.
#[derive(Debug)]
pub(crate) struct Environment {
    kind: Kind,
    traces: Mutex<Traces>,
    /// When the last flush began; a flush that began after one was asked for does for it too.
    flushed: Mutex<Option<Instant>>,
    /// What it offers of what a scenario of the shop may need.
    conditions: Conditions,
    /// Passes the events of a lab on.
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
        /// Why not.
        source: io::Error,
    },
    /// The lab that was named cannot be used.
    #[error(transparent)]
    RunningLab(#[from] RunningLabError),
}

// === impl Environment ===

impl Environment {
    /// What the settings choose; `of_shop`: for scenarios of the shop, and not of the user's services.
    /// `events` gets what happens in a lab that is started.
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
                Environment::start((**config).clone(), conditions, events).await
            }
            LabChoice::Private(_) => {
                let (grpc, http) = settings.receiver;
                let receiver = Receiver::start(grpc, http).await?;
                Ok(Environment::new(
                    Kind::OwnServices(receiver),
                    Conditions::Unknown,
                ))
            }
        }
    }

    /// A lab that is started for it. `conditions` is what its scenarios may count on.
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

    fn new(kind: Kind, conditions: Conditions) -> Environment {
        Environment {
            kind,
            traces: Mutex::default(),
            flushed: Mutex::default(),
            conditions,
            listening: None,
        }
    }

    /// What it offers of what a scenario with this target may need.
    pub(crate) fn conditions(&self, target: &Target) -> Conditions {
        match target {
            Target::Shop => self.conditions,
            // Even beside a shop: the target need not be a service of it.
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

    /// Whether all that is received comes of the requests that are made here: then a span that belongs to
    /// none of them is an error. A lab that runs already has other customers too.
    pub(crate) fn is_private(&self) -> bool {
        matches!(self.kind, Kind::PrivateLab(_))
    }

    /// Reads what has arrived, after all services have exported their spans.
    pub(crate) async fn read<'l>(&self, lines: impl IntoIterator<Item = &'l Line>) {
        self.flush().await;
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
        match self.store() {
            Some(store) => {
                let mut arrivals = store.changes();
                let _ = timeout(POLL_INTERVAL, arrivals.changed()).await;
            }
            None => tokio::time::sleep(POLL_INTERVAL).await,
        }
    }

    /// What is known of the traces of these requests, where the others are known too.
    pub(crate) async fn find(&self, lines: &[&Line], known: &Known) -> Vec<Found> {
        let traces = self.traces.lock().await;
        lines.iter().map(|line| traces.find(line, known)).collect()
    }

    /// What these requests are known by.
    pub(crate) async fn known(&self, lines: &[Line]) -> Known {
        self.traces.lock().await.known(lines)
    }

    /// The traces that belong to none of these requests.
    pub(crate) async fn unexplained(&self, lines: &[Line]) -> Vec<Arc<Trace>> {
        self.read(std::iter::empty()).await;
        let traces = self.traces.lock().await;
        let known = traces.known(lines);
        traces.unexplained(&known)
    }

    /// How many spans were lost so far, between their end and the sink or in it.
    pub(crate) async fn lost_spans(&self) -> u64 {
        match &self.kind {
            Kind::PrivateLab(lab) => {
                // Spans that a killed process had not exported are not counted; their traces lack them.
                let lost = |flushed: Flushed| flushed.counts.as_ref().map_or(0, lost);
                let in_services: u64 = lab.flush().await.into_iter().map(lost).sum();
                in_services + refused(lab.store())
            }
            Kind::RunningLab(lab) => lab.lost_spans().await,
            Kind::OwnServices(receiver) => refused(&receiver.store),
        }
    }

    /// Ends what was started for it.
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
            // It ends with the lab; a panic in it has been shown already.
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
    async fn start(grpc: SocketAddr, http: SocketAddr) -> Result<Receiver, EnvironmentError> {
        let listen = async |address| {
            TcpListener::bind(address)
                .await
                .map_err(|source| EnvironmentError::Listen { address, source })
        };
        let (grpc, http) = (listen(grpc).await?, listen(http).await?);
        let store = Store::new(sink::Config::default());
        let stop = CancellationToken::new();
        let serving = tokio::spawn(sink::run(grpc, http, store.clone(), stop.clone()));
        Ok(Receiver {
            store,
            serving,
            _stop_if_dropped: stop.clone().drop_guard(),
            stop,
        })
    }
}

/// The spans that the sink received and does not have.
fn refused(store: &Store) -> u64 {
    let spans = store.stats().spans;
    spans.evicted + spans.refused
}
