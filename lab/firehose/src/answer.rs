//! [`Answer`]: what a receiver said of a request.

use std::time::Duration;

use bytes::{Buf, Bytes};
use http::{HeaderMap, StatusCode, header};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message;
use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::Encoding;

/// What a receiver said of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// All of it was taken.
    Accepted,
    /// All but some spans were taken (OTLP, "Partial Success").
    Partial {
        /// How many spans were not.
        rejected: u64,
    },
    /// Nothing was taken, because the receiver has too much to do: `RESOURCE_EXHAUSTED`, `UNAVAILABLE`, 429, 502,
    /// 503, 504.
    Refused {
        /// When the same request may be sent again, if the receiver said it: `RetryInfo`, or `Retry-After` in
        /// seconds.
        retry_after: Option<Duration>,
    },
    /// Anything else: another status, or an answer that is none of OTLP. The text says which.
    Failed(String),
}

/// The answer to a gRPC call: the body of the response, and its trailers (its headers, where it has nothing else).
pub(crate) fn of_grpc(status: StatusCode, body: &Bytes, trailers: &HeaderMap) -> Answer {
    if status != StatusCode::OK {
        return of_refusal_over_http(status, trailers, body);
    }
    let Some(said) = Status::from_header_map(trailers) else {
        return Answer::Failed("there is no grpc-status".to_owned());
    };
    match said.code() {
        Code::Ok => {
            // The prefix of the message: whether it is compressed, which was not allowed, and its length.
            let mut message = body.clone();
            if message.len() < 5 {
                return Answer::Failed("there is no message in the response".to_owned());
            }
            message.advance(5);
            of_protobuf(message)
        }
        Code::ResourceExhausted | Code::Unavailable => Answer::Refused {
            retry_after: said
                .get_details_retry_info()
                .and_then(|info| info.retry_delay),
        },
        code => Answer::Failed(format!("{code:?}: {}", said.message())),
    }
}

/// The answer to a request of OTLP/HTTP.
pub(crate) fn of_http(
    encoding: Encoding,
    status: StatusCode,
    body: Bytes,
    headers: &HeaderMap,
) -> Answer {
    if status != StatusCode::OK {
        return of_refusal_over_http(status, headers, &body);
    }
    match encoding {
        Encoding::Protobuf => of_protobuf(body),
        Encoding::Json => of_json(&body),
    }
}

fn of_refusal_over_http(status: StatusCode, headers: &HeaderMap, body: &Bytes) -> Answer {
    match status.as_u16() {
        // The statuses that may be sent again (OTLP/HTTP, "Retryable Response Codes").
        429 | 502 | 503 | 504 => {
            let after = headers.get(header::RETRY_AFTER);
            let seconds = after.and_then(|after| after.to_str().ok()?.parse().ok());
            Answer::Refused {
                retry_after: seconds.map(Duration::from_secs),
            }
        }
        _ => Answer::Failed(format!("{status}: {}", String::from_utf8_lossy(body))),
    }
}

fn of_protobuf(message: Bytes) -> Answer {
    if message.is_empty() {
        return Answer::Accepted;
    }
    match ExportTraceServiceResponse::decode(message) {
        Ok(response) => {
            let partial = response.partial_success;
            rejected(partial.map_or(0, |partial| partial.rejected_spans))
        }
        Err(error) => Answer::Failed(format!("the response is no OTLP: {error}")),
    }
}

fn of_json(text: &[u8]) -> Answer {
    let document: serde_json::Value = match serde_json::from_slice(text) {
        Ok(document) => document,
        Err(error) => return Answer::Failed(format!("the response is no JSON: {error}")),
    };
    // A 64-bit integer of protobuf is text in its JSON; numbers are read too.
    let number = &document["partialSuccess"]["rejectedSpans"];
    let parsed = number
        .as_str()
        .map_or(number.as_i64(), |text| text.parse().ok());
    match parsed {
        Some(number) => rejected(number),
        None if number.is_null() => Answer::Accepted,
        None => Answer::Failed(format!("rejectedSpans is no number: {number}")),
    }
}

fn rejected(spans: i64) -> Answer {
    match u64::try_from(spans) {
        // Without rejected spans the message is a warning.
        Ok(0) => Answer::Accepted,
        Ok(rejected) => Answer::Partial { rejected },
        Err(_) => Answer::Failed(format!("rejectedSpans is negative: {spans}")),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTracePartialSuccess;
    use tonic_types::ErrorDetails;

    use super::*;

    const OK: StatusCode = StatusCode::OK;

    fn json(text: &'static str) -> Answer {
        of_http(
            Encoding::Json,
            OK,
            Bytes::from_static(text.as_bytes()),
            &HeaderMap::new(),
        )
    }

    fn grpc(status: &Status) -> Answer {
        let mut headers = HeaderMap::new();
        status.add_header(&mut headers).unwrap();
        of_grpc(OK, &Bytes::new(), &headers)
    }

    #[test]
    fn rejected_spans_are_read_in_both_encodings() {
        let response = ExportTraceServiceResponse {
            partial_success: Some(ExportTracePartialSuccess {
                rejected_spans: 7,
                error_message: "an evicted trace".to_owned(),
            }),
        };
        let body = Bytes::from(response.encode_to_vec());
        let partial = Answer::Partial { rejected: 7 };
        assert_eq!(
            of_http(Encoding::Protobuf, OK, body, &HeaderMap::new()),
            partial
        );
        assert_eq!(json(r#"{"partialSuccess":{"rejectedSpans":"7"}}"#), partial);
        assert_eq!(json(r#"{"partialSuccess":{"rejectedSpans":7}}"#), partial);
        assert_eq!(
            json(r#"{"partialSuccess":{"errorMessage":"a warning"}}"#),
            Answer::Accepted
        );
        assert_eq!(json("{}"), Answer::Accepted);
        assert!(matches!(
            json(r#"{"partialSuccess":{"rejectedSpans":true}}"#),
            Answer::Failed(_)
        ));
        assert!(matches!(json("ok"), Answer::Failed(_)));
    }

    #[test]
    fn a_refusal_is_told_from_a_failure() {
        let delay = Some(Duration::from_millis(1500));
        let details = ErrorDetails::with_retry_info(delay);
        let busy = Status::with_error_details(Code::ResourceExhausted, "busy", details);
        assert_eq!(grpc(&busy), Answer::Refused { retry_after: delay });
        let unavailable = Answer::Refused { retry_after: None };
        assert_eq!(grpc(&Status::unavailable("busy")), unavailable);
        let failed = Answer::Failed("InvalidArgument: no OTLP".to_owned());
        assert_eq!(grpc(&Status::invalid_argument("no OTLP")), failed);

        let mut headers = HeaderMap::new();
        let plain = |status, headers: &HeaderMap| {
            of_http(Encoding::Protobuf, status, Bytes::new(), headers)
        };
        assert_eq!(
            plain(StatusCode::SERVICE_UNAVAILABLE, &headers),
            unavailable
        );
        headers.insert(header::RETRY_AFTER, "2".parse().unwrap());
        let later = Answer::Refused {
            retry_after: Some(Duration::from_secs(2)),
        };
        assert_eq!(plain(StatusCode::TOO_MANY_REQUESTS, &headers), later);
        assert!(matches!(
            plain(StatusCode::BAD_REQUEST, &headers),
            Answer::Failed(_)
        ));
    }
}
