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
//! It must not know who receives, nor what a receiver does with spans.

mod answer;
mod batch;
mod count;
pub mod cpu;
mod ids;
mod mix;
mod places;
mod send;
mod target;
mod template;
mod typical;

pub use answer::Answer;
pub use batch::{Batch, BatchError, Encoding, Framing};
pub use count::{Counter, count};
pub use ids::{Run, SEQUENCES, SPANS, SpanSlot, TraceSlot};
pub use send::{ConnectError, Count, Plan, Totals, Until, send};
pub use target::{NoTarget, Protocol, Target};
pub use template::{Template, TemplateError};
pub use typical::typical;
