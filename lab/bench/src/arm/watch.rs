//! [`Watch`]: samples a load while it goes on.

use std::{
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use firehose::{Latencies, Progress, Received};

use super::Arm;
use crate::{document::Sample, usage::Meter};

/// Samples of a load.
pub(super) struct Watch {
    progress: Arc<Progress>,
    before: Received,
    pub(super) sut: Option<Meter>,
    pub(super) own: Option<Meter>,
    pub(super) sink: Option<Meter>,
    pub(super) series: Vec<Sample>,
    last: Last,
    memory_at: Instant,
    /// The arrivals when a disturbance ended, and the first look after it that saw more.
    marked: Option<u64>,
    first_after: Option<Instant>,
    arrived: u64,
    last_arrival: Option<Instant>,
}

/// What was counted at the last look.
struct Last {
    at: Option<Instant>,
    sent: u64,
    arrived: u64,
    refused: u64,
    latencies: Option<Latencies>,
}

/// The shortest interval of a sample.
const SHORTEST: Duration = Duration::from_millis(200);

/// Memory is slow to read of a large process.
const MEMORY_INTERVAL: Duration = Duration::from_millis(500);

// === impl Watch ===

impl Watch {
    pub(super) fn start(arm: &Arm, progress: Arc<Progress>, before: Received) -> Watch {
        let receiving = Meter::of_tree(arm.receiving().pid());
        let (sut, sink) = match &arm.sut {
            Some(sut) => (sut.pid().and_then(Meter::of_tree), receiving),
            None => (receiving, None),
        };
        Watch {
            progress,
            before,
            sut,
            sink,
            own: Meter::of_this_process(),
            series: Vec::new(),
            last: Last {
                at: None,
                sent: 0,
                arrived: 0,
                refused: 0,
                latencies: None,
            },
            memory_at: Instant::now(),
            marked: None,
            first_after: None,
            arrived: 0,
            last_arrival: None,
        }
    }

    /// Takes a sample.
    pub(super) fn look(&mut self, arm: &Arm, began: Instant) -> io::Result<Sample> {
        let reader = arm.receiving().reader();
        let arrived = reader.received()?.spans - self.before.spans;
        let now = Instant::now();
        if arrived > self.arrived {
            self.arrived = arrived;
            self.last_arrival = Some(now);
        }
        if let Some(marked) = self.marked
            && arrived > marked
        {
            self.first_after.get_or_insert(now);
        }
        // Of a shorter interval CPU time cannot be told.
        if let (Some(at), Some(sample)) = (self.last.at, self.series.last())
            && now - at < SHORTEST
        {
            return Ok(*sample);
        }
        let latencies = reader.latencies()?;
        let (sent, refused) = (self.progress.spans_sent(), self.progress.spans_refused());
        let with_memory = now - self.memory_at >= MEMORY_INTERVAL;
        if with_memory {
            self.memory_at = now;
        }
        let read = |meter: &mut Option<Meter>| {
            let meter = meter.as_mut()?;
            if with_memory {
                meter.read()
            } else {
                meter.read_cpu()
            }
        };
        let (sut, own, sink) = (
            read(&mut self.sut),
            read(&mut self.own),
            read(&mut self.sink),
        );
        let seconds = (now - self.last.at.unwrap_or(began))
            .as_secs_f64()
            .max(1e-6);
        let rate = |now: u64, before: u64| (now.saturating_sub(before)) as f64 / seconds;
        let p99 = self.last.latencies.as_ref().and_then(|before| {
            let of_interval = latencies.since(before);
            Some(of_interval.quantile(0.99)?.as_secs_f64() * 1e3)
                .filter(|_| of_interval.count() > 0)
        });
        let share =
            |reading: &Option<crate::usage::Reading>| reading.map_or(0.0, |of| of.cpu_share);
        let sample = Sample {
            at_ms: (now - began).as_secs_f64() * 1e3,
            sent: rate(sent, self.last.sent),
            arrived: rate(arrived, self.last.arrived),
            refused: rate(refused, self.last.refused),
            sut_cpu: share(&sut),
            generator_cpu: share(&own),
            sink_cpu: share(&sink),
            sut_bytes: sut.map_or(0, |of| of.memory_bytes),
            sut_threads: sut.map_or(0, |of| of.threads),
            in_flight: self.progress.requests_in_flight(),
            p99_ms: p99,
        };
        self.last = Last {
            at: Some(now),
            sent,
            arrived,
            refused,
            latencies: Some(latencies),
        };
        self.series.push(sample);
        Ok(sample)
    }

    /// The spans that have arrived at the last look.
    pub(super) fn arrived(&self) -> u64 {
        self.arrived
    }

    /// When the last arrival was seen, after the first request.
    pub(super) fn last_arrival(&self, began: Instant) -> Option<Duration> {
        Some(self.last_arrival? - began)
    }

    /// The disturbance is over: the next arrival is noted.
    pub(super) fn mark(&mut self) {
        self.marked = Some(self.arrived);
    }

    /// When the first arrival after that was seen.
    pub(super) fn first_arrival_after(&self, began: Instant) -> Option<Duration> {
        Some(self.first_after? - began)
    }

    pub(super) fn follow_sut(&mut self, pid: u32) {
        if let Some(meter) = &mut self.sut {
            let _ = meter.follow(pid);
        }
    }

    pub(super) fn follow_sink(&mut self, pid: u32) {
        let meter = match &mut self.sink {
            Some(sink) => Some(sink),
            None => self.sut.as_mut(),
        };
        if let Some(meter) = meter {
            let _ = meter.follow(pid);
        }
    }

    pub(super) fn load_ended(&mut self) {
        let all = [&mut self.sut, &mut self.own, &mut self.sink];
        for meter in all.into_iter().flatten() {
            meter.load_ended();
        }
    }
}
