//! [`Producer`]: makes the requests of a run, each at its time.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use tokio::{sync::mpsc, task::JoinSet, time::timeout};
use tokio_util::sync::CancellationToken;

use super::{Going, Shared, lanes::Handle};
use crate::{
    Framing, Pace, Packing, Slice, Spread, Stream, alarm::Alarm, mix::MIX_64, pace::Schedule,
};

/// Makes the requests, in their order.
pub(super) struct Producer {
    shared: Arc<Shared>,
    stream: Arc<Stream>,
    framing: Framing,
    idle: mpsc::UnboundedReceiver<Handle>,
    /// When the last groups were to be sent, in nanoseconds since the Unix epoch; the first is that of `first_base`.
    bases: VecDeque<u64>,
    first_base: u64,
    packed: Vec<u8>,
}

// === impl Producer ===

impl Producer {
    pub(super) fn new(
        shared: Arc<Shared>,
        stream: Arc<Stream>,
        framing: Framing,
        idle: mpsc::UnboundedReceiver<Handle>,
    ) -> Producer {
        Producer {
            first_base: shared.load.first,
            shared,
            stream,
            framing,
            idle,
            bases: VecDeque::new(),
            packed: Vec::new(),
        }
    }

    /// Sends everything; returns when the last answer came.
    pub(super) async fn run(mut self, began: Instant, stop: CancellationToken) -> Instant {
        let load = self.shared.load.clone();
        let epoch = SystemTime::now().duration_since(UNIX_EPOCH);
        let epoch_ns = epoch.unwrap_or_default().as_nanos() as u64;
        let stages: &[_] = match &load.pace {
            Pace::Max(_) => &[],
            Pace::Stages(stages) => stages,
        };
        let mut schedule = Schedule::of(stages);
        let mut alarm = Alarm::new();
        let mut tasks = JoinSet::new();
        // For a rate the end is known; otherwise it is where the time ends.
        let is_open_ended = load.pace.spans().is_none();
        let planned = load.pace.spans().unwrap_or(u64::MAX);
        let mut slice = self.stream.slice(load.first, planned);
        let (share, generators) = load.share;
        let mut free_since = began;
        let mut number = load.first;
        let mut gap = 0.0;
        while number < self.stream.end(&slice) {
            let at = self.stream.cut(number).min(slice.slots.end);
            let mut intended = Instant::now();
            let passed = intended.duration_since(began);
            if let Pace::Max(time) = load.pace {
                if passed >= time && at < slice.slots.end {
                    // What was begun is sent to its end; nothing more is begun.
                    slice.slots.end = at;
                    continue;
                }
            } else if passed > load.pace.time() + load.overrun {
                break;
            } else {
                let at = at - slice.slots.start;
                let next = self.stream.cut(number + 1).min(slice.slots.end) - slice.slots.start;
                // The last spans of a request are as late as its first ones would have it.
                let span = match load.spread {
                    Spread::Even => at as f64,
                    Spread::Poisson => {
                        gap += exponential(number) * (next - at) as f64;
                        gap
                    }
                };
                intended = began + schedule.at(span);
                tokio::select! {
                    biased;
                    () = stop.cancelled() => {}
                    () = alarm.until(intended) => {}
                }
            }
            if stop.is_cancelled() {
                self.shared.sent.lock().is_stopped = true;
                if is_open_ended {
                    slice.slots.end = at;
                }
                break;
            }
            let is_mine = number % generators == share;
            let copies = match is_mine {
                true => 1 + usize::from(self.stream.is_twice(number)),
                false => 0,
            };
            if copies == 0 {
                self.base(epoch_ns + intended.duration_since(began).as_nanos() as u64);
            }
            for copy in 0..copies {
                let Some(handle) = self.handle(&stop, &mut free_since).await else {
                    self.shared.sent.lock().is_stopped = true;
                    break;
                };
                let now = Instant::now();
                if is_open_ended {
                    intended = now;
                }
                let lag = now.saturating_duration_since(intended.max(free_since));
                let base_ns = epoch_ns + intended.duration_since(began).as_nanos() as u64;
                let Some(going) = self.request(number, copy, &slice, base_ns, intended, lag) else {
                    let _ = self.shared.free.send(handle);
                    break;
                };
                tasks.spawn(Arc::clone(&self.shared).send(handle, going));
                if intended < free_since {
                    // One of those that the receiver had held back. The next one is after it.
                    free_since = Instant::now();
                }
            }
            while tasks.try_join_next().is_some() {}
            number += 1;
            // The connections are served by the same thread.
            tokio::task::yield_now().await;
        }
        {
            let mut sent = self.shared.sent.lock();
            sent.slice = slice;
            sent.is_open_ended = is_open_ended;
        }
        let all = async { while tasks.join_next().await.is_some() {} };
        let _ = timeout(load.deadline, all).await;
        tasks.abort_all();
        while tasks.join_next().await.is_some() {}
        Instant::now()
    }

    /// A free connection; `None` when it is stopped before.
    async fn handle(
        &mut self,
        stop: &CancellationToken,
        free_since: &mut Instant,
    ) -> Option<Handle> {
        if let Ok(handle) = self.idle.try_recv() {
            return Some(handle);
        }
        let handle = tokio::select! {
            biased;
            () = stop.cancelled() => None,
            handle = self.idle.recv() => handle,
        };
        *free_since = Instant::now();
        handle
    }

    /// Notes when the next group was to be sent.
    fn base(&mut self, base_ns: u64) {
        self.bases.push_back(base_ns);
        while self.bases.len() as u64 > self.stream.reach() {
            self.bases.pop_front();
            self.first_base += 1;
        }
    }

    /// Makes a request; `None` if there is nothing in it.
    fn request(
        &mut self,
        number: u64,
        copy: usize,
        slice: &Slice,
        base_ns: u64,
        intended: Instant,
        lag: Duration,
    ) -> Option<Going> {
        let stream = Arc::clone(&self.stream);
        if copy == 0 {
            self.base(base_ns);
        }
        let (bases, first) = (&self.bases, self.first_base);
        let base_of = |group: u64| bases[(group.max(first) - first) as usize];
        let prefix = match self.framing {
            Framing::Grpc => 5,
            Framing::Plain => 0,
        };
        let mut body = self.shared.buffers.take();
        body.resize(prefix, 0);
        let spans = stream.write(number, slice, base_of, &mut body);
        if spans == 0 {
            self.shared.buffers.give_back(body);
            return None;
        }
        let plain = body.len() as u64;
        let packing = self.shared.load.packing;
        if packing != Packing::None {
            self.packed.clear();
            self.packed.resize(prefix, 0);
            packing.pack(&body[prefix..], &mut self.packed);
            std::mem::swap(&mut body, &mut self.packed);
        }
        if prefix > 0 {
            body[0] = u8::from(packing != Packing::None);
            let length = (body.len() - prefix) as u32;
            body[1..prefix].copy_from_slice(&length.to_be_bytes());
        }
        let mut sent = self.shared.sent.lock();
        sent.lag.add(lag);
        sent.requests += 1;
        sent.bytes += body.len() as u64;
        sent.plain_bytes += plain;
        sent.spans += spans;
        sent.outcomes.begin(number, copy);
        self.shared.progress.sent(spans);
        Some(Going {
            number,
            copy,
            spans,
            body: self.shared.buffers.share(body),
            intended,
        })
    }
}

/// The gap before the request of this number, whose mean is 1.
fn exponential(number: u64) -> f64 {
    let chance = MIX_64.mix(number.wrapping_add(1));
    -(((chance >> 11) as f64 + 0.5) / (1u64 << 53) as f64).ln()
}
