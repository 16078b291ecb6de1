//! Converts spans from and to OTLP, in protobuf and JSON.
//!
//! Bytes that are not OTLP at all are a [`DecodeError`]. A request in which some spans cannot be used is
//! [`Decoded`]: its valid spans, and a reason for each of the others (OTLP's "Partial Success").

mod decode;
mod encode;

pub use decode::{Decoded, Problem, Rejected, from_json, from_protobuf, from_read, from_request};
pub use encode::{to_json, to_protobuf, to_request};
pub use otlp::DecodeError;
