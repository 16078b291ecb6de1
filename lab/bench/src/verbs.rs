//! What `tracelab bench` can find out, a file each. All of them come to a [`Document`].

mod ab;
mod capacity;
mod chaos;
mod rate;
mod sampling;
mod soak;
mod spike;

pub use ab::{AbPlan, ab};
pub use capacity::{CapacityPlan, capacity};
pub use chaos::{ChaosPlan, chaos};
pub use rate::{RatePlan, rate};
pub use sampling::{SamplingPlan, sampling};
pub use soak::{SoakPlan, soak};
pub use spike::{SpikePlan, spike};

use std::time::Duration;

use firehose::{Pace, Packing, Protocol, Stage};
use thiserror::Error;
use tokio_util::sync::CancellationToken;

use crate::{
    arm::{Arm, ArmError, Live, Loaded, Plan, Settings},
    cores::Cores,
    document::{Document, Environment, Run, SCHEMA, Workload},
    require::Requirement,
    sut::SutSpec,
};

/// A benchmark: what all of its kinds have in common.
pub struct Bench<'a> {
    /// How arms are made.
    pub settings: Settings,
    /// The SUT.
    pub sut: SutSpec,
    /// The command line, for the document.
    pub command: String,
    /// Where it runs, as it was read before this process was pinned.
    pub environment: Environment,
    /// When it began: RFC 3339, UTC.
    pub began: String,
    /// What is wanted of the result.
    pub requirements: Vec<Requirement>,
    /// Is told how far a load has come, with its label.
    pub live: &'a (dyn Fn(&str, &Live) + Sync),
    /// Is told what is done besides loads.
    pub say: &'a (dyn Fn(&str) + Sync),
    /// Ends it before its time.
    pub stop: CancellationToken,
}

/// Why a benchmark has no result.
#[derive(Debug, Error)]
pub enum BenchError {
    /// An arm.
    #[error(transparent)]
    Arm(#[from] ArmError),
    /// The machine cannot make this rate.
    #[error(
        "{asked:.0} spans/s are more than this machine can send and receive: {able:.0} spans/s without a SUT, of which at \
         most {} % say something about one; {:.0} spans/s would do",
        (MOST_OF_CALIBRATED * 100.0).round(),
        able * MOST_OF_CALIBRATED
    )]
    Rate {
        /// Spans a second.
        asked: f64,
        /// See `asked`.
        able: f64,
    },
}

// === impl BenchError ===

impl BenchError {
    /// Whether the input is wrong, and neither the SUT nor the machine.
    pub fn is_of_input(&self) -> bool {
        match self {
            BenchError::Rate { .. } | BenchError::Arm(ArmError::Workload(_)) => true,
            BenchError::Arm(ArmError::Sut(error)) => error.is_of_input(),
            BenchError::Arm(_) => false,
        }
    }
}

/// The share of what this machine can send and receive at which it is not yet what holds back.
const MOST_OF_CALIBRATED: f64 = 0.8;

/// How long the machine is tried without a SUT.
const CALIBRATION: Duration = Duration::from_secs(1);

/// The time between two samples.
pub(crate) const INTERVAL: Duration = Duration::from_millis(250);

// === impl Bench ===

