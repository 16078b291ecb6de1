//! [`Keeper`]: keeps one child running. It starts the child again after its death, until the lab stops it.

use std::{
    net::SocketAddr,
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use process::Backoff;
use tokio::{sync::watch, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::{
    Component, Error, Event,
    child::{Child, End},
    event::Teller,
    recipe::Recipe,
};

/// A child that is kept running.
#[derive(Debug)]
pub(crate) struct Keeper {
    pub(crate) component: Component,
    /// The address at which it listens. It stays the same after a restart.
    pub(crate) address: SocketAddr,
    pid: watch::Receiver<Option<u32>>,
    stop: CancellationToken,
    deadline: Arc<OnceLock<Instant>>,
    task: JoinHandle<End>,
}

/// The settings of a keeper, apart from its child.
#[derive(Clone, Debug)]
pub(crate) struct Supervision {
    /// The sender of its events.
    pub(crate) teller: Teller,
    /// Cancelled when the child is to stop.
    pub(crate) stop: CancellationToken,
    /// The longest time that the child may take to stop if no deadline is given.
    pub(crate) stop_patience: Duration,
}

struct Kept {
    recipe: Recipe,
    address: SocketAddr,
    pid: watch::Sender<Option<u32>>,
    /// The instant at which the child is killed, once it is told to stop.
    deadline: Arc<OnceLock<Instant>>,
    supervision: Supervision,
}

// === impl Keeper ===

impl Keeper {
    /// Starts a child, waits until it listens, and keeps it running from then on.
    pub(crate) async fn start(
        recipe: Recipe,
        listen: SocketAddr,
        supervision: Supervision,
    ) -> Result<Keeper, Error> {
        let child = Child::start(&recipe, listen, &supervision.teller).await?;
        let (pid, current_pid) = watch::channel(Some(child.pid));
        let (component, address) = (recipe.component, child.address);
        let stop = supervision.stop.clone();
        let deadline = Arc::new(OnceLock::new());
        let kept = Kept {
            recipe,
            address,
            pid,
            deadline: Arc::clone(&deadline),
            supervision,
        };
        Ok(Keeper {
            component,
            address,
            pid: current_pid,
            stop,
            deadline,
            task: tokio::spawn(kept.keep(child)),
        })
    }

    /// The process id; `None` while the child is down.
    pub(crate) fn pid(&self) -> Option<u32> {
        *self.pid.borrow()
    }

    /// Stops the child; kills it at the deadline.
    pub(crate) async fn stop(self, deadline: Instant) -> End {
        self.deadline.get_or_init(|| deadline);
        self.stop.cancel();
        self.task.await.unwrap_or(End::Killed)
    }
}

// === impl Kept ===

impl Kept {
    async fn keep(self, mut child: Child) -> End {
        let mut backoff = Backoff::default();
        loop {
            let status = tokio::select! {
                status = child.wait() => status,
                () = self.supervision.stop.cancelled() => return child.stop(self.patience()).await,
            };
            self.pid.send_replace(None);
            let lived = child.lived();
            // A process that the child started could hold what the next child needs. The pipe is closed too.
            child.kill_group();
            drop(child);
            self.supervision.teller.tell(Event::Died {
                component: self.recipe.component,
                status: status.map_or_else(|error| error.to_string(), |status| status.to_string()),
                lived,
            });
            child = match self.start_again(&mut backoff, lived).await {
                Some(child) => child,
                None => return End::Clean,
            };
            self.pid.send_replace(Some(child.pid));
        }
    }

    /// The time that the child has to stop.
    fn patience(&self) -> Duration {
        let deadline = self.deadline.get();
        deadline.map_or(self.supervision.stop_patience, |deadline| {
            deadline.saturating_duration_since(Instant::now())
        })
    }

    /// Tries until the child runs again; `None` if the lab stopped it instead.
    async fn start_again(&self, backoff: &mut Backoff, mut lived: Duration) -> Option<Child> {
        let component = self.recipe.component;
        loop {
            let after = backoff.after(lived);
            self.supervision
                .teller
                .tell(Event::Restarting { component, after });
            let started = async {
                tokio::time::sleep(after).await;
                Child::start(&self.recipe, self.address, &self.supervision.teller).await
            };
            let started = tokio::select! {
                started = started => started,
                () = self.supervision.stop.cancelled() => return None,
            };
            match started {
                Ok(child) => return Some(child),
                Err(error) => {
                    let why = error.to_string();
                    self.supervision
                        .teller
                        .tell(Event::NotRestarted { component, why });
                    lived = Duration::ZERO;
                }
            }
        }
    }
}
