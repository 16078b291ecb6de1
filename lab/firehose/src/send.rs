//! Sends requests in a closed loop: as soon as one is answered, the next is sent.

pub(crate) mod connection;
mod totals;

pub use connection::ConnectError;
pub use totals::{Count, Totals};

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use parking_lot::Mutex;
use tokio::{task::JoinSet, time::timeout};

use self::connection::{Broken, Connection};
use crate::{Answer, Batch, Packing, Protocol, Run, Target, cpu};

/// How much is sent, and how.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The run of the traces.
    pub run: Run,
    /// The sequence number of the first trace.
    pub first: u64,
    /// How many connections are open.
    pub connections: usize,
    /// How many requests each connection has in flight. HTTP/1.1 has one at a time, so this is a factor of the
    /// connections there.
    pub in_flight: usize,
    /// When no more requests are sent. Those in flight are answered first.
    pub until: Until,
    /// The longest time for an answer. A request without one has failed.
    pub patience: Duration,
}

/// When no more requests are sent.
#[derive(Clone, Copy, Debug)]
pub enum Until {
    /// After this time.
    Elapsed(Duration),
    /// After this many requests.
    Requests(u64),
}

/// How many connections in a row may break before a request is sent on them.
const MOST_BROKEN: usize = 10;

/// Sends batches to a receiver, and counts its answers. Refused requests are not sent again.
///
/// # Errors
///
/// When it cannot connect at first. What happens later is counted, and described in [`Totals::problem`].
pub async fn send(target: &Target, batch: &Batch, plan: &Plan) -> Result<Totals, ConnectError> {
    let (connections, in_flight) = match target.protocol() {
        Protocol::Http1 => (plan.connections * plan.in_flight, 1),
        Protocol::Grpc | Protocol::Http2 => (plan.connections, plan.in_flight),
    };
    let mut open = Vec::with_capacity(connections);
    for _ in 0..connections {
        open.push(Connection::open(target, batch.encoding(), Packing::None).await?);
    }
    let cpu = cpu::used();
    let begun = Instant::now();
    let shared = Arc::new(Shared {
        target: target.clone(),
        batch: batch.clone(),
        run: plan.run,
        first: plan.first,
        until: plan.until,
        patience: plan.patience,
        begun,
        requests: AtomicU64::new(0),
        unsent: Mutex::new(Vec::new()),
        totals: Mutex::new(Totals::default()),
    });
    let mut tasks = JoinSet::new();
    for connection in open {
        tasks.spawn(keep_sending(Arc::clone(&shared), connection, in_flight));
    }
    while let Some(ended) = tasks.join_next().await {
        if let Err(panicked) = ended {
            std::panic::resume_unwind(panicked.into_panic());
        }
    }
    let mut totals = shared.totals.lock().clone();
    totals.connections = connections as u64;
    totals.elapsed = begun.elapsed();
    totals.cpu = cpu::used().saturating_sub(cpu);
    let begun = shared.requests.load(Ordering::Relaxed);
    totals.next = plan.first + begun * batch.traces() as u64;
    Ok(totals)
}

/// What the senders of a run share.
struct Shared {
    target: Target,
    batch: Batch,
    run: Run,
    first: u64,
    until: Until,
    patience: Duration,
    begun: Instant,
    /// How many requests were begun.
    requests: AtomicU64,
    /// The numbers of requests that a connection did not take, and that are still to be sent.
    unsent: Mutex<Vec<u64>>,
    totals: Mutex<Totals>,
}

/// Why a sender ended.
enum End {
    /// Nothing more is to be sent.
    Done,
    /// The connection takes no more requests.
    Broken {
        /// How many requests this sender sent on it.
        sent: u64,
        why: String,
    },
}

/// Sends on one connection, and on new ones in its place when it breaks.
async fn keep_sending(shared: Arc<Shared>, mut connection: Connection, in_flight: usize) {
    let mut unused = 0;
    loop {
        let mut senders = JoinSet::new();
        for _ in 1..in_flight {
            let again = connection
                .again()
                .expect("HTTP/1.1 has one request in flight");
            senders.spawn(Arc::clone(&shared).send_on(again));
        }
        senders.spawn(Arc::clone(&shared).send_on(connection));
        let (mut all, mut broken) = (0, None);
        for end in senders.join_all().await {
            if let End::Broken { sent, why } = end {
                all += sent;
                broken = Some(why);
            }
        }
        let Some(why) = broken else { return };
        unused = if all == 0 { unused + 1 } else { 0 };
        if unused == MOST_BROKEN {
            let why = format!("{MOST_BROKEN} connections in a row took no request: {why}");
            return shared.totals.lock().note(why);
        }
        match Connection::open(&shared.target, shared.batch.encoding(), Packing::None).await {
            Ok(new) => connection = new,
            Err(error) => return shared.totals.lock().note(format!("not again: {error}")),
        }
        shared.totals.lock().reconnected += 1;
    }
}

// === impl Shared ===

impl Shared {
    async fn send_on(self: Arc<Self>, mut connection: Connection) -> End {
        let batch = &self.batch;
        let spans = batch.spans() as u64;
        let mut body = batch.body();
        let mut sent = 0;
        loop {
            if let Err(error) = self.in_time(connection.ready()).await {
                let why = error.to_string();
                return End::Broken { sent, why };
            }
            let Some(request) = self.next() else {
                return End::Done;
            };
            let first = self.first + request * batch.traces() as u64;
            batch.patch(&mut body, self.run, first, self.start_ns());
            let bytes = body.freeze();
            let size = bytes.len() as u64;
            self.totals.lock().sent.add(1, spans, size);
            let answer = match self.in_time(connection.exchange(bytes.clone())).await {
                Ok(answer) => answer,
                // The peer closed the connection in the moment when it was ready. Another one takes the request.
                Err(error) if error.is_unsent() => {
                    self.totals.lock().sent.take_back(1, spans, size);
                    self.unsent.lock().push(request);
                    let why = error.to_string();
                    return End::Broken { sent, why };
                }
                Err(error) => Answer::Failed(error.to_string()),
            };
            sent += 1;
            self.totals.lock().answered(answer, spans, size);
            // The connection may still hold the body of a request that was answered before it was read.
            body = bytes.try_into_mut().unwrap_or_else(|_held| batch.body());
        }
    }

    /// The number of the next request, if one is to be sent.
    fn next(&self) -> Option<u64> {
        if let Some(unsent) = self.unsent.lock().pop() {
            return Some(unsent);
        }
        match self.until {
            Until::Elapsed(time) if self.begun.elapsed() >= time => return None,
            Until::Elapsed(_) => {}
            // Only what is sent has a number, so that the numbers have no gaps.
            Until::Requests(most) => {
                let next = |request| (request < most).then_some(request + 1);
                let order = Ordering::Relaxed;
                return self.requests.fetch_update(order, order, next).ok();
            }
        }
        Some(self.requests.fetch_add(1, Ordering::Relaxed))
    }

    /// The start of traces that end now.
    fn start_ns(&self) -> u64 {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.expect("the clock is after 1970").as_nanos() as u64;
        now - self.batch.template().duration_ns()
    }

    /// Waits for a step of the exchange, at most as long as the plan allows.
    async fn in_time<T>(&self, step: impl Future<Output = Result<T, Broken>>) -> Result<T, Broken> {
        let late = Err(Broken::Late(self.patience));
        timeout(self.patience, step).await.unwrap_or(late)
    }
}
