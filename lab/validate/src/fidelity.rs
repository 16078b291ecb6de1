//! The cases of the fidelity suite, and the shop's recorded traces, over each protocol.

use std::{collections::BTreeMap, time::Duration};

use backends::{Case, Difference, Field, How, Loss, Made, Maker, cases};
use firehose::Shape;
use futures::{StreamExt as _, stream};
use tokio::time::Instant;
use trace::{Span, SpanId, TraceId};

use crate::{
    context::{CaseOf, Context, Progress},
    document::CaseResult,
    send::{Protocol, SendError, Sender},
    settle::{Awaited, settle},
};

/// How many cases are sent at once.
const CONCURRENT: usize = 4;

/// The shapes of the firehose that are sent, the names of their cases, and why.
const SHOP: [(&str, &str, &str); 4] = [
    (
        "small",
        "shop-products",
        "The list of products: two services, as their SDK exported them.",
    ),
    (
        "order",
        "shop-order",
        "An order through four services and a queue, as their SDKs exported it.",
    ),
    (
        "wide",
        "shop-wide",
        "An order with 300 spans side by side, with all that an SDK sends besides.",
    ),
    (
        "n-plus-one",
        "shop-n-plus-one",
        "An order with 200 queries in a row, the trace that a user will look for.",
    ),
];

/// A case that is sent over a protocol.
struct Sending<'a> {
    case: CaseOf<'a>,
    made: Made,
    sender: &'a Sender,
}

/// A case that was sent.
struct Sent<'a> {
    sending: Sending<'a>,
    refused: Vec<Difference>,
    notes: Vec<String>,
    at: Instant,
}

pub(crate) async fn run(context: &Context<'_>) -> Vec<CaseResult> {
    let chosen: Vec<Case> = cases()
        .filter(|case| is_chosen(context, case.name))
        .collect();
    let mut sendings = Vec::new();
    for (place, sender) in context.settings.senders.iter().enumerate() {
        // Each protocol has ids of its own.
        let seed = context
            .settings
            .seed
            .wrapping_mul(4)
            .wrapping_add(place as u64);
        let mut maker = Maker::new(seed, context.now_ns);
        for case in cases() {
            // Made in any case: the ids do not depend on the choice.
            let made = case.make(&mut maker);
            if chosen.iter().any(|chosen| chosen.name == case.name) {
                let case = CaseOf {
                    name: case.name,
                    group: case.group.as_str(),
                    why: case.why,
                    over: Some(sender.protocol()),
                };
                sendings.push(Sending { case, made, sender });
            }
        }
        for (shape, name, why) in SHOP {
            let made = Made {
                requests: vec![recorded(shape, &mut maker)],
                late: Vec::new(),
            };
            if is_chosen(context, name) {
                let case = CaseOf {
                    name,
                    group: "shop",
                    why,
                    over: Some(sender.protocol()),
                };
                sendings.push(Sending { case, made, sender });
            }
        }
    }
    let of = sendings.len();
    let mut sent = Vec::new();
    let mut sending = stream::iter(sendings.into_iter().map(send)).buffer_unordered(CONCURRENT);
    while let Some(one) = sending.next().await {
        sent.push(one);
        (context.progress)(Progress {
            what: "sending",
            done: sent.len(),
            of,
        });
    }
    drop(sending);
    late(context, &mut sent).await;
    read(context, sent).await
}

/// The names of the cases that are recorded traces of the shop.
pub(crate) fn shop_cases() -> impl Iterator<Item = &'static str> {
    SHOP.iter().map(|(_, name, _)| *name)
}

fn is_chosen(context: &Context<'_>, name: &str) -> bool {
    let only = &context.settings.only;
    only.is_empty() || only.iter().any(|part| name.contains(part.as_str()))
}

/// The spans of a recorded trace, with ids of their own and times of today.
fn recorded(shape: &str, maker: &mut Maker) -> Vec<Span> {
    let shape = Shape::built_in(shape).expect("a shape of the firehose");
    let mut spans = shape.spans;
    let first = spans.iter().map(|span| span.start_ns).min().unwrap_or(0);
    let trace_id = maker.trace_id();
    let mut ids: BTreeMap<SpanId, SpanId> = BTreeMap::new();
    let mut new = |id: SpanId| *ids.entry(id).or_insert_with(|| maker.span_id());
    for span in &mut spans {
        span.span_id = new(span.span_id);
        span.parent_span_id = span.parent_span_id.map(&mut new);
        for link in &mut span.links {
            link.trace_id = trace_id;
            link.span_id = new(link.span_id);
        }
    }
    let start = maker.now_ns();
    for span in &mut spans {
        span.trace_id = trace_id;
        let shift = |time: u64| start + time.saturating_sub(first);
        span.start_ns = shift(span.start_ns);
        span.end_ns = shift(span.end_ns);
        for event in &mut span.events {
            event.time_ns = shift(event.time_ns);
        }
    }
    spans
}

