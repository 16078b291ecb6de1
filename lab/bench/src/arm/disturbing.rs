//! [`Disturbing`]: what is done to the SUT or the receiving end in the middle of a load.

use std::time::{Duration, Instant};

use super::{Arm, ArmError, watch::Watch};
use crate::sut::Sut;

/// What is done to the SUT or the receiving end in the middle of a load.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Disturbance {
    /// What.
    pub what: Harm,
    /// When, after the first request.
    pub at: Duration,
    /// How long it lasts.
    pub pause: Duration,
}

/// What happens to a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Harm {
    /// The SUT is killed, and started again.
    KillSut,
    /// The SUT is stopped, and goes on.
    PauseSut,
    /// The receiving end is killed, and started again.
    KillSink,
    /// The receiving end is stopped, and goes on.
    PauseSink,
}

/// The time of a disturbance.
pub(super) struct Disturbing {
    plan: Option<Disturbance>,
    load_began: Instant,
    began: Option<Instant>,
    ended: Option<Instant>,
}

// === impl Disturbing ===

impl Disturbing {
    pub(super) fn of(plan: Option<Disturbance>, load_began: Instant) -> Disturbing {
        Disturbing {
            plan,
            load_began,
            began: None,
            ended: None,
        }
    }

    /// Whether the SUT is not to be killed, so that its end is one of its own.
    pub(super) fn lets_sut_live(&self) -> bool {
        self.plan.is_none_or(|plan| plan.what != Harm::KillSut)
    }

    /// Begins or ends what is due.
    pub(super) async fn turn(&mut self, arm: &mut Arm, watch: &mut Watch) -> Result<(), ArmError> {
        let Some(plan) = self.plan else { return Ok(()) };
        if self.began.is_none() && self.load_began.elapsed() >= plan.at {
            self.began = Some(Instant::now());
            match (plan.what, &mut arm.sut) {
                (Harm::KillSut, Some(Sut::Started(sut))) => sut.kill().await,
                (Harm::PauseSut, Some(Sut::Started(sut))) => sut.pause(),
                (Harm::KillSut | Harm::PauseSut, _) => {}
                (Harm::KillSink, _) => arm.receiving_mut().kill().await,
                (Harm::PauseSink, _) => arm.receiving().pause(),
            }
        }
        match self.began {
            Some(began) if self.ended.is_none() && began.elapsed() >= plan.pause => {
                self.end(plan.what, arm, watch).await
            }
            _ => Ok(()),
        }
    }

    async fn end(&mut self, what: Harm, arm: &mut Arm, watch: &mut Watch) -> Result<(), ArmError> {
        match (what, &mut arm.sut) {
            (Harm::KillSut, Some(Sut::Started(sut))) => {
                sut.restart().await?;
                watch.follow_sut(sut.pid());
            }
            (Harm::PauseSut, Some(Sut::Started(sut))) => sut.resume(),
            (Harm::KillSut | Harm::PauseSut, _) => {}
            (Harm::KillSink, _) => {
                arm.receiving_mut().restart().await?;
                watch.follow_sink(arm.receiving().pid());
            }
            (Harm::PauseSink, _) => arm.receiving().resume(),
        }
        self.ended = Some(Instant::now());
        watch.mark();
        Ok(())
    }

    /// Ends what was begun.
    pub(super) async fn finish(
        &mut self,
        arm: &mut Arm,
        watch: &mut Watch,
    ) -> Result<(), ArmError> {
        if let Some(plan) = self.plan
            && self.began.is_some()
            && self.ended.is_none()
        {
            self.end(plan.what, arm, watch).await?;
        }
        Ok(())
    }

    pub(super) fn times(
        &self,
        load_began: Instant,
        first_after: Option<Duration>,
    ) -> Option<(Duration, Duration, Option<Duration>)> {
        let (began, ended) = (self.began?, self.ended?);
        let ended = ended - load_began;
        let first_after = first_after.map(|at| at.saturating_sub(ended));
        Some((began - load_began, ended, first_after))
    }
}
