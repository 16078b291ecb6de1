//! Tracing backends: how each is read, what a fidelity suite sends to them, and what came back of it.
//!
//! A [`Reader`] gives a trace back in the lab's own model, whatever the backend's API is; [`open`] makes the one of a
//! kind. A [`Case`] is a small trace with one feature of OTLP in it, and [`compare`] says what became of that feature: a
//! [`Difference`] is a [`Loss`] at a place. A [`Profile`] is what a backend is known to lose.
//!
//! | here | what it follows |
//! | --- | --- |
//! | `readers/jaeger.rs` | Jaeger's API v3, `GET /api/v3/traces/{id}` with `rawTraces` (jaeger-idl, `query_service.proto`) |
//! | `readers/jaeger_v1.rs` | Jaeger's JSON API, which VictoriaTraces has below `/select/jaeger` |
//! | `readers/zipkin.rs` | Zipkin API v2 (`zipkin2-api.yaml`) |
//! | `readers/tempo.rs` | Tempo's `GET /api/v2/traces/{id}` and `GET /api/search` |
//! | `prometheus.rs` | the HTTP API of Prometheus, for metrics that are made from spans |
//! | `readers/sink.rs` | the lab's own HTTP API |
//! | `readers/file.rs`, `readers/command.rs` | OTLP files, and programs that print OTLP/JSON |
//!
//! It must not know how traces are sent, nor when a trace is waited for.
#![warn(
    clippy::missing_errors_doc,
    reason = "callers in other crates must know when a call fails"
)]

mod access;
mod compare;
mod loss;
mod profile;
mod prometheus;
mod reader;
mod readers;
mod suite;

pub use access::{Access, AccessError, Header};
pub use compare::{Difference, compare, exact_bytes};
pub use loss::{Field, How, Loss, LossError, ValueType};
pub use profile::{Judged, KnownLoss, Profile, ProfileError, Verdict};
pub use prometheus::{Prometheus, SpanMetrics};
pub use reader::{Criterion, Identity, Query, ReadError, ReadTrace, Reader, Representation};
pub use readers::{Kind, KindError, open};
pub use suite::{Case, Group, Made, Maker, cases};
