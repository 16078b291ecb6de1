//! `google.rpc.Status`, OTLP's form of an error, in protobuf and in JSON.

use std::time::Duration;

use prost::Message as _;
use serde_json::json;
use tonic::Code;
use tonic_types::{ErrorDetails, StatusExt as _};

/// The status of a refused request.
#[derive(Debug)]
pub(crate) struct Status(tonic::Status);

/// The message for a request that is refused because there are too many.
pub(crate) const OVERLOADED: &str = "no room for more requests now; try again after the delay";

// === impl Status ===

impl Status {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Status {
        Status(tonic::Status::new(code, message))
    }

    /// The status for overload: the same request may be sent again after the delay.
    pub(crate) fn overloaded(delay: Duration) -> Status {
        let details = ErrorDetails::with_retry_info(Some(delay));
        Status(tonic::Status::with_error_details(
            Code::ResourceExhausted,
            OVERLOADED,
            details,
        ))
    }

    /// The status for gRPC, with the details in `grpc-status-details-bin`.
    pub(crate) fn into_grpc(self) -> tonic::Status {
        self.0
    }

    /// The status for OTLP/HTTP in protobuf: the bytes of a `google.rpc.Status`.
    pub(crate) fn to_protobuf(&self) -> Vec<u8> {
        // If there are details, gRPC carries the whole status in them.
        match self.0.details() {
            [] => tonic_types::Status {
                code: self.0.code().into(),
                message: self.0.message().to_owned(),
                details: Vec::new(),
            }
            .encode_to_vec(),
            details => details.to_vec(),
        }
    }

    /// The status for OTLP/HTTP in JSON. The details are left out: `Retry-After` says the same.
    pub(crate) fn to_json(&self) -> Vec<u8> {
        json!({ "code": i32::from(self.0.code()), "message": self.0.message() })
            .to_string()
            .into_bytes()
    }
}
