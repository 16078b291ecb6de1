//! [`Pace`]: when requests are to be sent.

use std::time::Duration;

/// When requests are sent.
#[derive(Clone, Debug, PartialEq)]
pub enum Pace {
    /// As soon as the requests in flight allow it, for this time.
    Max(Duration),
    /// At rates, one after the other, whatever the answers are: an open loop.
    Stages(Vec<Stage>),
}

/// A rate for some time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stage {
    /// Spans a second.
    pub rate: f64,
    /// For how long.
    pub time: Duration,
}

/// How requests are spread over the time of a stage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Spread {
    /// Evenly.
    #[default]
    Even,
    /// By chance, independent of each other (Poisson), as many clients would.
    Poisson,
}

/// The intended time of requests of growing numbers.
#[derive(Debug)]
pub(crate) struct Schedule<'a> {
    stages: &'a [Stage],
    /// The stage that is reached, when it began, and how many spans were before it.
    stage: usize,
    began: f64,
    before: f64,
}

// === impl Pace ===

impl Pace {
    /// How many spans are planned; `None` for as many as possible.
    pub fn spans(&self) -> Option<u64> {
        match self {
            Pace::Max(_) => None,
            Pace::Stages(stages) => {
                let spans = stages
                    .iter()
                    .map(|stage| stage.rate * stage.time.as_secs_f64());
                Some(spans.sum::<f64>().round() as u64)
            }
        }
    }

    /// How long it lasts.
    pub fn time(&self) -> Duration {
        match self {
            Pace::Max(time) => *time,
            Pace::Stages(stages) => stages.iter().map(|stage| stage.time).sum(),
        }
    }
}

// === impl Schedule ===

impl<'a> Schedule<'a> {
    pub(crate) fn of(stages: &'a [Stage]) -> Schedule<'a> {
        Schedule {
            stages,
            stage: 0,
            began: 0.0,
            before: 0.0,
        }
    }

    /// When the span of this number is to be sent, after the start. Numbers must not fall.
    pub(crate) fn at(&mut self, span: f64) -> Duration {
        while let Some(stage) = self.stages.get(self.stage) {
            let spans = stage.rate * stage.time.as_secs_f64();
            let is_last = self.stage + 1 == self.stages.len();
            if span < self.before + spans || is_last {
                let seconds = self.began + (span - self.before) / stage.rate;
                return Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
            }
            self.before += spans;
            self.began += stage.time.as_secs_f64();
            self.stage += 1;
        }
        Duration::ZERO
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_stage_has_its_rate() {
        let second = Duration::from_secs(1);
        let stages = [
            Stage {
                rate: 10.0,
                time: second,
            },
            Stage {
                rate: 100.0,
                time: second,
            },
        ];
        let pace = Pace::Stages(stages.to_vec());
        assert_eq!((pace.spans(), pace.time()), (Some(110), 2 * second));
        let mut schedule = Schedule::of(&stages);
        let at: Vec<u128> = [0.0, 5.0, 10.0, 60.0, 109.0]
            .map(|span| schedule.at(span).as_millis())
            .into();
        assert_eq!(at, [0, 500, 1000, 1500, 1990]);
    }
}
