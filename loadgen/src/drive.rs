//! [`drive`]: carries out a plan, and checks its ledger against goose's count.

use std::{
    io::Write,
    path::PathBuf,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{
    Brake, Error, Latency, Line, LoadProgress, Plan, Step,
    attack::Attack,
    journey::{self, ShopClient},
    ledger::Ledger,
    process,
};

/// The time for the replies to the last requests of a load that was stopped.
const LAST_REPLIES: Duration = Duration::from_secs(3);

/// The destinations of the ledger's lines, apart from the observer.
pub struct Recording {
    /// Whether the lines are kept in memory, for [`LoadReport::lines`]. An endless load should not keep them.
    pub keep: bool,
    /// The journal: receives the lines as JSON, one for each request.
    pub journal: Option<Box<dyn Write + Send>>,
    /// The file for goose's own report of requests and errors, as HTML (`.html`).
    pub report: Option<PathBuf>,
}

/// The result of a load.
#[derive(Clone, Debug)]
pub struct LoadReport {
    /// The lines of the ledger, in the order in which the requests ended; empty if they were not kept.
    pub lines: Vec<Line>,
    /// The counts of the lines, whether the lines were kept or not.
    pub progress: LoadProgress,
    /// The number of planned journeys; `None` if only the time was limited.
    pub journeys: Option<u64>,
    /// The time that customers waited for the reply to their checkout, from the planned instant; `None` if no
    /// checkout was answered.
    pub checkout: Option<Latency>,
    /// The time that the service took for the same requests, from the instant at which they were sent. In an
    /// overloaded shop it hides the time that customers wait for their turn.
    pub service: Option<Latency>,
    /// The time that customers waited for each kind of request, from the planned instant.
    pub steps: Vec<(Step, Latency)>,
    /// The time from the first request to the last reply.
    pub elapsed: Duration,
    /// Whether the load was stopped before all journeys were made.
    pub stopped: bool,
}

/// Carries out a plan: reads the catalogue, lets goose make the journeys, and returns when the last
/// one is over.
///
/// `observer` is called with every line, one after another; it must be quick, since users wait for it. When
/// `stop` is cancelled no journey starts any more, and running journeys are finished; after 3 s their replies are not
/// waited for. The same happens if the
/// returned future is dropped; then the running journeys are not awaited.
///
/// The load runs on the current runtime, prints nothing, and leaves Ctrl-C to the caller (see
/// [`reserve_ctrl_c`](crate::reserve_ctrl_c)). A process can drive several loads, one after another or side
/// by side.
///
/// # Errors
///
/// When no load could be driven, or the ledger is not consistent. A failed request is a line of the ledger,
/// not an error, except the first request, which reads the catalogue.
pub async fn drive(
    plan: Plan,
    recording: Recording,
    observer: impl Fn(&LoadProgress, &Line) + Send + Sync + 'static,
    stop: CancellationToken,
) -> Result<LoadReport, Error> {
    drive_with_brake(plan, recording, observer, Brake::default(), stop).await
}

/// Carries out a plan as [`drive`] does. While `brake` is on, no journey starts.
///
/// # Errors
///
/// As of [`drive`].
pub async fn drive_with_brake(
    plan: Plan,
    recording: Recording,
    observer: impl Fn(&LoadProgress, &Line) + Send + Sync + 'static,
    brake: Brake,
    stop: CancellationToken,
) -> Result<LoadReport, Error> {
    process::keep_from_goose()?;
    let begun = Instant::now();
    let ledger = Ledger::new(recording.keep, recording.journal, Box::new(observer));
    let client = journey::client(plan.patience);
    let shop = ShopClient::connect(&plan, client, ledger).await?;
    let before_goose = shop.ledger.sent();

    // A child token, since the caller's token must not be cancelled here.
    let stop = stop.child_token();
    let _stop_if_dropped = stop.clone().drop_guard();
    let attack = Arc::new(Attack::new(
        shop,
        plan.load.clone(),
        recording.report,
        brake,
        stop.clone(),
    ));
    let (counted, stopped_at) = execute(&attack, &plan, &stop).await;
    let counted = counted?;

    if let (Some(stopped_at), Some(dispatcher)) = (stopped_at, attack.dispatcher()) {
        for ticket in dispatcher.overdue_at(stopped_at) {
            let why = "the load was stopped";
            attack.shop.never_start(ticket, why);
        }
    }
    let closed = attack.shop.ledger.close();
    if let Some(error) = closed.journal_error {
        return Err(Error::Journal(error));
    }
    let sent = closed.progress.sent() - before_goose;
    // Goose may have counted a request whose reply was given up, or not.
    let given_up = attack.shop.given_up.load(Ordering::Relaxed);
    if counted > sent || counted + given_up < sent {
        return Err(Error::Disagreement {
            goose: counted,
            ledger: sent,
        });
    }
    Ok(LoadReport {
        lines: closed.lines,
        progress: closed.progress,
        journeys: plan.load.journeys(),
        checkout: closed.checkout,
        service: closed.service,
        steps: closed.steps,
        elapsed: begun.elapsed(),
        stopped: stopped_at.is_some(),
    })
}

/// Runs goose to its end. Returns goose's count, and the instant of the stop if the load was stopped.
async fn execute(
    attack: &Arc<Attack>,
    plan: &Plan,
    stop: &CancellationToken,
) -> (Result<u64, Error>, Option<Instant>) {
    if plan.load.journeys() == Some(0) {
        return (Ok(0), None);
    }
    let mut running = std::pin::pin!(Arc::clone(attack).execute(&plan.target));
    tokio::select! {
        // A stopped load may have ended by the time that this select runs.
        biased;
        () = stop.cancelled() => {}
        counted = &mut running => return (counted, None),
    }
    let stopped_at = Instant::now();
    let counted = tokio::select! {
        counted = &mut running => counted,
        () = tokio::time::sleep(LAST_REPLIES) => {
            attack.shop.give_up.cancel();
            running.await
        }
    };
    (counted, Some(stopped_at))
}
