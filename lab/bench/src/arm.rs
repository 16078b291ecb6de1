//! [`Arm`]: a SUT with its receiving end, which are loaded one or more times.
//!
//! The spans of all loads are one stream. A load takes the next slice of it, so what comes late from the load before is
//! never counted for the next one.

mod disturbing;
mod judge;
mod watch;

use std::{
    io,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use firehose::{
    Accounts, Arrivals, Books, Content, Load, Pace, Packing, Policy, Progress, Protocol, Received,
    Run as RunNumber, Sent, Spread, Stream, Target, Workload, WorkloadError,
};
use tempfile::TempDir;
use thiserror::Error;
use tokio_util::sync::CancellationToken;

pub use self::disturbing::{Disturbance, Harm};
use self::{disturbing::Disturbing, watch::Watch};
use crate::{
    cores::Cores,
    document,
    receiving::{Receiving, ReceivingError, ReceivingSettings, write_workload},
    sut::{START_PATIENCE, Sut, SutError, SutSettings, SutSpec},
};

/// What all arms of a benchmark have in common.
#[derive(Clone, Debug)]
pub struct Settings {
    /// This program: its subcommand `drain` is the receiving end.
    pub program: PathBuf,
    /// The cores, if the SUT and the rest are kept apart.
    pub cores: Option<Cores>,
    /// What is sent. Its run and its number of spans are chosen for each arm.
    pub workload: Workload,
    /// The protocol that is sent to a SUT which is started here.
    pub protocol: Protocol,
    /// See [`Load`].
    pub packing: Packing,
    /// See [`Load`].
    pub spread: Spread,
    /// See [`Load`].
    pub connections: usize,
    /// See [`Load`].
    pub in_flight: usize,
    /// See [`Load`].
    pub retries: bool,
    /// Whether the SUT sends on what it receives.
    pub returns: bool,
    /// What of the content of spans must be as it was sent.
    pub content: Content,
    /// How long nothing must have come before a load is over, as long as spans are missing.
    pub settle: Duration,
    /// The longest time of that.
    pub drain: Duration,
}

/// A SUT with its receiving end.
pub struct Arm {
    settings: Settings,
    spec: SutSpec,
    /// `None` if the receiving end is the SUT.
    sut: Option<Sut>,
    receiving: Option<Receiving>,
    stream: Arc<Stream>,
    target: Target,
    /// The number of the next request.
    next: u64,
    _folder: TempDir,
}

/// One load on an arm.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What tells it from others.
    pub label: String,
    /// When requests are sent.
    pub pace: Pace,
    /// What a sampler may leave out.
    pub policy: Option<Policy>,
    /// What is done in the middle of it.
    pub disturbance: Option<Disturbance>,
    /// The time between two samples.
    pub interval: Duration,
}

/// What a load came to.
#[derive(Debug)]
pub struct Loaded {
    /// Its part of the document.
    pub run: document::Run,
    /// The fates, with what arrived of each kind of trace.
    pub accounts: Accounts,
    /// When the disturbance began and ended, after the first request, and when the first span arrived after it.
    pub disturbed: Option<(Duration, Duration, Option<Duration>)>,
    /// Whether it was stopped before its time.
    pub is_stopped: bool,
}

/// How far a load has come.
#[derive(Clone, Copy, Debug)]
pub struct Live {
    /// After the first request.
    pub at: Duration,
    /// The planned time.
    pub of: Duration,
    /// The last interval.
    pub sample: document::Sample,
    /// Whether all was sent, and what is still to come is waited for.
    pub is_draining: bool,
}

