//! Finds out why a requested fault cannot act: it compares the `baggage` headers with the members that the
//! propagator took from them.
//!
//! A propagator silently drops a member that it cannot use, which is right for baggage in general. A
//! requested fault would then not act, and the shop would look healthy.

use axum::http::HeaderMap;
use faults::Faults;
use telemetry::propagation::baggage::{self, Dropped, MAX_BYTES, MAX_MEMBERS, Why};

/// Why a requested fault cannot act.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UnusableFault {
    /// The member of the fault is malformed.
    #[error(transparent)]
    Unreadable(#[from] faults::Error),
    /// The propagator dropped it.
    #[error("the baggage member {member:?} {}", reason(.why))]
    Dropped {
        /// The member, as it was received.
        member: String,
        /// The propagator's reason.
        why: Why,
    },
    /// No propagator of this service reads baggage.
    #[error(
        "the fault {0} cannot act, because this service reads no baggage: its OTEL_PROPAGATORS must name \
         baggage, as they do by default, and OTEL_SDK_DISABLED must not be true"
    )]
    NoPropagator(&'static str),
}

/// Checks that each fault in the `baggage` headers was accepted by the propagator, and was given once.
pub(crate) fn check(
    headers: &HeaderMap,
    arrived: Result<Faults, faults::Error>,
) -> Result<(), UnusableFault> {
    // Of two members with the same key a propagator keeps one; the headers still contain both.
    let lines: Vec<_> = headers
        .get_all("baggage")
        .iter()
        .map(|line| String::from_utf8_lossy(line.as_bytes()))
        .collect();
    let asked = Faults::from_header(&lines.join(","))?;
    let mut dropped = baggage::dropped(headers).into_iter();
    if let Some(Dropped { member, why }) = dropped.find(|it| faults::is_of_a_fault(&it.member)) {
        return Err(UnusableFault::Dropped { member, why });
    }
    let arrived = arrived?;
    match asked.iter().find(|it| arrived.get(it.fault()).is_none()) {
        Some(lost) => Err(UnusableFault::NoPropagator(lost.fault().name)),
        None => Ok(()),
    }
}

fn reason(why: &Why) -> String {
    match why {
        Why::NotAscii => {
            "is in a header that holds other bytes than printable ASCII; percent-encode \
                          them, or send the fault in a header of its own"
                .to_owned()
        }
        Why::Malformed => "is not written as W3C Baggage says; write \
                           lab.fault.NAME=on;PARAMETER=VALUE, without blanks in a value"
            .to_owned(),
        Why::TooMany => format!(
            "is beyond the limits of W3C Baggage: a request has at most {MAX_MEMBERS} members, in all \
             its headers; put the fault in front, or send fewer members"
        ),
        Why::TooLong { bytes } => format!(
            "is beyond the limits of W3C Baggage: the members of a request have at most {MAX_BYTES} \
             bytes, in all its headers, and with this one they would have {bytes}; put the fault in \
             front, or send less"
        ),
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn a_fault_that_no_propagator_reads_is_refused() {
        let mut headers = HeaderMap::new();
        headers.insert("baggage", HeaderValue::from_static("lab.fault.panic=on"));
        let error = check(&headers, Ok(Faults::NONE)).expect_err("it does not arrive");
        let error = error.to_string();
        assert!(
            error.contains("panic") && error.contains("OTEL_PROPAGATORS"),
            "{error}"
        );
        let arrived = Faults::from_header("lab.fault.panic=on");
        assert!(check(&headers, arrived).is_ok());
    }
}
