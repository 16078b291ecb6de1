//! The message of a request, without its prefix and its compression.

use bytes::Bytes;
use http::HeaderMap;
use otlp::Compression;

use crate::serve::Request;

/// The largest request, as it is unpacked.
const MOST: usize = 64 << 20;

/// The message of a request.
pub(super) fn unpacked(request: Request<'_>, body: Bytes) -> Result<Bytes, String> {
    let named = |headers: &HeaderMap, name: &str| {
        let name = headers.get(name).map_or(Ok(""), |value| value.to_str());
        let name = name.map_err(|error| error.to_string())?;
        Compression::from_name(name).ok_or_else(|| format!("{name:?} is no known compression"))
    };
    let (compression, packed) = if request.is_grpc {
        let Some((&prefix, message)) = body.split_first_chunk::<5>() else {
            return Err("a gRPC message has a prefix of five bytes".to_owned());
        };
        let [packed, length @ ..] = prefix;
        if u32::from_be_bytes(length) as usize != message.len() {
            return Err("the length of the gRPC message is not that of its prefix".to_owned());
        }
        let compression = match packed {
            0 => Compression::None,
            _ => named(request.headers, "grpc-encoding")?,
        };
        (compression, body.slice(5..))
    } else {
        let content_type = request.headers.get(http::header::CONTENT_TYPE);
        if content_type.is_some_and(|value| value.as_bytes().starts_with(b"application/json")) {
            let message = otlp::traces_from_json(&body).map_err(|error| error.to_string())?;
            return Ok(message.bytes.into());
        }
        (named(request.headers, "content-encoding")?, body)
    };
    compression
        .decompress(packed, MOST, |_| true)
        .map_err(|failure| format!("the body cannot be unpacked: {failure:?}"))
}
