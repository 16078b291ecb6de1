//! OTLP/gRPC with an HTTP client: one message in a frame of five bytes and its length, and the status in the trailers
//! ("gRPC over HTTP2", Requests and Responses).

use std::time::Duration;

use bytes::{BufMut as _, Bytes, BytesMut};
use http::{HeaderMap, header};
use http_body_util::BodyExt as _;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use percent_encoding::percent_decode_str;
use prost::Message as _;
use reqwest::{Body, Client, Url};
use tonic_types::pb;

use super::{Answer, SAID, unreachable};

const EXPORT: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

/// The codes of gRPC after which a request may be sent again (OTLP/gRPC, "Failures").
const RETRYABLE: [i32; 7] = [1, 4, 10, 11, 14, 15, RESOURCE_EXHAUSTED];

/// It may be sent again only where the answer says when.
const RESOURCE_EXHAUSTED: i32 = 8;

pub(super) async fn export(client: &Client, url: &Url, body: Bytes) -> Answer {
    let mut url = url.clone();
    url.set_path(EXPORT);
    let mut framed = BytesMut::with_capacity(body.len() + 5);
    framed.put_u8(0);
    framed.put_u32(u32::try_from(body.len()).unwrap_or(u32::MAX));
    framed.extend_from_slice(&body);
    let request = client
        .post(url)
        .header(header::CONTENT_TYPE, "application/grpc")
        .header(header::TE, "trailers")
        .body(framed.freeze());
    let response = match request.send().await {
        Ok(response) => http::Response::<Body>::from(response),
        Err(error) => return unreachable(&error),
    };
    let (parts, body) = response.into_parts();
    if !parts.status.is_success() {
        let status = parts.status.as_u16();
        let said = format!("HTTP {status} instead of gRPC; is that an address of OTLP/gRPC?");
        // A proxy says so that the server is away ("HTTP to gRPC Status Code Mapping").
        return match status {
            429 | 502..=504 => Answer::Later { after: None, said },
            _ => Answer::Refused(said),
        };
    }
    let collected = match body.collect().await {
        Ok(collected) => collected,
        Err(error) => return unreachable(&error),
    };
    let trailers = collected.trailers().cloned().unwrap_or_default();
    // An answer without a message has its status among the headers.
    let Some((code, said)) = status(&trailers).or_else(|| status(&parts.headers)) else {
        return Answer::Refused("an answer without a status of gRPC".to_owned());
    };
    if code == 0 {
        let message = collected.to_bytes();
        let (rejected, message) = rejected_in(message.get(5..).unwrap_or_default());
        return Answer::Accepted { rejected, message };
    }
    let details = details(&trailers)
        .or_else(|| details(&parts.headers))
        .unwrap_or_default();
    let after = retry_delay(&details);
    let said = format!("status {code} of gRPC: {said}");
    match RETRYABLE.contains(&code) && (code != RESOURCE_EXHAUSTED || after.is_some()) {
        true => Answer::Later { after, said },
        false => Answer::Refused(said),
    }
}

/// The number of rejected spans in a response, and the message about them.
pub(super) fn rejected_in(response: &[u8]) -> (i64, String) {
    let partial = ExportTraceServiceResponse::decode(response)
        .ok()
        .and_then(|response| response.partial_success);
    partial
        .map(|partial| (partial.rejected_spans, partial.error_message))
        .unwrap_or_default()
}

fn status(headers: &HeaderMap) -> Option<(i32, String)> {
    let code = headers.get("grpc-status")?.to_str().ok()?.parse().ok()?;
    let message = headers
        .get("grpc-message")
        .and_then(|message| message.to_str().ok());
    Some((
        code,
        percent_decode_str(message.unwrap_or_default())
            .decode_utf8_lossy()
            .chars()
            .take(SAID)
            .collect(),
    ))
}

fn details(headers: &HeaderMap) -> Option<Vec<u8>> {
    use base64::{Engine as _, prelude::BASE64_STANDARD_NO_PAD as BASE64};
    let value = headers.get("grpc-status-details-bin")?.to_str().ok()?;
    BASE64.decode(value.trim_end_matches('=')).ok()
}

/// The wait of a `RetryInfo` in a `google.rpc.Status`.
fn retry_delay(details: &[u8]) -> Option<Duration> {
    let status = pb::Status::decode(details).ok()?;
    let info = status
        .details
        .iter()
        .find(|any| any.type_url.ends_with("google.rpc.RetryInfo"))?;
    let delay = pb::RetryInfo::decode(&info.value[..]).ok()?.retry_delay?;
    Duration::try_from(delay).ok()
}
