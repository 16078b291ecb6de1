//! [`blast`]: sends the requests of a [`Stream`] at the times of a [`Pace`], and notes the outcome of each.

mod lanes;
mod outcomes;
mod progress;

pub use outcomes::{Outcome, Outcomes};
pub use progress::Progress;

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use self::lanes::{Handle, Lanes};
use crate::{
    Answer, ConnectError, Latencies, Pace, Packing, Protocol, Slice, Spread, Stream, Target,
    alarm::Alarm, mix::MIX_64, pace::Schedule,
};

/// How the requests of a stream are sent.
#[derive(Clone, Debug)]
pub struct Load {
    /// The number of the first request: 0, or the [`end`](Stream::end) of what was sent before.
    pub first: u64,
    /// When.
    pub pace: Pace,
    /// How they are spread over the time of a stage.
    pub spread: Spread,
    /// How many connections are open.
    pub connections: usize,
    /// How many requests each connection has in flight at most. HTTP/1.1 has one at a time, so this is a factor of the
    /// connections there.
    pub in_flight: usize,
    /// How the bodies are compressed.
    pub packing: Packing,
    /// Whether refused requests, and those whose connection broke, are sent again as the OTLP specification says.
    pub retries: bool,
    /// The longest time for one answer.
    pub patience: Duration,
    /// The longest time for all tries of a request, and for the last answers when all was sent.
    pub deadline: Duration,
    /// How long after the end of the pace requests are still begun that were held back by those in flight.
    pub overrun: Duration,
    /// Which part of the requests is sent here, where several generators share them: the number of this one from 0 on,
    /// and how many there are.
    pub share: (u64, u64),
}

/// What was sent.
#[derive(Clone, Debug)]
pub struct Sent {
    /// What was planned.
    pub slice: Slice,
    /// Whether only what was begun was planned, as the pace was as fast as possible.
    pub is_open_ended: bool,
    /// The outcome of each request.
    pub outcomes: Outcomes,
    /// Requests that were begun, without retries.
    pub requests: u64,
    /// The spans in them.
    pub spans: u64,
    /// Requests that were sent again.
    pub retries: u64,
    /// Refusals that said when to send again.
    pub refused_with_delay: u64,
    /// Bytes of bodies as they were sent at first.
    pub bytes: u64,
    /// Bytes of bodies before they were compressed.
    pub plain_bytes: u64,
    /// Connections that took the place of one that broke.
    pub reconnected: u64,
    /// The time from the first request to the last answer.
    pub elapsed: Duration,
    /// The time from the intended send time to the answer; from the send where there is no rate.
    pub answered: Latencies,
    /// How late requests were sent although a connection was free.
    pub lag: Latencies,
    /// The first failure in words.
    pub problem: Option<String>,
    /// Whether it was stopped before its time.
    pub is_stopped: bool,
}

/// What the senders of a run share.
struct Shared {
    lanes: Lanes,
    load: Load,
    sent: Mutex<Sent>,
    progress: Arc<Progress>,
    free: mpsc::UnboundedSender<Handle>,
    buffers: Mutex<Vec<Vec<u8>>>,
}

/// A request on its way.
struct Going {
    number: u64,
    copy: usize,
    spans: u64,
    body: Bytes,
    /// When it was to be sent.
    intended: Instant,
}

/// The first wait before a request is sent again, and the longest one.
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// Sends the requests of a stream, until its pace ends or `stop` is cancelled; then waits for the last answers.
///
/// # Errors
///
/// When it cannot connect at first. What happens later is noted.
pub async fn blast(
    target: &Target,
    stream: Arc<Stream>,
    load: &Load,
    progress: Arc<Progress>,
    stop: CancellationToken,
) -> Result<Sent, ConnectError> {
    let (connections, in_flight) = match target.protocol() {
        Protocol::Http1 => (load.connections * load.in_flight, 1),
        Protocol::Grpc | Protocol::Http2 => (load.connections, load.in_flight),
    };
    let lanes = Lanes::open(target, load.packing, connections).await?;
    let (free, idle) = mpsc::unbounded_channel();
    for _ in 0..in_flight {
        for lane in 0..connections {
            let handle = lanes.handle(lane).await?;
            // The receiver lives below.
            let _ = free.send(handle);
        }
    }
    let shared = Arc::new(Shared {
        lanes,
        load: load.clone(),
        sent: Mutex::new(Sent::of(stream.slice(load.first, 0))),
        progress,
        free,
        buffers: Mutex::new(Vec::new()),
    });
    let producer = Producer {
        shared: Arc::clone(&shared),
        stream,
        framing: target.protocol().framing(),
        idle,
        bases: VecDeque::new(),
        first_base: load.first,
        packed: Vec::new(),
    };
    let began = Instant::now();
    let last_answers = producer.run(began, stop).await;
    let mut sent = shared.sent.lock().clone();
    sent.elapsed = last_answers.saturating_duration_since(began);
    Ok(sent)
}