impl Bench<'_> {
    /// The document with all but the results.
    fn document(&self, kind: &str, rate: Option<f64>, time: Duration) -> Document {
        let workload = &self.settings.workload;
        let shapes: Vec<String> = workload
            .shapes
            .iter()
            .map(|shape| match shape.weight {
                1 => shape.name.clone(),
                weight => format!("{}:{weight}", shape.name),
            })
            .collect();
        Document {
            schema: SCHEMA,
            kind: format!("bench-{kind}"),
            valid: true,
            invalid_because: Vec::new(),
            complete: true,
            command: self.command.clone(),
            began: self.began.clone(),
            environment: self.environment.clone(),
            workload: Workload {
                shapes: shapes.join(","),
                spans_per_request: workload.spans_per_request.clone(),
                protocol: match self.settings.protocol {
                    Protocol::Grpc => "grpc",
                    Protocol::Http1 => "http",
                    Protocol::Http2 => "h2",
                }
                .to_owned(),
                compression: self.settings.packing.to_string(),
                connections: self.settings.connections,
                in_flight: self.settings.in_flight,
                rate,
                duration_ms: time.as_secs_f64() * 1e3,
                seed: workload.seed,
                bytes_per_span: 0.0,
                errors: workload.errors,
                slow: workload.slow,
                pieces: workload.pieces,
                lateness: workload.lateness,
                duplicates: workload.duplicates,
                retries: self.settings.retries,
            },
            requirements: Vec::new(),
            runs: Vec::new(),
            capacity: None,
            ab: None,
            soak: None,
            spike: None,
            chaos: None,
            sampling: None,
        }
    }

    /// Tries what the machine sends and receives without a SUT, unless none is given.
    async fn calibrate(&self, document: &mut Document) -> Result<(), BenchError> {
        if matches!(self.sut, SutSpec::Sink) {
            return Ok(());
        }
        (self.say)("trying this machine without a SUT");
        let settings = Settings {
            // Both on the core on which both will be.
            cores: self.settings.cores.map(|cores| Cores {
                sut: cores.own,
                ..cores
            }),
            packing: Packing::None,
            ..self.settings.clone()
        };
        let mut arm = Arm::start(&settings, &SutSpec::Sink).await?;
        let mut best: f64 = 0.0;
        for part in [4, 1] {
            let plan = Plan {
                label: "calibration".to_owned(),
                pace: Pace::Max(CALIBRATION / part),
                policy: None,
                disturbance: None,
                interval: INTERVAL,
            };
            let loaded = arm.load(&plan, &|_| {}, &self.stop).await?;
            best = best.max(loaded.run.spans_per_second);
        }
        arm.stop().await;
        // Of a part of the time nothing can be told.
        document.environment.calibrated_spans_per_second =
            (!self.stop.is_cancelled()).then_some(best);
        Ok(())
    }

    /// Whether the machine can make a rate.
    fn check_rate(&self, rate: f64, environment: &Environment) -> Result<(), BenchError> {
        match environment.calibrated_spans_per_second {
            Some(able) if rate > able * MOST_OF_CALIBRATED => {
                Err(BenchError::Rate { asked: rate, able })
            }
            _ => Ok(()),
        }
    }

    /// Loads an arm, and reports how far it has come.
    async fn load(&self, arm: &mut Arm, plan: &Plan) -> Result<Loaded, BenchError> {
        let live = |live: &Live| (self.live)(&plan.label, live);
        Ok(arm.load(plan, &live, &self.stop).await?)
    }

    /// Starts the SUT, and fills its connections, queues and caches.
    async fn warm(&self, spec: &SutSpec, pace: Option<Pace>) -> Result<Arm, BenchError> {
        let mut arm = Arm::start(&self.settings, spec).await?;
        if let Some(pace) = pace {
            (self.say)(&format!("warming up {spec}"));
            let plan = Plan {
                label: "warm-up".to_owned(),
                pace,
                policy: None,
                disturbance: None,
                interval: INTERVAL,
            };
            self.load(&mut arm, &plan).await?;
        }
        Ok(arm)
    }

    /// Completes a document: what was wanted, and whether it is valid.
    fn finish(&self, document: &mut Document, judged: &[usize]) {
        document.complete = !self.stop.is_cancelled();
        let mut reasons = Vec::new();
        for run in &document.runs {
            for reason in &run.invalid_because {
                let reason = match document.runs.len() {
                    1 => reason.clone(),
                    _ => format!("{}: {reason}", run.label),
                };
                reasons.push(reason);
            }
        }
        document.invalid_because.extend(reasons);
        document.valid = document.invalid_because.is_empty();
        for requirement in &self.requirements {
            for &number in judged {
                let Some(run) = document.runs.get(number) else {
                    continue;
                };
                document.requirements.push(requirement.check(run));
            }
        }
    }

    /// Adds why the generator may be what holds back: a run came near to what the machine does without a SUT.
    fn check_bottleneck(&self, run: &mut Run, environment: &Environment) {
        let Some(able) = environment.calibrated_spans_per_second else {
            return;
        };
        if run.rate.is_none() && run.spans_per_second > able * MOST_OF_CALIBRATED {
            run.invalid_because.push(format!(
                "{:.0} spans/s are near to what generator and receiving end do without a SUT ({able:.0} spans/s): they may \
                 be what held back",
                run.spans_per_second
            ));
            run.valid = false;
        }
    }

    /// Adds why SUT and generator may have disturbed each other.
    fn check_cores(&self, document: &mut Document) {
        if self.settings.cores.is_none() && document.environment.cores < 4 {
            document.invalid_because.push(format!(
                "the SUT and the generator share {} processors, and are not kept apart (--cpus)",
                document.environment.cores
            ));
        }
        if cfg!(not(target_os = "linux")) {
            document
                .invalid_because
                .push("CPU and memory cannot be measured on this system".to_owned());
        }
    }
}

/// A rate for some time.
pub(crate) fn at(rate: f64, time: Duration) -> Pace {
    Pace::Stages(vec![Stage { rate, time }])
}
