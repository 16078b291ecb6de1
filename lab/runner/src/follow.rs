//! [`Follower`]: follows a load while it runs. The traces of a long load are judged as they settle and
//! forgotten, and the load waits where the sink has no room for more. A short load is judged when it is over.

use std::{path::PathBuf, time::Duration};

use collector::{CollectorEffect, Sampling};
use expect::Twin;
use loadgen::{Brake, Line};
use tokio::{sync::mpsc, time::Instant};
use tokio_util::sync::CancellationToken;
use trace::{Trace, TraceId};

use crate::{
    digest::Digest,
    environment::Environment,
    error::RunError,
    judge::{self, RequestRules},
    phase::Phase,
    plan::{Overrides, PhasePlan},
    progress::Progress,
    report::{Kept, append_ledger, write_trace},
    sampled_out::may_be_missing,
    settle::{LONG_REST, SettleRules, Waiting},
    traces::Found,
    twin::measure_twin,
};

/// The number of requests, judged or not, up to which a load is judged as a whole when it is over.
pub(crate) const SHORT: usize = 1_024;

/// The number of requests that are judged together: those that may wait for each other's locks run at the same
/// time, and so are mostly in one batch. As many again are settled first, so that a late span still comes in.
const BATCH: usize = 512;

/// The numbers of requests that are not judged yet from which on the load waits, and until it goes on.
const TOO_MANY: usize = 4_096;
const FEW_AGAIN: usize = 3_072;

/// The longest time for traces to settle once the run was stopped.
const LAST_TRACES: Duration = Duration::from_millis(1500);

/// The time between two reads while the load runs.
const ROUND: Duration = Duration::from_millis(500);

/// The conditions under which a phase is driven.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DriveSettings<'a> {
    pub(crate) overrides: Overrides,
    pub(crate) seed: u64,
    pub(crate) patience: Duration,
    pub(crate) collector_effect: CollectorEffect,
    pub(crate) stop: &'a CancellationToken,
}

/// What the traces of a long phase are judged by while it runs.
#[derive(Debug, Default)]
pub(crate) struct Beside<'a> {
    /// The times of the twin, if the scenario compares with them.
    pub(crate) twin: Option<Twin>,
    /// Traces of the phases that were driven before.
    pub(crate) traces: Vec<&'a Trace>,
    /// The folder for the ledger and the traces of the phase.
    pub(crate) folder: Option<(PathBuf, Kept)>,
}

/// Follows the load of one phase.
pub(crate) struct Follower<'a, P> {
    plan: PhasePlan<'a>,
    environment: &'a Environment,
    terms: DriveSettings<'a>,
    beside: Beside<'a>,
    progress: &'a P,
    brake: Brake,
    lines: mpsc::UnboundedReceiver<Line>,
    received: u64,
    /// The requests that came since the last round, with their places in the ledger.
    new: Vec<(u64, Line)>,
    waiting: Vec<Waiting>,
    settled: Vec<(u64, Line)>,
    /// The starts of all requests, if they decide what a Collector may drop.
    starts: Vec<u64>,
    digest: Digest,
    braked_since: Option<Instant>,
    waited: Duration,
}

/// What is left to judge when a load is over.
pub(crate) struct Followed {
    pub(crate) digest: Digest,
    /// The requests that were kept and those that were not judged yet, with their traces.
    pub(crate) requests: Vec<(Line, Found)>,
    pub(crate) sampling: Option<Sampling>,
    /// How long the load waited for room in the sink.
    pub(crate) waited: Duration,
}

// === impl Follower ===

