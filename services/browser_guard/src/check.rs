//! Decides whether a request is answered.

use api::Problem;
use axum::extract::Request;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header, uri::Authority};

use crate::AllowedHosts;

/// How a browser says where a request came from (Fetch Metadata Request Headers, section 2.3).
const SEC_FETCH_SITE: &str = "sec-fetch-site";

/// Refuses a request for a name that is not the server's, and one of another site that would change something.
pub(crate) fn request(request: &Request, hosts: &AllowedHosts) -> Result<(), Problem> {
    let targets = targets(request.uri(), request.headers());
    for target in &targets {
        let known = target.as_ref().is_ok_and(|it| is_known(it, hosts));
        if !known {
            return Err(unknown_host(target));
        }
    }
    let is_safe = matches!(
        *request.method(),
        Method::GET | Method::HEAD | Method::OPTIONS
    );
    if !is_safe && is_foreign(request.headers(), &targets) {
        return Err(foreign_page(request.method()));
    }
    Ok(())
}

/// The hosts that a request is for: of the URI, which has one in HTTP/2, and of the Host header. Only a program of
/// HTTP/1.0 names none; no browser is one. An error is a header that names no host.
fn targets(uri: &Uri, headers: &HeaderMap) -> Vec<Result<Authority, HeaderValue>> {
    let of_uri = uri.authority().cloned().map(Ok);
    let named = headers.get_all(header::HOST).into_iter();
    let named = named.map(|host| Authority::try_from(host.as_bytes()).map_err(|_| host.clone()));
    of_uri.into_iter().chain(named).collect()
}

fn is_known(target: &Authority, hosts: &AllowedHosts) -> bool {
    !target.as_str().contains('@') && hosts.has(target.host())
}

/// Whether a page of another site sent the request. A page of another port is one, too: its `Origin` differs.
fn is_foreign(headers: &HeaderMap, targets: &[Result<Authority, HeaderValue>]) -> bool {
    let sites = headers.get_all(SEC_FETCH_SITE).into_iter();
    let origins = headers.get_all(header::ORIGIN).into_iter();
    let is_own = |origin: &HeaderValue| {
        let origin = origin.to_str().ok().and_then(|it| it.parse::<Uri>().ok());
        origin.is_some_and(|origin| {
            let own = targets.iter().flatten();
            own.into_iter().any(|own| is_same(&origin, own))
        })
    };
    sites.into_iter().any(|site| site == "cross-site") || !origins.into_iter().all(is_own)
}

/// Whether an origin is that of the host. The port may be left out where it is that of the scheme; a server behind a
/// proxy does not know its own scheme.
fn is_same(origin: &Uri, own: &Authority) -> bool {
    let standard = match origin.scheme_str() {
        Some("https") => 443,
        _ => 80,
    };
    let port = |authority: &Authority| authority.port_u16().unwrap_or(standard);
    origin.authority().is_some_and(|origin| {
        origin.host().eq_ignore_ascii_case(own.host()) && port(origin) == port(own)
    })
}

/// 421 says what is the case: the request is for a server that this one is not (RFC 9110, section 15.5.20). 403 is
/// left for what this server forbids.
fn unknown_host(target: &Result<Authority, HeaderValue>) -> Problem {
    let shown = match target {
        Ok(target) => format!("{:?}", target.as_str()),
        Err(header) => format!("{header:?}"),
    };
    Problem::new(
        StatusCode::MISDIRECTED_REQUEST,
        "unknown-host",
        "The request is for another host",
    )
    .detail(format!(
        "The host {shown} is none of this server's names; it answers to addresses, to localhost, and to each NAME of \
         --allow-host NAME (or ALLOWED_HOSTS=NAME,NAME). Other names are refused, since a page of another site could \
         read this server through a name of its own (DNS rebinding)."
    ))
}

fn foreign_page(method: &Method) -> Problem {
    Problem::new(
        StatusCode::FORBIDDEN,
        "foreign-page",
        "A page of another site may change nothing here",
    )
    .detail(format!(
        "This {method} comes from a page of another origin, as its Origin or Sec-Fetch-Site header says; such a page \
         may only read with GET, as far as its browser lets it. Send the request from a page of this server, or from a \
         program that is no browser."
    ))
}