async fn send(sending: Sending<'_>) -> Sent<'_> {
    let (mut refused, mut notes) = (Vec::new(), Vec::new());
    for request in &sending.made.requests {
        take(
            sending.sender.send(request).await,
            request.len(),
            &mut refused,
            &mut notes,
        );
    }
    Sent {
        sending,
        refused,
        notes,
        at: Instant::now(),
    }
}

fn take(
    answer: Result<crate::send::Accepted, SendError>,
    spans: usize,
    refused: &mut Vec<Difference>,
    notes: &mut Vec<String>,
) {
    match answer {
        Ok(accepted) => {
            if accepted.rejected > 0 {
                let how = Loss::new(Field::Span, How::Refused);
                let said = format!("{} rejected: {}", accepted.rejected, accepted.message);
                refused.push(Difference::of(how, format!("{spans} spans"), said));
            } else if !accepted.message.is_empty() {
                notes.push(format!("the receiver warns: {}", accepted.message));
            }
        }
        Err(error) => {
            let how = Loss::new(Field::Trace, How::Refused);
            refused.push(Difference::of(
                how,
                format!("{spans} spans"),
                error.to_string(),
            ));
        }
    }
}

/// Sends the spans that come late, when those before them can be read.
async fn late(context: &Context<'_>, sent: &mut [Sent<'_>]) {
    let with_late: Vec<usize> = (0..sent.len())
        .filter(|at| !sent[*at].sending.made.late.is_empty())
        .collect();
    let awaited = with_late
        .iter()
        .map(|at| {
            let sent = &sent[*at];
            let spans: Vec<Span> = sent
                .sending
                .made
                .requests
                .iter()
                .flatten()
                .cloned()
                .collect();
            Awaited {
                id: spans[0].trace_id,
                known: Default::default(),
                sent: sent.at,
                exact: false,
                spans,
            }
        })
        .collect();
    settle(context.reader, awaited, &context.waiting, || {}).await;
    for at in with_late {
        let sent = &mut sent[at];
        let late = &sent.sending.made.late;
        take(
            sent.sending.sender.send(late).await,
            late.len(),
            &mut sent.refused,
            &mut sent.notes,
        );
        sent.at = Instant::now();
    }
}

async fn read(context: &Context<'_>, sent: Vec<Sent<'_>>) -> Vec<CaseResult> {
    let (mut awaited, mut of_case) = (Vec::new(), Vec::new());
    for (at, sent) in sent.iter().enumerate() {
        let is_refused = sent
            .refused
            .iter()
            .any(|one| one.loss.field == Field::Trace);
        if is_refused {
            // What was not taken does not come.
            continue;
        }
        let mut traces: BTreeMap<TraceId, Vec<Span>> = BTreeMap::new();
        for span in sent.sending.made.spans() {
            traces.entry(span.trace_id).or_default().push(span.clone());
        }
        let over = sent
            .sending
            .case
            .over
            .map(|over| over.as_str())
            .unwrap_or_default();
        for (id, spans) in traces {
            let known = context
                .known(sent.sending.case.name, over)
                .into_iter()
                .collect();
            awaited.push(Awaited {
                id,
                spans,
                known,
                sent: sent.at,
                exact: sent.sending.case.over != Some(Protocol::Json),
            });
            of_case.push(at);
        }
    }
    let (mut done, of) = (0, awaited.len());
    let came_back = settle(context.reader, awaited, &context.waiting, || {
        done += 1;
        (context.progress)(Progress {
            what: "reading",
            done,
            of,
        });
    })
    .await;
    let mut results: Vec<(Vec<Difference>, Vec<String>, Duration)> = sent
        .iter()
        .map(|sent| (sent.refused.clone(), sent.notes.clone(), Duration::ZERO))
        .collect();
    for (at, came) in of_case.into_iter().zip(came_back) {
        let (differences, notes, after) = &mut results[at];
        differences.extend(came.differences);
        notes.extend(came.notes);
        *after = (*after).max(came.after);
    }
    let results = sent.iter().zip(results);
    let mut results: Vec<CaseResult> = results
        .map(|(sent, (differences, notes, after))| CaseResult {
            notes,
            ..context.result(sent.sending.case, differences, after.as_secs_f64())
        })
        .collect();
    let place = |name: &str| {
        cases()
            .position(|case| case.name == name)
            .unwrap_or(usize::MAX)
    };
    results.sort_by_key(|result| (place(&result.case), result.case.clone(), result.over));
    results
}
