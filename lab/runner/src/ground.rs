//! Where a scenario is run: a lab of its own, a lab that runs already, or beside somebody's own
//! services with nothing but a sink.

use std::{io, net::SocketAddr, time::Duration};

use loadgen::Line;
use reqwest::Url;
use scenario::Target;
use sink::Store;
use supervisor::{Flushed, Lab};
use thiserror::Error;
use tokio::{
    net::TcpListener,
    sync::Mutex,
    task::JoinHandle,
    time::{Instant, timeout},
};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{
    conditions::Conditions,
    remote::{Remote, RemoteError, lost},
    shop::checkout_url,
    traces::{Found, Known, Traces},
};

/// How long at most between two looks if nothing arrives.
const LOOK: Duration = Duration::from_millis(100);

/// Where a scenario is run, and what was received there.
#[derive(Debug)]
pub(crate) struct Ground {
    place: Place,
    traces: Mutex<Traces>,
    /// When the last flush began; a flush that began after one was asked for does for it too.
    flushed: Mutex<Option<Instant>>,
    /// What there is of what a scenario of the shop may need.
    conditions: Conditions,
}

#[derive(Debug)]
enum Place {
    Lab(Box<Lab>),
    Running(Remote),
    Sink(Receiver),
}

/// A sink for somebody's own services.
#[derive(Debug)]
struct Receiver {
    store: Store,
    serving: JoinHandle<io::Result<()>>,
    stop: CancellationToken,
    _stop_if_dropped: DropGuard,
}

/// Why there is no place to run a scenario.
#[derive(Debug, Error)]
pub enum GroundError {
    /// The lab could not be started.
    #[error(transparent)]
    Lab(#[from] supervisor::Error),
    /// An address to receive telemetry on cannot be had.
    #[error(
        "cannot receive telemetry on {address}: {source}; name another address, or stop what listens \
         there"
    )]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the attempt came to.
        source: io::Error,
    },
    /// The lab that was named does not answer.
    #[error(transparent)]
    Remote(#[from] RemoteError),
}

// === impl Ground ===

impl Ground {
    pub(crate) fn lab(lab: Lab, conditions: Conditions) -> Ground {
        Ground::at(Place::Lab(Box::new(lab)), conditions)
    }

    pub(crate) fn running(remote: Remote) -> Ground {
        let conditions = remote.conditions();
        Ground::at(Place::Running(remote), conditions)
    }

    /// A sink that receives on these listeners.
    pub(crate) fn sink(grpc: TcpListener, http: TcpListener) -> Ground {
        let store = Store::new(sink::Config::default());
        let stop = CancellationToken::new();
        let serving = tokio::spawn(sink::run(grpc, http, store.clone(), stop.clone()));
        let receiver = Receiver {
            store,
            serving,
            _stop_if_dropped: stop.clone().drop_guard(),
            stop,
        };
        Ground::at(Place::Sink(receiver), Conditions::Unknown)
    }

    fn at(place: Place, conditions: Conditions) -> Ground {
        Ground {
            place,
            traces: Mutex::default(),
            flushed: Mutex::default(),
            conditions,
        }
    }

    /// What there is of what a scenario with this target may need.
    pub(crate) fn conditions(&self, target: &Target) -> Conditions {
        match target {
            Target::Shop => self.conditions,
            // Even beside a shop: nobody says that it is of this shop.
            Target::Url(_) => Conditions::Unknown,
        }
    }

    /// Where the shop takes orders; `None` if there is no shop.
    pub(crate) fn shop(&self) -> Option<Url> {
        match &self.place {
            Place::Lab(lab) => Some(checkout_url(lab)),
            Place::Running(remote) => Some(remote.checkout().clone()),
            Place::Sink(_) => None,
        }
    }

    /// Whether all that is received is of the requests that are made here: then a span of nobody is
    /// an error. A lab that runs already has other customers too.
    pub(crate) fn is_private(&self) -> bool {
        matches!(self.place, Place::Lab(_))
    }

    /// Reads what has arrived, once all services have pushed out what they have.
    pub(crate) async fn look<'l>(&self, lines: impl IntoIterator<Item = &'l Line>) {
        self.flush().await;
        match &self.place {
            Place::Lab(lab) => self.traces.lock().await.refresh(lab.store()),
            Place::Sink(receiver) => self.traces.lock().await.refresh(&receiver.store),
            Place::Running(remote) => {
                let read = remote.traces_of(lines.into_iter().collect()).await;
                let mut traces = self.traces.lock().await;
                read.into_iter().for_each(|trace| traces.take(trace));
            }
        }
    }

    /// Waits until something arrives, but not long.
    pub(crate) async fn wait(&self) {
        match self.store() {
            Some(store) => {
                let mut arrivals = store.changes();
                let _ = timeout(LOOK, arrivals.changed()).await;
            }
            None => tokio::time::sleep(LOOK).await,
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
    pub(crate) async fn of_nobody(&self, lines: &[Line]) -> Vec<std::sync::Arc<trace::Trace>> {
        self.look(std::iter::empty()).await;
        let traces = self.traces.lock().await;
        let known = traces.known(lines);
        traces.of_nobody(&known)
    }

    /// How many spans were lost so far, between their end and the sink or in it.
    pub(crate) async fn lost_spans(&self) -> u64 {
        match &self.place {
            Place::Lab(lab) => {
                // What a process that is gone had not exported is seen: a trace is short.
                let lost = |flushed: Flushed| flushed.counts.as_ref().map_or(0, lost);
                let in_services: u64 = lab.flush().await.into_iter().map(lost).sum();
                in_services + refused(lab.store())
            }
            Place::Running(remote) => remote.lost_spans().await,
            Place::Sink(receiver) => refused(&receiver.store),
        }
    }

    /// Ends what was started for it.
    pub(crate) async fn stop(self) {
        match self.place {
            Place::Lab(lab) => drop(lab.stop().await),
            Place::Running(_) => {}
            Place::Sink(receiver) => {
                receiver.stop.cancel();
                let _ = receiver.serving.await;
            }
        }
    }

    fn store(&self) -> Option<&Store> {
        match &self.place {
            Place::Lab(lab) => Some(lab.store()),
            Place::Sink(receiver) => Some(&receiver.store),
            Place::Running(_) => None,
        }
    }

    async fn flush(&self) {
        let asked = Instant::now();
        let mut last = self.flushed.lock().await;
        if last.is_some_and(|began| began >= asked) {
            return;
        }
        *last = Some(Instant::now());
        match &self.place {
            Place::Lab(lab) => drop(lab.flush().await),
            Place::Running(remote) => remote.flush().await,
            Place::Sink(_) => {}
        }
    }
}

fn refused(store: &Store) -> u64 {
    let spans = store.stats().spans;
    spans.evicted + spans.refused
}
