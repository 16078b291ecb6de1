//! Sends recorded traces to an OTLP receiver near the limit of the machine, and counts what it answers.
//!
//! A [`Template`] is a trace that is encoded once. A [`Batch`] is a request with copies of it; each copy gets ids and
//! times of its own by overwriting them in place, which costs some nanoseconds a span. [`send`] keeps requests in
//! flight and counts the answers in [`Totals`]: each request that was sent was accepted, accepted in part, refused, or
//! has failed. [`count`] is a receiver that does nothing but count: what it takes is the limit of the sender.
//!
//! ```
//! use std::{sync::Arc, time::Duration};
//! use firehose::{Batch, Counter, Encoding, Plan, Run, Template, Until};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! let target: firehose::Target = format!("grpc://{}", listener.local_addr()?).parse()?;
//! let counter = Arc::new(Counter::default());
//! tokio::spawn(firehose::count(listener, counter.clone(), Default::default()));
//!
//! let template = Arc::new(Template::new(&firehose::typical())?);
//! let framing = target.protocol().framing();
//! let batch = Batch::new(template, 0, 516, Encoding::Protobuf, framing)?;
//! let plan = Plan {
//!     run: Run::any(),
//!     first: 0,
//!     connections: 1,
//!     in_flight: 8,
//!     until: Until::Requests(100),
//!     patience: Duration::from_secs(30),
//! };
//! let totals = firehose::send(&target, &batch, &plan).await?;
//! assert!(totals.add_up());
//! assert_eq!(totals.accepted.spans, 51_600);
//! assert_eq!(counter.bytes(), totals.sent.bytes);
//! # Ok(())
//! # }
//! ```
//!
//! [`blast`] sends the spans of a [`Workload`] at a rate, and a [`Drain`] receives them: it knows each by its ids, so that
//! [`Accounts`] have one fate for each. `examples/blast.rs` and `examples/drain.rs` show both.
//!
//! It must not know who receives, nor what a receiver does with spans.

mod accounts;
mod alarm;
mod answer;
mod batch;
mod blast;
mod count;
pub mod cpu;
mod drain;
mod encoded;
mod ids;
mod latencies;
mod ledger;
mod mix;
mod pace;
mod packing;
mod places;
mod send;
mod serve;
mod shapes;
mod stream;
mod target;
mod template;
mod typical;
mod workload;

pub use accounts::{Accounts, Books, Group, Policy, group_of};
pub use answer::Answer;
pub use batch::{Batch, BatchError, Encoding, Framing};
pub use blast::{Load, Outcome, Outcomes, Progress, Sent, blast, blast_apart};
pub use count::{Counter, count};
pub use drain::{Content, Drain};
pub(crate) use encoded::Encoded;
pub use ids::{Run, SEQUENCES, SPANS, SpanSlot, TraceSlot};
pub use latencies::Latencies;
pub use ledger::{Arrivals, LedgerError, LedgerReader, Received};
pub use pace::{Pace, Spread, Stage};
pub use packing::{NoPacking, Packing};
pub use send::{ConnectError, Count, Plan, Totals, Until, send};
pub use shapes::SHAPES;
pub use stream::{Slice, Stream, StreamTrace};
pub use target::{NoTarget, Protocol, Target};
pub use template::{Template, TemplateError};
pub use typical::typical;
pub use workload::{MOST_SHAPES, Shape, Workload, WorkloadError};
