//! [`drive`]: a plan is carried out, and its ledger is checked against goose's count.

use std::{io::Write, path::PathBuf, sync::Arc, time::Duration};

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{
    Error, Latency, Line, LoadProgress, Plan, Step,
    attack::Attack,
    journey::{self, ShopClient},
    ledger::Ledger,
    process,
};

/// Where the lines of the ledger go, besides the observer.
pub struct Recording {
    /// Whether they are kept in memory, for [`LoadReport::lines`]. A load that goes on for ever had
    /// better not.
    pub keep: bool,
    /// Where they are written, as a line of JSON each.
    pub journal: Option<Box<dyn Write + Send>>,
    /// Where goose writes its own report of requests and errors, as HTML (`.html`).
    pub report: Option<PathBuf>,
}

/// What a load came to.
#[derive(Clone, Debug)]
pub struct LoadReport {
    /// The ledger, in the order in which requests ended, if it was kept.
    pub lines: Vec<Line>,
    /// The lines, counted, whether they were kept or not.
    pub progress: LoadProgress,
    /// How many journeys were planned; `None` if only time limited them.
    pub journeys: Option<u64>,
    /// How long customers waited for the reply to their checkout, from the planned instant; `None`
    /// if no checkout was answered.
    pub checkout: Option<Latency>,
    /// How long the service took for the same requests, from the instant at which they were sent. In
    /// an overloaded shop it hides the time that customers wait for their turn.
    pub service: Option<Latency>,
    /// How long customers waited for each kind of request, from the planned instant.
    pub steps: Vec<(Step, Latency)>,
    /// How long it took, from the first request to the last reply.
    pub elapsed: Duration,
    /// Whether it was stopped before all was done.
    pub stopped: bool,
}

/// Carries out a plan: reads the catalogue, lets goose make the journeys, and returns when the last
/// one is over.
///
/// `observer` is told of every line, one after another; it must be quick, since users wait for it.
/// When `stop` is cancelled no journey starts any more, and those under way are finished. The same
/// happens if the returned future is dropped; then they are not waited for.
///
/// It runs on the current runtime, prints nothing, and leaves Ctrl-C to the caller (see
/// [`reserve_ctrl_c`](crate::reserve_ctrl_c)). A process can drive several loads, one after another
/// or side by side.
///
/// # Errors
///
/// When nothing could be driven, and when the ledger is not what it should be. A request that fails
/// is a line of the ledger, not an error, except the first one, which reads the catalogue.
pub async fn drive(
    plan: Plan,
    recording: Recording,
    observer: impl Fn(&LoadProgress, &Line) + Send + Sync + 'static,
    stop: CancellationToken,
) -> Result<LoadReport, Error> {
    process::keep_from_goose()?;
    let begun = Instant::now();
    let ledger = Ledger::new(recording.keep, recording.journal, Box::new(observer));
    let client = journey::client(plan.patience);
    let shop = ShopClient::connect(&plan, client, ledger).await?;
    let before_goose = shop.ledger.sent();

    // A child, since the caller's own token is not for us to cancel.
    let stop = stop.child_token();
    let _stop_if_dropped = stop.clone().drop_guard();
    let attack = Arc::new(Attack::new(
        shop,
        plan.load.clone(),
        recording.report,
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
    if counted != sent {
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

/// Lets goose run to its end. What it counted, and when it was stopped, if it was.
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
        // What was stopped may have ended by the time that this is looked at.
        biased;
        () = stop.cancelled() => {}
        counted = &mut running => return (counted, None),
    }
    let stopped_at = Instant::now();
    (running.await, Some(stopped_at))
}
