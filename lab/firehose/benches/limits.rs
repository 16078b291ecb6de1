//! What accounting for every span costs, beside a bare loop: `cargo bench -p firehose`.
//!
//! - **bare**: finished requests of the same bytes are sent over the same HTTP/2, with the same frames and windows, to a
//!   receiver that counts bytes. Nothing is made, and nothing is looked at.
//! - **accounted**: `blast` makes each span anew and notes the outcome of each request, `Drain` finds out which span each is.
//!
//! The two run in turns; sender and receiver have a core and a thread each. Then: spans that are made without being sent,
//! by the firehose and by a loop that builds them and encodes them with prost. With `--long` also 10⁶, 10⁷ and 10⁸ spans.

#![allow(
    clippy::unwrap_used,
    reason = "a benchmark that cannot run has nothing to say"
)]

use std::{
    hint::black_box,
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};

use bytes::{Buf as _, Bytes};
use firehose::{
    Content, Counter, Drain, LedgerReader, Load, Pace, Packing, Progress, Run, Shape, Spread,
    Stream, Target, Workload, blast, cpu,
};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message as _;
use rustix::time::{ClockId, clock_gettime};
use tokio::{net::TcpListener, runtime::Runtime};
use tokio_util::sync::CancellationToken;

/// The allocator that the `tracelab` binary has.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const ROUNDS: usize = 5;
const SPANS: u64 = 6_000_000;
const IN_FLIGHT: usize = 8;

/// The speed of one way of sending.
#[derive(Clone, Copy)]
struct Speed {
    spans_per_s: f64,
    sender_ns: f64,
    receiver_ns: f64,
}

fn main() {
    let is_long = std::env::args().any(|argument| argument == "--long");
    println!("typical traces of 12 spans, 512 spans a request, OTLP/gRPC, uncompressed");
    println!(
        "{:<12}{:>12}{:>22}{:>22}",
        "", "spans/s", "sender, ns CPU/span", "receiver, ns CPU/span"
    );
    let mut ratios = Vec::new();
    for _ in 0..ROUNDS {
        let bare = bare(SPANS);
        let accounted = accounted(SPANS).0;
        bare.print("bare");
        accounted.print("accounted");
        ratios.push(accounted.spans_per_s / bare.spans_per_s);
    }
    println!(
        "accounted / bare: {:.0} % (median of {ROUNDS})",
        100.0 * median(&mut ratios)
    );
    println!();
    let mut ratios = Vec::new();
    for _ in 0..ROUNDS {
        let (firehose, prost) = (made_by_firehose(), made_by_prost());
        println!("made, not sent: {firehose:.1} ns CPU/span; by prost: {prost:.1}");
        ratios.push(prost / firehose);
    }
    println!(
        "prost / firehose: {:.1} (median of {ROUNDS})",
        median(&mut ratios)
    );
    if is_long {
        println!();
        for spans in [1_000_000, 10_000_000, 100_000_000] {
            let (speed, memory) = accounted(spans);
            speed.print(&format!("{spans}"));
            println!("    {memory:.2} bytes a span of ledger and outcomes");
        }
    }
}

// === Both ways of sending ===

/// Finished requests to a receiver that counts.
fn bare(spans: u64) -> Speed {
    let workload = workload(spans);
    let stream = Stream::new(&workload).unwrap();
    let requests: Vec<Bytes> = (0..IN_FLIGHT as u64)
        .map(|number| framed(&stream.request(number, 1_700_000_000_000_000_000)))
        .collect();
    let receiver = Receiver::start(|listener, stop| async move {
        firehose::count(listener, Arc::new(Counter::default()), stop).await
    });
    let to = receiver.address.clone();
    let sender = on_core(0, move |runtime| {
        runtime.block_on(send_bare(&to, &requests, spans))
    });
    Speed::of(spans, sender, receiver.stop())
}

