//! Whether the figures of a load say something about the SUT, and the figures.

use std::time::Duration;

use firehose::{Accounts, Latencies, Outcome as RequestOutcome, Pace, Protocol, Received, Sent};

use super::{Plan, Settings, watch::Watch};
use crate::{
    document::{self, Run},
    sut::{Death, Sut},
};

/// All that is known of a load.
pub(super) struct Outcome<'a> {
    pub(super) plan: &'a Plan,
    pub(super) settings: &'a Settings,
    pub(super) sut: Option<&'a Sut>,
    pub(super) name: String,
    pub(super) returns: bool,
    pub(super) sent: &'a Sent,
    pub(super) accounts: &'a Accounts,
    pub(super) latencies: &'a Latencies,
    pub(super) received: Received,
    /// What was changed in the first span that came with other content.
    pub(super) change: Option<String>,
    pub(super) drained: Duration,
    /// When the last span came, after the first request.
    pub(super) last_arrival: Option<Duration>,
    pub(super) died: Option<Death>,
}

/// A schedule that is later than this says more about the generator than about the SUT.
const MOST_LAG: Duration = Duration::from_millis(20);
/// The share of their core that generator and receiving end may take.
const MOST_OWN_CPU: f64 = 0.95;

// === impl Outcome ===

impl Outcome<'_> {
    pub(super) fn run(&self, watch: &mut Watch) -> Run {
        let rate = match &self.plan.pace {
            Pace::Max(_) => None,
            Pace::Stages(stages) => stages.first().map(|stage| stage.rate),
        };
        let accounts = document::Accounts {
            planned: self.accounts.planned,
            never_sent: self.accounts.never_sent,
            refused: self.accounts.refused,
            delivered_once: self.accounts.delivered_once,
            duplicated: self.accounts.duplicated,
            corrupted: self.accounts.corrupted,
            lost: self.accounts.lost,
            in_flight: self.accounts.in_flight,
            sampled_out: self.accounts.sampled_out,
            accepted: self.accounts.accepted,
            foreign: self.received.foreign,
        };
        let delivered = accounts.arrived() + accounts.accepted + accounts.sampled_out;
        let load = self.sent.elapsed;
        // At a rate what comes late is latency; as fast as possible what was sent on later took its time too.
        let over = match (rate, self.last_arrival) {
            (None, Some(last)) => last.max(load),
            _ => load,
        };
        let used = |meter: &mut Option<crate::usage::Meter>, spans| {
            Some(meter.as_mut()?.used(load, spans))
        };
        let sut_used = used(&mut watch.sut, delivered);
        let generator = used(&mut watch.own, self.sent.spans).unwrap_or_default();
        let sink = used(&mut watch.sink, delivered);
        let mut run = Run {
            label: self.plan.label.clone(),
            sut: self.name.clone(),
            rate,
            valid: true,
            invalid_because: Vec::new(),
            spans_per_second: delivered as f64 / over.as_secs_f64().max(1e-6),
            load_ms: load.as_secs_f64() * 1e3,
            drain_ms: self.drained.as_secs_f64() * 1e3,
            accounts,
            latency_ms: quantiles(self.latencies),
            latency_from: match rate {
                Some(_) => "intended send time",
                None => "send time",
            }
            .to_owned(),
            answer_ms: quantiles(&self.sent.answered),
            sut_used,
            generator,
            sink,
            lag_ms: quantiles(&self.sent.lag),
            sent: document::Sent {
                requests: self.sent.requests,
                retries: self.sent.retries,
                refused_with_delay: self.sent.refused_with_delay,
                bytes: self.sent.bytes,
                plain_bytes: self.sent.plain_bytes,
                reconnected: self.sent.reconnected,
            },
            series: std::mem::take(&mut watch.series),
            notes: self.notes(),
            sut_said: Vec::new(),
        };
        run.invalid_because = self.reasons(&run);
        run.valid = run.invalid_because.is_empty();
        if !run.valid {
            run.sut_said = match &self.died {
                Some(death) => death.said.clone(),
                None => self.sut.map(Sut::said).unwrap_or_default(),
            };
        }
        run
    }

    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if let Some(problem) = &self.sent.problem {
            notes.push(format!(
                "the first answer that was none of \"accepted\": {problem}"
            ));
        }
        if let Some(change) = &self.change
            && self.accounts.corrupted > 0
        {
            notes.push(format!("the first other content: {change}"));
        }
        if self.sent.is_stopped && self.died.is_none() {
            notes.push("it was stopped before its time".to_owned());
        }
        notes
    }

    /// Why the figures say nothing about the SUT.
    fn reasons(&self, run: &Run) -> Vec<String> {
        let mut reasons = Vec::new();
        let accounts = &run.accounts;
        if let Some(death) = &self.died {
            // Its last lines are a part of the run.
            let status = death.status.map(|status| format!(" ({status})"));
            let status = status.unwrap_or_default();
            reasons.push(format!("the SUT ended during the load{status}"));
        }
        if !self.accounts.are_closed() {
            reasons.push(format!(
                "the accounts do not close: {} of {} planned spans have a fate, and {} arrived that were not sent",
                accounts.fates(),
                accounts.planned,
                self.accounts.unsent_arrivals
            ));
        }
        if accounts.foreign > 0 {
            reasons.push(format!(
                "{} spans arrived that were not sent by this run",
                accounts.foreign
            ));
        }
        if self.received.malformed > 0 {
            reasons.push(format!(
                "{} requests of the SUT are no OTLP",
                self.received.malformed
            ));
        }
        reasons.extend(self.nothing_came_of_it(accounts));
        let late = self.sent.lag.longer_than(MOST_LAG);
        // One of a few requests is no sign.
        if run.rate.is_some() && late > 1 && late * 100 > self.sent.lag.count() {
            reasons.push(format!(
                "the schedule was not kept: {late} of {} requests were more than {} ms late although nothing but the \
                 generator held them back",
                self.sent.lag.count(),
                MOST_LAG.as_millis()
            ));
        }
        let own = run.generator.cpu_share + run.sink.map_or(0.0, |sink| sink.cpu_share);
        if self.settings.cores.is_some() && self.sut.is_some() && own > MOST_OWN_CPU {
            reasons.push(format!(
                "the generator and the receiving end used {:.0} % of their core: they may be what held back",
                own * 100.0
            ));
        }
        if let Some(used) = run.sut_used
            && used.cpu_seconds == 0.0
            && self.sent.spans > 0
        {
            reasons.push("the CPU time of the SUT was read as 0".to_owned());
        }
        reasons
    }

    /// Why no span came through, if none did: each way to fail is told apart.
    fn nothing_came_of_it(&self, accounts: &document::Accounts) -> Option<String> {
        if self.sent.spans == 0 {
            return Some("no request was sent".to_owned());
        }
        if accounts.arrived() + accounts.accepted + accounts.sampled_out > 0 {
            return None;
        }
        let (mut is_answered, mut is_accepted) = (false, false);
        for outcome in self.sent.outcomes.all() {
            match outcome {
                RequestOutcome::NeverSent
                | RequestOutcome::InFlight
                | RequestOutcome::Unanswered => {}
                RequestOutcome::Refused | RequestOutcome::Rejected => is_answered = true,
                RequestOutcome::Accepted => (is_answered, is_accepted) = (true, true),
                // All spans of it may have been rejected.
                RequestOutcome::Partial { .. } => {
                    (is_answered, is_accepted) = (true, is_accepted || accounts.lost > 0);
                }
            }
        }
        match (is_answered, is_accepted) {
            (false, _) => Some(format!(
                "the SUT answered no request by {}{}",
                match self.settings.protocol {
                    Protocol::Grpc => "OTLP/gRPC",
                    Protocol::Http1 => "OTLP/HTTP",
                    Protocol::Http2 => "OTLP/HTTP by HTTP/2",
                },
                self.problem()
            )),
            (true, false) => Some(format!("the SUT took nothing{}", self.problem())),
            (true, true) if self.returns && self.plan.policy.is_none() => {
                Some("the SUT accepted spans and sent none on".to_owned())
            }
            (true, true) => None,
        }
    }

    fn problem(&self) -> String {
        match &self.sent.problem {
            Some(problem) => format!(": {problem}"),
            None => String::new(),
        }
    }
}

/// Quantiles in milliseconds; `None` where nothing was counted.
fn quantiles(of: &Latencies) -> Option<document::Latency> {
    let ms = |share| of.quantile(share).map(|time| time.as_secs_f64() * 1e3);
    Some(document::Latency {
        count: of.count(),
        min: ms(0.0)?,
        p50: ms(0.5)?,
        p90: ms(0.9)?,
        p99: ms(0.99)?,
        p999: ms(0.999)?,
        max: ms(1.0)?,
    })
    .filter(|latency| latency.count > 0)
}
