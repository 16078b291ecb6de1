//! [`blast`]: sends the requests of a [`Stream`] at the times of a [`Pace`], and notes the outcome of each.

mod buffers;
mod lanes;
mod outcomes;
mod producer;
mod progress;

pub use outcomes::{Outcome, Outcomes};
pub use progress::Progress;

use std::{
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use self::{
    buffers::Buffers,
    lanes::{Handle, Lanes},
    producer::Producer,
};
use crate::{
    Answer, ConnectError, Latencies, Pace, Packing, Protocol, Slice, Spread, Stream, Target,
    mix::MIX_64,
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
    /// When it is cancelled, nothing is sent again.
    stop: CancellationToken,
    buffers: Buffers,
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

/// Sends the requests of a stream, until its pace ends or `stop` is cancelled; then waits for the last answers. After a
/// stop nothing is sent again.
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
        stop: stop.clone(),
        buffers: Buffers::default(),
    });
    let producer = Producer::new(
        Arc::clone(&shared),
        stream,
        target.protocol().framing(),
        idle,
    );
    let began = Instant::now();
    let last_answers = producer.run(began, stop).await;
    let mut sent = shared.sent.lock().clone();
    sent.elapsed = last_answers.saturating_duration_since(began);
    Ok(sent)
}

/// What [`blast`] does, on a thread of its own: its runtime never hands a request to another thread, which would cost
/// more than the request where all of them share a core.
///
/// # Errors
///
/// When it cannot connect at first, or there is no thread for it.
pub async fn blast_apart(
    target: &Target,
    stream: Arc<Stream>,
    load: &Load,
    progress: Arc<Progress>,
    stop: CancellationToken,
) -> Result<Sent, ConnectError> {
    let (answer, answered) = oneshot::channel();
    let (to, load) = (target.clone(), load.clone());
    std::thread::Builder::new()
        .name("generator".to_owned())
        .spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            let sent = match runtime {
                Ok(runtime) => runtime.block_on(blast(&to, stream, &load, progress, stop)),
                Err(why) => Err(ConnectError::new(&to, why.into())),
            };
            // Who asked is gone where it was dropped.
            let _ = answer.send(sent);
        })
        .map_err(|why| ConnectError::new(target, why.into()))?;
    let gone = io::Error::other("the thread of the generator has ended");
    answered
        .await
        .unwrap_or_else(|_| Err(ConnectError::new(target, gone.into())))
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
            let is_over = timeout(pause, self.stop.cancelled()).await.is_ok();
            self.progress.waiting(going.spans, false);
            if is_over {
                return outcome;
            }
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