async fn send_bare(to: &str, requests: &[Bytes], spans: u64) -> Duration {
    let stream = tokio::net::TcpStream::connect(to).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let (sender, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    let began = Instant::now();
    let of_each = spans / 512 / requests.len() as u64;
    let tasks: Vec<_> = requests
        .iter()
        .cloned()
        .map(|body| tokio::spawn(keep_sending(sender.clone(), to.to_owned(), body, of_each)))
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    began.elapsed()
}

async fn keep_sending(
    mut sender: h2::client::SendRequest<Bytes>,
    to: String,
    body: Bytes,
    times: u64,
) {
    let path = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
    let head = http::Request::post(format!("http://{to}{path}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(())
        .unwrap();
    for _ in 0..times {
        sender = sender.ready().await.unwrap();
        let (answer, mut stream) = sender.send_request(head.clone(), false).unwrap();
        stream.send_data(body.clone(), true).unwrap();
        let mut body = answer.await.unwrap().into_body();
        while let Some(data) = body.data().await {
            let length = data.unwrap().remaining();
            body.flow_control().release_capacity(length).unwrap();
        }
        body.trailers().await.unwrap();
    }
}

/// What the firehose does; and the bytes of memory a span that both sides hold.
fn accounted(spans: u64) -> (Speed, f64) {
    let workload = workload(spans);
    let stream = Arc::new(Stream::new(&workload).unwrap());
    let folder = tempfile::tempdir().unwrap();
    let ledger = folder.path().join("ledger");
    let drain = Drain::open(
        Arc::clone(&stream),
        workload.digest(),
        Content::Same,
        &ledger,
    );
    let drain = Arc::new(drain.unwrap());
    let receiver = Receiver::start(|listener, stop| drain.run(listener, stop));
    let target: Target = format!("grpc://{}", receiver.address).parse().unwrap();
    let load = Load {
        first: 0,
        pace: Pace::Max(Duration::from_secs(3_600)),
        spread: Spread::Even,
        connections: 1,
        in_flight: IN_FLIGHT,
        packing: Packing::None,
        retries: false,
        patience: Duration::from_secs(30),
        deadline: Duration::from_secs(30),
        overrun: Duration::ZERO,
        share: (0, 1),
    };
    let sender = on_core(0, move |runtime| {
        let (progress, stop) = (Arc::new(Progress::default()), CancellationToken::new());
        let sent = runtime.block_on(blast(&target, stream, &load, progress, stop));
        let sent = sent.unwrap();
        assert_eq!(sent.spans, spans);
        sent.elapsed
    });
    let receiver = receiver.stop();
    let received = LedgerReader::open(&ledger).unwrap();
    assert_eq!(received.received().unwrap().spans, spans);
    let arrivals = received.arrivals().unwrap();
    assert!((0..spans).all(|slot| arrivals.times(slot) == 1));
    let outcomes = spans.div_ceil(512) as usize * size_of::<firehose::Outcome>();
    let memory = std::fs::metadata(&ledger).unwrap().len() as f64 + outcomes as f64;
    (Speed::of(spans, sender, receiver), memory / spans as f64)
}

// === Making spans ===

/// The CPU time of a span that the firehose makes.
fn made_by_firehose() -> f64 {
    let stream = Stream::new(&workload(u64::MAX >> 1)).unwrap();
    let mut body = Vec::new();
    cpu_of(|number| {
        body.clear();
        let spans = stream.append(number, 1_700_000_000_000_000_000, &mut body);
        black_box(&body);
        spans
    })
}

/// The CPU time of a span that is built as a message and then encoded: 43 traces of 12 spans each time, with new ids and
/// times, and what a span owns is made anew, as an SDK does it.
fn made_by_prost() -> f64 {
    let stream = Stream::new(&workload(u64::MAX >> 1)).unwrap();
    let request = stream.request(0, 1_700_000_000_000_000_000);
    let recorded = ExportTraceServiceRequest::decode(&*request).unwrap();
    let mut body = Vec::new();
    cpu_of(|number| {
        let mut request = recorded.clone();
        let mut spans = 0;
        for resource in &mut request.resource_spans {
            for span in resource.scope_spans.iter_mut().flat_map(|of| &mut of.spans) {
                span.trace_id[8..].copy_from_slice(&number.to_be_bytes());
                span.span_id[..4].copy_from_slice(&(number as u32).to_be_bytes());
                span.start_time_unix_nano += number;
                span.end_time_unix_nano += number;
                spans += 1;
            }
        }
        body.clear();
        request.encode(&mut body).unwrap();
        black_box(&body);
        spans
    })
}

/// The CPU time of a span, of work that makes some of them each time.
fn cpu_of(mut work: impl FnMut(u64) -> u64) -> f64 {
    let (began, mut spans) = (thread_cpu(), 0);
    let mut number = 0;
    while spans < 1_000_000 {
        spans += work(number);
        number += 1;
    }
    (thread_cpu() - began).as_nanos() as f64 / spans as f64
}

// === Threads ===

/// A receiver on a thread and a core of its own.
struct Receiver {
    address: String,
    stop: CancellationToken,
    thread: thread::JoinHandle<Used>,
}

/// What a thread needed.
struct Used {
    cpu: Duration,
    elapsed: Duration,
}

impl Receiver {
    fn start<F>(
        serve: impl FnOnce(TcpListener, CancellationToken) -> F + Send + 'static,
    ) -> Receiver
    where
        F: Future<Output = std::io::Result<()>>,
    {
        let stop = CancellationToken::new();
        let (tell, told) = mpsc::channel();
        let inner = stop.clone();
        let thread = thread::spawn(move || {
            work_on(1, |runtime| {
                runtime.block_on(async {
                    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                    tell.send(listener.local_addr().unwrap().to_string())
                        .unwrap();
                    serve(listener, inner).await.unwrap();
                });
                Duration::ZERO
            })
        });
        Receiver {
            address: told.recv().unwrap(),
            stop,
            thread,
        }
    }

    fn stop(self) -> Used {
        self.stop.cancel();
        self.thread.join().unwrap()
    }
}

/// Does work on a thread of its own, whose runtime has one thread.
fn on_core(core: usize, work: impl FnOnce(&Runtime) -> Duration + Send + 'static) -> Used {
    thread::spawn(move || work_on(core, work)).join().unwrap()
}

fn work_on(core: usize, work: impl FnOnce(&Runtime) -> Duration) -> Used {
    cpu::pin(core).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let began = thread_cpu();
    let elapsed = work(&runtime);
    Used {
        cpu: thread_cpu() - began,
        elapsed,
    }
}

fn thread_cpu() -> Duration {
    let used = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(used.tv_sec as u64, used.tv_nsec as u32)
}

// === The rest ===

fn workload(spans: u64) -> Workload {
    Workload::of(Run::any(), vec![Shape::typical()], spans)
}

/// A message of gRPC.
fn framed(message: &[u8]) -> Bytes {
    let mut framed = vec![0; 5];
    framed[1..].copy_from_slice(&(message.len() as u32).to_be_bytes());
    framed.extend_from_slice(message);
    framed.into()
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

impl Speed {
    fn of(spans: u64, sender: Used, receiver: Used) -> Speed {
        let by_span = |used: Duration| used.as_nanos() as f64 / spans as f64;
        Speed {
            spans_per_s: spans as f64 / sender.elapsed.as_secs_f64(),
            sender_ns: by_span(sender.cpu),
            receiver_ns: by_span(receiver.cpu),
        }
    }

    fn print(&self, name: &str) {
        println!(
            "{name:<12}{:>12.0}{:>22.1}{:>22.1}",
            self.spans_per_s, self.sender_ns, self.receiver_ns
        );
    }
}
