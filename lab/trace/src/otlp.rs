//! Converts spans from and to OTLP, in protobuf and JSON.
//!
//! Bytes that are not OTLP at all are a [`DecodeError`]. A request in which some spans cannot be used is
//! [`Decoded`]: its valid spans, and a reason for each of the others (OTLP's "Partial Success"). [`walk`] comes to
//! the same spans without decoding them.

mod decode;
mod encode;
mod head;
mod size;

pub use decode::{
    Decoded, attribute, from_json, from_protobuf, from_transcoded, resource, scope, service, span,
};
pub use encode::{span_to_protobuf, to_json, to_protobuf, to_request, write_json};
pub use head::{Found, Problem, Rejected, SpanHead, head, walk};
pub use otlp::{DecodeError, Walked};
pub use size::{decoded_shared_size, decoded_size};