/// Why a load cannot be made.
#[derive(Debug, Error)]
pub enum ArmError {
    /// The workload makes no sense.
    #[error(transparent)]
    Workload(#[from] WorkloadError),
    /// The SUT does not start.
    #[error(transparent)]
    Sut(#[from] SutError),
    /// The receiving end does not start.
    #[error(transparent)]
    Receiving(#[from] ReceivingError),
    /// The generator cannot connect.
    #[error("the generator")]
    Connect(#[from] firehose::ConnectError),
    /// The ledger cannot be read, or a folder cannot be made.
    #[error("the benchmark's own files")]
    Files(#[from] io::Error),
}

/// The spans of all loads on an arm together. The ledger is as long in bytes; what is not written takes no place.
const CAPACITY: u64 = 1 << 33;

/// The longest time for an answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest time for all tries of a request, and for the last answers.
const DEADLINE: Duration = Duration::from_secs(30);

// === impl Arm ===

impl Arm {
    /// Starts a SUT and its receiving end.
    ///
    /// # Errors
    ///
    /// When one of them does not start, or the workload makes no sense.
    pub async fn start(settings: &Settings, spec: &SutSpec) -> Result<Arm, ArmError> {
        let workload = Workload {
            run: RunNumber::any().number(),
            spans: CAPACITY,
            ..settings.workload.clone()
        };
        let stream = Arc::new(Stream::new(&workload)?);
        let folder = tempfile::Builder::new()
            .prefix("tracelab-bench-")
            .tempdir()?;
        let is_sink = matches!(spec, SutSpec::Sink);
        let own_core = settings.cores.map(|cores| cores.own);
        let sut_core = settings.cores.map(|cores| cores.sut);
        let receiving = ReceivingSettings {
            program: settings.program.clone(),
            core: if is_sink { sut_core } else { own_core },
            content: settings.content,
            workload: write_workload(&folder, "workload.json", &workload)?,
            ledger: folder.path().join("ledger"),
        };
        let receiving = Receiving::start(receiving).await?;
        let sut = SutSettings {
            out: receiving.address(),
            protocol: settings.protocol,
            core: sut_core,
            patience: START_PATIENCE,
        };
        let sut = spec.start(sut).await?;
        let scheme = match settings.protocol {
            Protocol::Grpc => "grpc",
            Protocol::Http1 => "http",
            Protocol::Http2 => "h2",
        };
        let target = match &sut {
            Some(sut) => sut.target(),
            None => format!("{scheme}://{}", receiving.address())
                .parse()
                .expect("a scheme and an address are a target"),
        };
        Ok(Arm {
            settings: settings.clone(),
            spec: spec.clone(),
            sut,
            receiving: Some(receiving),
            stream,
            target,
            next: 0,
            _folder: folder,
        })
    }

    /// The average length of a span in a request.
    pub fn bytes_per_span(&self) -> f64 {
        self.stream.bytes_per_span()
    }

    /// Loads it once. `live` is told how far it has come; `stop` ends the load before its time, and what was sent is
    /// still waited for.
    ///
    /// # Errors
    ///
    /// When the generator cannot connect, or a process that was killed does not start again.
    pub async fn load(
        &mut self,
        plan: &Plan,
        live: &(dyn Fn(&Live) + Sync),
        stop: &CancellationToken,
    ) -> Result<Loaded, ArmError> {
        let before = self.receiving().reader().received()?;
        let latencies_before = self.receiving().reader().latencies()?;
        let progress = Arc::new(Progress::default());
        let mut watch = Watch::start(self, Arc::clone(&progress), before);
        let load = self.settings.load(plan, self.next);
        let over = stop.child_token();
        let (target, stream) = (self.target.clone(), Arc::clone(&self.stream));
        // Its thread stays on the core of this one.
        let sent = firehose::blast_apart(&target, stream, &load, progress, over.clone());
        let mut sent = std::pin::pin!(sent);
        let began = Instant::now();
        let mut disturbing = Disturbing::of(plan.disturbance, began);
        let mut died = None;
        let sent: Sent = loop {
            tokio::select! {
                sent = &mut sent => break sent?,
                () = tokio::time::sleep(plan.interval) => {
                    let sample = watch.look(self, began)?;
                    live(&Live { at: began.elapsed(), of: plan.pace.time(), sample, is_draining: false });
                    disturbing.turn(self, &mut watch).await?;
                }
                death = wait_for_death(&mut self.sut), if died.is_none() && disturbing.lets_sut_live() => {
                    // Nothing more will be delivered.
                    died = Some(death);
                    over.cancel();
                }
            }
        };
        self.next = self.stream.end(&sent.slice);
        disturbing.finish(self, &mut watch).await?;
        watch.load_ended();
        let all_answered = Instant::now();
        if self.settings.returns || self.sut.is_none() {
            let is_dead = died.is_some();
            self.drain(&mut watch, &sent, began, plan, live, is_dead)
                .await?;
        }
        let drained = all_answered.elapsed();
        let last = watch.look(self, began)?;
        live(&Live {
            at: began.elapsed(),
            of: plan.pace.time(),
            sample: last,
            is_draining: true,
        });
        let reader = self.receiving().reader();
        let latencies = reader.latencies()?.since(&latencies_before);
        let received = reader.received()?;
        let accounts = self.close(&sent, plan.policy, &reader.arrivals()?);
        let outcome = judge::Outcome {
            plan,
            settings: &self.settings,
            sut: self.sut.as_ref(),
            name: self.spec.to_string(),
            returns: self.settings.returns || self.sut.is_none(),
            sent: &sent,
            accounts: &accounts,
            latencies: &latencies,
            received: since(received, before),
            change: reader.change()?,
            drained,
            last_arrival: watch.last_arrival(began),
            died,
        };
        let disturbed = disturbing.times(began, watch.first_arrival_after(began));
        Ok(Loaded {
            run: outcome.run(&mut watch),
            accounts,
            disturbed,
            is_stopped: sent.is_stopped,
        })
    }

    /// Waits until all has come, or nothing has come for some time.
    async fn drain(
        &self,
        watch: &mut Watch,
        sent: &Sent,
        began: Instant,
        plan: &Plan,
        live: &(dyn Fn(&Live) + Sync),
        is_dead: bool,
    ) -> Result<(), ArmError> {
        let start = Instant::now();
        let (mut last, mut since) = (watch.arrived(), Instant::now());
        // A sampler leaves out spans: then only time tells that nothing more comes.
        let expected = match plan.policy {
            Some(_) => u64::MAX,
            None => sent.spans,
        };
        let settle = if is_dead {
            plan.interval
        } else {
            self.settings.settle
        };
        loop {
            let sample = watch.look(self, began)?;
            live(&Live {
                at: began.elapsed(),
                of: plan.pace.time(),
                sample,
                is_draining: true,
            });
            let arrived = watch.arrived();
            if arrived != last {
                (last, since) = (arrived, Instant::now());
            }
            let is_quiet = since.elapsed() >= settle;
            if arrived >= expected || is_quiet || start.elapsed() >= self.settings.drain {
                return Ok(());
            }
            tokio::time::sleep(plan.interval.min(Duration::from_millis(50))).await;
        }
    }

    fn close(&self, sent: &Sent, policy: Option<Policy>, arrivals: &Arrivals) -> Accounts {
        let returns = self.settings.returns || self.sut.is_none();
        Accounts::close(&Books {
            stream: &self.stream,
            slice: sent.slice.clone(),
            is_open_ended: sent.is_open_ended,
            outcomes: vec![&sent.outcomes],
            arrivals: returns.then(|| vec![arrivals]),
            policy,
        })
    }

    fn receiving(&self) -> &Receiving {
        self.receiving
            .as_ref()
            .expect("it is there until the arm ends")
    }

    fn receiving_mut(&mut self) -> &mut Receiving {
        self.receiving
            .as_mut()
            .expect("it is there until the arm ends")
    }

    /// Ends the SUT, and then the receiving end.
    pub async fn stop(mut self) {
        if let Some(sut) = self.sut.take() {
            sut.stop().await;
        }
        if let Some(receiving) = self.receiving.take() {
            receiving.stop().await;
        }
    }
}

// === impl Settings ===

impl Settings {
    fn load(&self, plan: &Plan, first: u64) -> Load {
        Load {
            first,
            pace: plan.pace.clone(),
            spread: self.spread,
            connections: self.connections,
            in_flight: self.in_flight,
            packing: self.packing,
            retries: self.retries,
            patience: PATIENCE,
            deadline: DEADLINE,
            overrun: (plan.pace.time() / 10).max(Duration::from_secs(1)),
            share: (0, 1),
        }
    }
}

async fn wait_for_death(sut: &mut Option<Sut>) -> crate::sut::Death {
    match sut {
        Some(sut) => sut.died().await,
        None => std::future::pending().await,
    }
}

/// What was received since.
fn since(now: Received, before: Received) -> Received {
    Received {
        spans: now.spans - before.spans,
        requests: now.requests - before.requests,
        bytes: now.bytes - before.bytes,
        foreign: now.foreign - before.foreign,
        malformed: now.malformed - before.malformed,
        compared: now.compared - before.compared,
        corrupted: now.corrupted - before.corrupted,
        first_ns: now.first_ns,
        last_ns: now.last_ns,
    }
}
