//! Compares the traces with the orders, and with the kills that explain missing spans.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use tokio::time::sleep;
use trace::{StatusCode, Trace};

use super::{
    ground::{Ground, Outage, Part, SERVICES},
    load::Asked,
};

/// How long the last spans may take to arrive.
const PATIENCE: Duration = Duration::from_secs(30);

/// The mark for a missing parent, which may belong to any service.
const A_PARENT: &str = "a parent";

/// The spans that the trace of an order lacks: the services that did their part and have no span in it. The
/// provider is a third party without spans.
pub(super) fn missing(trace: Option<&Trace>) -> Vec<&'static str> {
    let traced = SERVICES
        .into_iter()
        .filter(|service| *service != "provider");
    let Some(trace) = trace else {
        return traced.collect();
    };
    let there: HashSet<&str> = trace
        .spans()
        .iter()
        .filter_map(|span| span.resource.attributes.get("service.name")?.as_str())
        .collect();
    let has = |name: &str| trace.spans().iter().any(|span| span.name == name);
    let mut missing: Vec<_> = traced.filter(|service| !there.contains(service)).collect();
    if !has("send mail") && !missing.contains(&"email") {
        missing.push("email");
    }
    if trace.orphans().count() > 0 && missing.is_empty() {
        missing.push(A_PARENT);
    }
    missing
}

/// Whether a kill explains that the spans of a service are missing from an order: a kill of the service
/// itself, which lost its unsent spans, or of the Collector, which lost the spans in its memory.
pub(super) fn is_explained(asked: &Asked, service: &str, outages: &[Outage]) -> bool {
    // Spans that ended shortly before the kill are not sent yet.
    let from = asked.began.checked_sub(Duration::from_secs(2));
    // A message is processed some time after the answer: in the worst case after the outages of the broker,
    // of the database and of its consumer.
    let to = asked.ended + Duration::from_secs(40);
    outages.iter().any(|outage| {
        let loses_them = match outage.part {
            Part::Service(name) => name == service || service == A_PARENT,
            Part::Collector => true,
            // The other parts hold no spans.
            Part::Broker | Part::Database => false,
        };
        let then = from.is_none_or(|from| from <= outage.at) && outage.at <= to;
        outage.killed && loses_them && then
    })
}

/// Waits for the last spans: until every gap in a trace is explained by a kill, or until the time for spans
/// to arrive is over.
pub(super) async fn spans_have_arrived(ground: &Ground, asked: &[Asked], outages: &[Outage]) {
    let deadline = Instant::now() + PATIENCE;
    for asked in asked {
        let Some(answer) = &asked.answer else {
            continue;
        };
        loop {
            let lacks = missing(ground.up.trace(answer.trace_id).await.as_ref());
            let is_late = |service: &str| !is_explained(asked, service, outages);
            if !lacks.iter().any(|service| is_late(service)) || Instant::now() > deadline {
                break;
            }
            sleep(Duration::from_millis(100)).await;
        }
    }
}

/// Whether one trace has a publish that failed, and a later one by the relay.
pub(super) fn was_mended(trace: &Trace) -> bool {
    let sends = |failed: bool| {
        trace.spans().iter().any(|span| {
            span.kind == trace::Kind::Producer && (span.status.code == StatusCode::Error) == failed
        })
    };
    sends(true) && sends(false)
}
