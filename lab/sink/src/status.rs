//! `google.rpc.Status`, in which OTLP says what went wrong, in protobuf and in JSON.

use std::time::Duration;

use prost::Message;
use serde_json::json;
use tonic::Code;

/// `google.rpc.Status` (`google/rpc/status.proto`).
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Status {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
    #[prost(message, repeated, tag = "3")]
    details: Vec<Any>,
}

/// `google.protobuf.Any`.
#[derive(Clone, PartialEq, Message)]
struct Any {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

/// `google.rpc.RetryInfo` (`google/rpc/error_details.proto`).
#[derive(Clone, PartialEq, Message)]
struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    retry_delay: Option<Delay>,
}

/// `google.protobuf.Duration`.
#[derive(Clone, PartialEq, Message)]
struct Delay {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

const RETRY_INFO: &str = "type.googleapis.com/google.rpc.RetryInfo";

/// What is said to a request that is turned away because there are too many.
pub(crate) const OVERLOADED: &str = "too many requests at once; try again after the delay";

impl Status {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Status {
        Status {
            code: code.into(),
            message: message.into(),
            details: Vec::new(),
        }
    }

    /// Too much at once: the same request may be sent again after the delay.
    pub(crate) fn overloaded(delay: Duration) -> Status {
        let retry_delay = Delay {
            seconds: i64::try_from(delay.as_secs()).unwrap_or(i64::MAX),
            nanos: i32::try_from(delay.subsec_nanos())
                .expect("less than a second fits into an i32"),
        };
        let info = RetryInfo {
            retry_delay: Some(retry_delay),
        };
        let details = vec![Any {
            type_url: RETRY_INFO.to_owned(),
            value: info.encode_to_vec(),
        }];
        Status {
            details,
            ..Status::new(Code::ResourceExhausted, OVERLOADED)
        }
    }

    /// As gRPC carries it, with the details in `grpc-status-details-bin`.
    pub(crate) fn into_grpc(self) -> tonic::Status {
        let code = Code::from(self.code);
        if self.details.is_empty() {
            return tonic::Status::new(code, self.message);
        }
        let details = self.encode_to_vec();
        tonic::Status::with_details(code, self.message, details.into())
    }

    /// As OTLP/HTTP carries it in JSON. Details are not told there: `Retry-After` says the same.
    pub(crate) fn to_json(&self) -> Vec<u8> {
        json!({ "code": self.code, "message": self.message })
            .to_string()
            .into_bytes()
    }
}
