//! [`Attack`]: runs goose under control. Users are started, make journeys as long as there are tickets, and
//! leave. Nothing here knows what a journey is made of.
//!
//! Goose 0.19 does three things that a larger program cannot accept from a load generator:
//!
//! - it prints on standard output when the last user was started, unless its metrics are reset at
//!   that point (`--no-reset-metrics` and `--iterations` both make it print);
//! - if its metrics are reset, the requests before that are not in its count;
//! - it looks only twice a second whether the users are done.
//!
//! So the reset stays on, and the users wait at a [`Gate`] until it is over. Each user first reports to goose
//! that it is leaving, as goose's users do when they are done, and then makes its journeys. Once all users
//! have reported, goose never resets again, waits for the users to finish, and ends when the last one does.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use goose::{
    GooseAttack,
    client::GooseClientBuilder,
    config::GooseConfiguration,
    goose::{GooseUser, Scenario, Transaction, TransactionResult},
    metrics::GooseMetrics,
};
use reqwest::{Client, Url};
use schedule::Load;
use tokio::{sync::OnceCell, time::Instant};
use tokio_util::sync::CancellationToken;

use crate::{Brake, Error, dispatcher::Dispatcher, journey::ShopClient};

/// The shortest time in which goose starts its users; it takes a millisecond for each user.
///
/// After the last user goose waits one more turn before it reads which users are leaving. If the turn is too
/// short for a user to report this, half a second is lost.
const SHORTEST_RAMP: Duration = Duration::from_millis(20);

/// The time between two checks whether goose has read the reports of all users.
const GATE_INTERVAL: Duration = Duration::from_millis(1);

/// The state that all users of an attack share.
pub(crate) struct Attack {
    pub(crate) shop: ShopClient,
    load: Load,
    /// Created when the gate opens, since the load begins then.
    dispatcher: OnceCell<Dispatcher>,
    gate: Gate,
    report: Option<PathBuf>,
    brake: Brake,
    stop: CancellationToken,
}

/// Holds the users until goose has started all of them and will not reset its metrics any more.
struct Gate {
    users: usize,
    announced: AtomicUsize,
    open: CancellationToken,
}

// === impl Attack ===

impl Attack {
    /// `report` is the file for goose's own report, as HTML.
    pub(crate) fn new(
        shop: ShopClient,
        load: Load,
        report: Option<PathBuf>,
        brake: Brake,
        stop: CancellationToken,
    ) -> Attack {
        let users = load.users().get();
        Attack {
            shop,
            load,
            report,
            dispatcher: OnceCell::new(),
            gate: Gate {
                users,
                announced: AtomicUsize::new(0),
                open: CancellationToken::new(),
            },
            brake,
            stop,
        }
    }

    /// Runs goose on the current runtime. Returns the number of requests that it counted.
    pub(crate) async fn execute(self: Arc<Attack>, target: &Url) -> Result<u64, Error> {
        let goose_error = |error: goose::GooseError| Error::Goose(error.to_string());
        let users = self.gate.users;
        let configuration =
            configuration(target, users, self.report.as_deref()).map_err(goose_error)?;
        // Each user gets our client before its first request. Goose must build a client in any case: one for
        // all users, which needs no CA certificates.
        let never_used = GooseClientBuilder::new()
            .without_cookies()
            .accept_invalid_certs(true);
        let attack = GooseAttack::initialize_with_config(configuration)
            .map_err(goose_error)?
            .set_client_builder_without_cookies(never_used)
            .map_err(goose_error)?
            .register_scenario(
                Scenario::new("shop").register_transaction(Arc::clone(&self).transaction()),
            );
        let metrics = Box::pin(attack.execute()).await.map_err(goose_error)?;
        Ok(requests(&metrics))
    }

    /// The dispatcher, once the load has begun.
    pub(crate) fn dispatcher(&self) -> Option<&Dispatcher> {
        self.dispatcher.get()
    }

    fn transaction(self: Arc<Attack>) -> Transaction {
        Transaction::new(Arc::new(move |user: &mut GooseUser| {
            let attack = Arc::clone(&self);
            Box::pin(async move { attack.make_journeys(user).await })
        }))
    }

    /// Makes all journeys of one user. Goose would repeat this function; one run is enough.
    async fn make_journeys(&self, user: &mut GooseUser) -> TransactionResult {
        // A user has its own copy of the configuration, and leaves after this number of iterations.
        user.config.iterations = Some(1);
        user.client = Client::clone(&self.shop.client);
        if !self.gate.pass(user, &self.stop).await {
            return Ok(());
        }
        let dispatcher = self
            .dispatcher
            .get_or_init(async || {
                let seed = self.shop.seed();
                let (brake, stop) = (self.brake.clone(), self.stop.clone());
                Dispatcher::new(&self.load, seed, Instant::now(), brake, stop)
            })
            .await;
        let arrival = self
            .load
            .arrival(user.weighted_users_index, self.gate.users);
        tokio::select! {
            () = tokio::time::sleep(arrival) => {}
            () = self.stop.cancelled() => return Ok(()),
        }
        while let Some(ticket) = dispatcher.draw().await {
            if !self.shop.make_journey(user, ticket).await {
                self.stop.cancel();
            }
        }
        Ok(())
    }
}

fn configuration(
    target: &Url,
    users: usize,
    report: Option<&Path>,
) -> Result<GooseConfiguration, goose::GooseError> {
    let rate = (users as f64 / SHORTEST_RAMP.as_secs_f64()).min(1000.0);
    let users = users.to_string();
    let rate = rate.to_string();
    let report = report.map(|path| path.display().to_string());
    let mut arguments = vec![
        "--host",
        target.as_str(),
        "--users",
        &users,
        "--increase-rate",
        &rate,
        "--quiet",
        "--no-print-metrics",
        "--no-transaction-metrics",
        "--no-scenario-metrics",
        "--no-error-summary",
        // It would listen on a port.
        "--no-telnet",
    ];
    if let Some(report) = &report {
        arguments.extend(["--report-file", report]);
    }
    GooseConfiguration::parse_args_default(&arguments)
}

fn requests(metrics: &GooseMetrics) -> u64 {
    let counts = metrics
        .requests
        .values()
        .map(|request| request.success_count + request.fail_count);
    counts.sum::<usize>() as u64
}

// === impl Gate ===

impl Gate {
    /// Waits until the gate is open. `false` if the load was stopped before.
    async fn pass(&self, user: &mut GooseUser, stop: &CancellationToken) -> bool {
        // The channel is removed, so that goose does not announce the user again when it leaves.
        if let Some(leaving) = user.shutdown_channel.take() {
            // Goose counts its users from 1 here. An error means that goose has ended and the gate will not
            // open; then the load is stopped as well.
            let _ = leaving.send(user.weighted_users_index + 1);
            if self.announced.fetch_add(1, Ordering::AcqRel) + 1 == self.users {
                // All users are announced. Once goose has read that, it only waits for them; any reset of its
                // metrics was before.
                while !leaving.is_empty() && !stop.is_cancelled() {
                    tokio::time::sleep(GATE_INTERVAL).await;
                }
                self.open.cancel();
            }
        }
        tokio::select! {
            biased;
            () = stop.cancelled() => false,
            () = self.open.cancelled() => true,
        }
    }
}
