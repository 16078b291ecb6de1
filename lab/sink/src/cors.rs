//! [`Origin`]: the pages that may send over OTLP/HTTP (CORS, Fetch Standard section 3.3).
//!
//! A browser asks the receiver before it lets a page of another origin send JSON or protobuf (a preflight). Without
//! origins nothing is answered to that, and the browser sends nothing.

use std::{fmt, str::FromStr, time::Duration};

use axum::http::{HeaderValue, Method, Uri, header};
use tower_http::cors::{AllowHeaders, Any, CorsLayer};

/// The time for which a browser need not ask again.
const MAX_AGE: Duration = Duration::from_secs(3600);

/// An origin whose pages may send, such as `http://localhost:3000`; or `*`, which is every origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin(HeaderValue);

/// What is given is no origin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no origin of a page; it has a scheme, a host and a port unless that is the scheme's, and no path, such as \
     http://localhost:3000; * is every origin"
)]
pub struct OriginError(String);

/// Answers preflights, and permits pages of these origins to read the answers; `None` without origins.
///
/// Any header is permitted: exporters of browser SDKs can be given headers of the user's own.
pub(crate) fn layer(origins: &[Origin]) -> Option<CorsLayer> {
    let layer = CorsLayer::new()
        .allow_methods([Method::POST])
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers([header::RETRY_AFTER])
        .max_age(MAX_AGE);
    match origins {
        [] => None,
        every if every.iter().any(|origin| origin.0 == "*") => Some(layer.allow_origin(Any)),
        some => {
            let origins = some.iter().map(|origin| origin.0.clone());
            Some(layer.allow_origin(origins.collect::<Vec<_>>()))
        }
    }
}

// === impl Origin ===

impl FromStr for Origin {
    type Err = OriginError;

    fn from_str(text: &str) -> Result<Self, OriginError> {
        let is_origin = |uri: Uri| {
            let (Some(scheme), Some(host)) = (uri.scheme_str(), uri.authority()) else {
                return false;
            };
            // What a browser sends: lower case, and neither a user, a pattern nor a slash at the end.
            let sent = format!("{scheme}://{host}");
            sent == text && text == text.to_ascii_lowercase() && !text.contains(['@', '*'])
        };
        let usable = text == "*" || text.parse().is_ok_and(is_origin);
        match HeaderValue::from_str(text) {
            Ok(value) if usable => Ok(Origin(value)),
            _ => Err(OriginError(text.to_owned())),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.to_str().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_written_as_a_browser_sends_it() {
        for text in [
            "*",
            "http://localhost:3000",
            "https://shop.example",
            "http://[::1]:80",
        ] {
            let origin = text.parse::<Origin>().map(|origin| origin.to_string());
            assert_eq!(origin, Ok(text.to_owned()));
        }
        for text in [
            "",
            "localhost:3000",
            "http://localhost:3000/",
            "http://localhost/page",
            "http://user@localhost",
            "HTTP://localhost",
            "http://*",
            "null",
        ] {
            let error = text.parse::<Origin>().expect_err(text).to_string();
            assert!(error.contains("no origin of a page"), "{error}");
        }
    }
}