/// Makes the requests, in their order.
struct Producer {
    shared: Arc<Shared>,
    stream: Arc<Stream>,
    framing: crate::Framing,
    idle: mpsc::UnboundedReceiver<Handle>,
    /// When the last groups were to be sent, in nanoseconds since the Unix epoch; the first is that of `first_base`.
    bases: VecDeque<u64>,
    first_base: u64,
    packed: Vec<u8>,
}

// === impl Producer ===

impl Producer {
    /// Sends everything; returns when the last answer came.
    async fn run(mut self, began: Instant, stop: CancellationToken) -> Instant {
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
            crate::Framing::Grpc => 5,
            crate::Framing::Plain => 0,
        };
        let mut body = self.shared.buffers.lock().pop().unwrap_or_default();
        body.clear();
        body.resize(prefix, 0);
        let spans = stream.write(number, slice, base_of, &mut body);
        if spans == 0 {
            self.shared.buffers.lock().push(body);
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
            body: body.into(),
            intended,
        })
    }
}

// === impl Sent ===

impl Sent {
    fn of(slice: Slice) -> Sent {
        Sent {
            slice,
            is_open_ended: false,
            outcomes: Outcomes::default(),
            requests: 0,
            spans: 0,
            retries: 0,
            refused_with_delay: 0,
            bytes: 0,
            plain_bytes: 0,
            reconnected: 0,
            elapsed: Duration::ZERO,
            answered: Latencies::default(),
            lag: Latencies::default(),
            problem: None,
            is_stopped: false,
        }
    }
}

// === impl Shared ===

impl Shared {
    /// Sends a request until it has its outcome, and frees the connection.
    async fn send(self: Arc<Self>, mut handle: Handle, going: Going) {
        let outcome = self.outcome(&mut handle, &going).await;
        let answered = going.intended.elapsed();
        {
            let mut sent = self.sent.lock();
            sent.answered.add(answered);
            sent.outcomes.end(going.number, going.copy, outcome);
        }
        self.progress.ended(going.spans, outcome);
        if let Ok(buffer) = going.body.try_into_mut() {
            self.buffers.lock().push(buffer.into());
        }
        // Without a receiver all was sent.
        let _ = self.free.send(handle);
    }

    async fn outcome(&self, handle: &mut Handle, going: &Going) -> Outcome {
        let began = Instant::now();
        let mut wait = FIRST_WAIT;
        loop {
            let (outcome, retry_after) = match self.exchange(handle, going).await {
                Ok(Answer::Accepted) => return Outcome::Accepted,
                Ok(Answer::Partial { rejected }) if rejected <= going.spans => {
                    return Outcome::Partial {
                        rejected: rejected as u32,
                    };
                }
                Ok(Answer::Partial { rejected }) => {
                    self.note(format!("{rejected} spans of {} were rejected", going.spans));
                    return Outcome::Rejected;
                }
                Ok(Answer::Failed(why)) => {
                    self.note(why);
                    return Outcome::Rejected;
                }
                Ok(Answer::Refused { retry_after }) => {
                    self.sent.lock().refused_with_delay += u64::from(retry_after.is_some());
                    self.note("a request was refused: the receiver has too much to do".to_owned());
                    (Outcome::Refused, retry_after)
                }
                Err(why) => {
                    self.note(why);
                    (Outcome::Unanswered, None)
                }
            };
            let pause = retry_after.unwrap_or_else(|| jitter(wait, going.number));
            if !self.load.retries || began.elapsed() + pause > self.load.deadline {
                return outcome;
            }
            self.progress.waiting(going.spans, true);
            sleep(pause).await;
            self.progress.waiting(going.spans, false);
            wait = (wait * 2).min(LONGEST_WAIT);
            self.sent.lock().retries += 1;
        }
    }

    /// Sends it once, on a new connection if the old one is broken.
    async fn exchange(&self, handle: &mut Handle, going: &Going) -> Result<Answer, String> {
        let began = Instant::now();
        loop {
            let exchange = async {
                handle.connection.ready().await?;
                handle.connection.exchange(going.body.clone()).await
            };
            let why = match timeout(self.load.patience, exchange).await {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(broken)) => {
                    let why = broken.to_string();
                    // Nothing of it was sent: it is the same try on another connection.
                    let is_same_try = broken.is_unsent() && began.elapsed() < self.load.patience;
                    if let Err(error) = self.lanes.renew(handle, &self.sent).await {
                        return Err(error.to_string());
                    }
                    if is_same_try {
                        continue;
                    }
                    why
                }
                Err(_late) => format!("no answer after {:?}", self.load.patience),
            };
            return Err(why);
        }
    }

    fn note(&self, problem: String) {
        self.sent.lock().problem.get_or_insert(problem);
    }
}

/// A wait between half of it and all of it, so that senders do not come back together.
fn jitter(wait: Duration, number: u64) -> Duration {
    let chance = MIX_64.mix(number ^ wait.as_nanos() as u64);
    wait / 2 + wait.mul_f64((chance >> 40) as f64 / (1u64 << 25) as f64)
}

/// The gap before the request of this number, whose mean is 1.
fn exponential(number: u64) -> f64 {
    let chance = MIX_64.mix(number.wrapping_add(1));
    -(((chance >> 11) as f64 + 0.5) / (1u64 << 53) as f64).ln()
}