impl<'a, P: Fn(Progress)> Follower<'a, P> {
    pub(crate) fn new(
        plan: PhasePlan<'a>,
        environment: &'a Environment,
        terms: DriveSettings<'a>,
        beside: Beside<'a>,
        progress: &'a P,
        (lines, brake): (mpsc::UnboundedReceiver<Line>, Brake),
    ) -> Follower<'a, P> {
        Follower {
            plan,
            environment,
            terms,
            beside,
            progress,
            brake,
            lines,
            received: 0,
            new: Vec::new(),
            waiting: Vec::new(),
            settled: Vec::new(),
            starts: Vec::new(),
            digest: Digest::default(),
            braked_since: None,
            waited: Duration::ZERO,
        }
    }

    /// Follows the load until it is over.
    pub(crate) async fn follow(&mut self, over: &CancellationToken) -> Result<(), RunError> {
        while !over.is_cancelled() {
            tokio::select! {
                () = over.cancelled() => {}
                () = tokio::time::sleep(ROUND) => self.round().await?,
            }
        }
        self.release();
        Ok(())
    }

    /// Waits until the rest of the traces are settled, and hands all out.
    pub(crate) async fn finish(mut self) -> Followed {
        self.receive().await;
        let effect = &self.terms.collector_effect;
        let wait = effect.decides_after + effect.delay;
        let sampling = self.sampling();
        let all_decided = Instant::now() + wait + LONG_REST;
        for (place, line) in std::mem::take(&mut self.new) {
            match line.step.counts() && line.started.is_some() {
                true => {
                    let may_be_missing = may_be_missing(self.plan, &line, sampling);
                    let missing_from = may_be_missing.then_some(all_decided);
                    self.waiting.push(Waiting::new(line, place, missing_from));
                }
                false => self.settled.push((place, line)),
            }
        }
        // Nothing depends on when the trace of another request is settled: it need only be there.
        let (waiting, others): (Vec<_>, Vec<_>) = std::mem::take(&mut self.waiting)
            .into_iter()
            .partition(|waiting| waiting.line.step.counts());
        self.waiting = waiting;
        let others = others.into_iter();
        self.settled
            .extend(others.map(|waiting| (waiting.place, waiting.line)));
        let of = self.waiting.len() + self.settled_that_count();
        let mut deadline = Instant::now() + wait + self.terms.patience;
        let mut stopped_at = None;
        loop {
            self.settle(true).await;
            if self.terms.stop.is_cancelled() {
                deadline = deadline.min(*stopped_at.get_or_insert_with(Instant::now) + LAST_TRACES);
            }
            self.tell(Progress::Settling {
                scenario: self.plan.scenario.name.clone(),
                phase: self.plan.phase,
                settled: of - self.waiting.len(),
                of,
            });
            if self.waiting.is_empty() || Instant::now() >= deadline {
                break;
            }
            self.environment.wait().await;
        }
        let waiting = std::mem::take(&mut self.waiting).into_iter();
        self.settled
            .extend(waiting.map(|waiting| (waiting.place, waiting.line)));
        self.settled.sort_unstable_by_key(|(place, _)| *place);
        let lines: Vec<Line> = self.settled.drain(..).map(|(_, line)| line).collect();
        // Settled traces may have received more spans since, and the loop did not wait for the carts.
        self.environment.read(&lines).await;
        let found = self.environment.find(&lines).await;
        let ids: Vec<TraceId> = found.iter().flat_map(ids_of).collect();
        self.environment.finish(ids).await;
        let mut requests = self.digest.hand_out();
        requests.extend(lines.into_iter().zip(found));
        Followed {
            digest: self.digest,
            requests,
            sampling,
            waited: self.waited,
        }
    }

    /// Reads what has arrived, and judges what is settled. A short load is left in peace.
    async fn round(&mut self) -> Result<(), RunError> {
        self.receive().await;
        if self.is_short() {
            return Ok(());
        }
        let effect = &self.terms.collector_effect;
        let decided = Instant::now() + effect.decides_after + effect.delay + LONG_REST;
        let sampling = self.sampling();
        for (place, line) in std::mem::take(&mut self.new) {
            if line.started.is_none() {
                self.settled.push((place, line));
                continue;
            }
            let missing_from = may_be_missing(self.plan, &line, sampling).then_some(decided);
            self.waiting.push(Waiting::new(line, place, missing_from));
        }
        self.settle(false).await;
        self.environment.forget_late().await;
        while self.settled.len() >= 2 * BATCH {
            self.judge(BATCH).await?;
        }
        let mut is_full = self.environment.is_nearly_full(self.patience()).await;
        if is_full && !self.settled.is_empty() {
            self.judge(self.settled.len()).await?;
            is_full = self.environment.is_nearly_full(self.patience()).await;
        }
        let open = self.waiting.len() + self.settled.len();
        let most = match self.braked_since {
            Some(_) => FEW_AGAIN,
            None => TOO_MANY,
        };
        match is_full || open > most {
            true => self.hold(open),
            false => self.release(),
        }
        Ok(())
    }

    async fn receive(&mut self) {
        while let Ok(line) = self.lines.try_recv() {
            self.environment.add(&line).await;
            if self.terms.collector_effect.room.is_some() {
                self.starts.extend(line.started.map(|started| started.0));
            }
            self.new.push((self.received, line));
            self.received += 1;
        }
    }

    fn is_short(&self) -> bool {
        self.received <= SHORT as u64
    }

    /// Reads the traces that are waited for, and notes those that are settled.
    async fn settle(&mut self, is_over: bool) {
        let lines = || self.waiting.iter().map(|waiting| &waiting.line);
        self.environment.read(lines()).await;
        let found = self.environment.find(lines()).await;
        let rules = SettleRules {
            expected: self.plan.own,
            delay: self.terms.collector_effect.delay,
            patience: self.patience(),
            is_over,
        };
        let mut found = found.iter();
        let settled = self.waiting.extract_if(.., |waiting| {
            let found = found.next();
            found.is_some_and(|found| waiting.is_settled(found, rules))
        });
        self.settled
            .extend(settled.map(|settled| (settled.place, settled.line)));
    }

    /// Judges the oldest settled requests, and forgets their traces.
    async fn judge(&mut self, count: usize) -> Result<(), RunError> {
        self.settled.sort_unstable_by_key(|(place, _)| *place);
        let batch = self.settled.drain(..count.min(self.settled.len()));
        let lines: Vec<Line> = batch.map(|(_, line)| line).collect();
        let found = self.environment.find(&lines).await;
        let requests: Vec<(Line, Found)> = lines.into_iter().zip(found).collect();
        if self.plan.phase == Phase::Twin && self.beside.twin.is_none() {
            self.beside.twin = {
                let requests = requests.iter().map(|(line, found)| (line, found));
                measure_twin(self.plan.scenario, requests)
            };
        }
        let sampling = self.sampling();
        let rules = RequestRules {
            twin: self.beside.twin.as_ref(),
            of_times: expect::Verdict::Pass,
            sampling,
            why_missing: None,
        };
        let of_kept = self.digest.kept().filter_map(|case| case.trace.as_deref());
        let beside: Vec<&Trace> = self.beside.traces.iter().copied().chain(of_kept).collect();
        let cases = judge::judge_batch(self.plan, &requests, &beside, rules);
        if let Some((folder, kept)) = &self.beside.folder {
            let is_first = !self.digest.written;
            append_ledger(folder, requests.iter().map(|(line, _)| line), is_first)?;
            self.digest.written = true;
            for case in cases.iter().filter(|case| case.is_judged()) {
                if *kept == Kept::All || case.verdict == expect::Verdict::Fail {
                    write_trace(folder, case)?;
                }
            }
        }
        self.digest.measure(self.plan, &requests, sampling);
        self.digest.take(cases);
        let open = self.waiting.iter().map(|waiting| &waiting.line);
        let open: Vec<&Line> = open
            .chain(self.settled.iter().map(|(_, line)| line))
            .collect();
        self.environment.forget_judged(&requests, &open).await;
        Ok(())
    }

    /// Makes the load wait.
    fn hold(&mut self, open: usize) {
        if self.brake.set(true) {
            self.braked_since = Some(Instant::now());
        }
        self.tell(Progress::Waiting {
            scenario: self.plan.scenario.name.clone(),
            phase: self.plan.phase,
            open,
        });
    }

    /// Lets the load go on.
    fn release(&mut self) {
        self.brake.set(false);
        if let Some(since) = self.braked_since.take() {
            self.waited += since.elapsed();
        }
    }

    fn tell(&self, progress: Progress) {
        (self.progress)(progress);
    }

    fn settled_that_count(&self) -> usize {
        let counts = |(_, line): &&(u64, Line)| line.step.counts() && line.started.is_some();
        self.settled.iter().filter(counts).count()
    }

    fn patience(&self) -> Duration {
        let effect = &self.terms.collector_effect;
        effect.decides_after + effect.delay + self.terms.patience
    }

    /// The sampling rules of the Collector for the traces so far.
    fn sampling(&mut self) -> Option<Sampling> {
        self.starts.sort_unstable();
        self.terms.collector_effect.sampling_of(&self.starts)
    }
}

/// The ids of the traces of a request.
pub(crate) fn ids_of(found: &Found) -> impl Iterator<Item = TraceId> {
    let own = found.trace.as_ref().map(|trace| trace.id());
    let related = found.related.iter().map(|trace| trace.id());
    own.into_iter().chain(related)
}

#[cfg(test)]
mod tests;
