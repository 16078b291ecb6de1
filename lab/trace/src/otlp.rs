//! OTLP in and out: spans from and to its protobuf and its JSON form.
//!
//! A request that is no OTLP at all is a [`DecodeError`]. A request in which some spans cannot be
//! used is [`Decoded`]: its good spans, and a reason for each of the others (OTLP's "Partial Success").

mod decode;
mod encode;

pub use decode::{Decoded, Problem, Rejected, from_json, from_protobuf, from_request};
pub use encode::{to_json, to_protobuf, to_request};
pub use otlp::DecodeError;
