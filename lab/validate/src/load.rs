//! Whether all traces come back that are sent at a rate, while others are read.

use std::time::Duration;

use backends::{Difference, Field, How, Loss, Maker};
use futures::{StreamExt as _, stream::FuturesUnordered};
use tokio::time::{Instant, sleep_until};
use trace::Span;

use crate::{
    context::{CaseOf, Context, Progress},
    document::CaseResult,
    settle::{Awaited, settle},
};

pub(crate) const CASE: CaseOf<'static> = CaseOf {
    name: "complete-under-load",
    group: "load",
    why: "Traces that are sent at a rate while others are read: none may be lost, and none may lose a span.",
    over: None,
};

/// The most traces that are read back: the others are only sent.
const READ_BACK: usize = 200;

/// The children of a trace.
const CHILDREN: u64 = 9;

pub(crate) async fn run(context: &Context<'_>) -> CaseResult {
    let began = Instant::now();
    let mut maker = Maker::new(context.settings.seed.wrapping_add(0x10ad), context.now_ns);
    let traces = (context.settings.rate * context.settings.load.as_secs_f64())
        .round()
        .max(1.0) as usize;
    let every = traces.div_ceil(READ_BACK);
    let (mut awaited, mut differences, mut sent) = (Vec::new(), Vec::new(), 0);
    let mut open = FuturesUnordered::new();
    let mut took =
        |spans: Vec<Span>, answer: Result<_, crate::send::SendError>, place: usize| match answer {
            Ok(_) if place.is_multiple_of(every) => awaited.push(Awaited {
                id: spans[0].trace_id,
                spans,
                known: context.known(CASE.name, "").into_iter().collect(),
                sent: Instant::now(),
                exact: context.is_exact(),
            }),
            Ok(_) => {}
            Err(error) => differences.push(Difference::of(
                Loss::new(Field::Trace, How::Refused),
                format!("{} spans", spans.len()),
                error.to_string(),
            )),
        };
    for place in 0..traces {
        if context.waiting.stop.is_cancelled() {
            break;
        }
        let due = began + Duration::from_secs_f64(place as f64 / context.settings.rate);
        // What was answered meanwhile is taken.
        loop {
            tokio::select! {
                biased;
                Some((spans, answer, place)) = open.next(), if !open.is_empty() => took(spans, answer, place),
                () = sleep_until(due) => break,
            }
        }
        let root = maker.root();
        let children = (0..CHILDREN).map(|n| maker.child(&root, &format!("call {n}"), n * 4));
        let children: Vec<Span> = children.collect();
        let spans: Vec<Span> = std::iter::once(root).chain(children).collect();
        let sender = context.sender();
        open.push(async move {
            let answer = sender.send(&spans).await;
            (spans, answer, place)
        });
        sent += 1;
        if place.is_multiple_of(every) {
            (context.progress)(Progress {
                what: "load",
                done: sent,
                of: traces,
            });
        }
    }
    while let Some((spans, answer, place)) = open.next().await {
        took(spans, answer, place);
    }
    let took = began.elapsed();
    let read = awaited.len();
    let came_back = settle(context.reader, awaited, &context.waiting, || {}).await;
    differences.extend(came_back.into_iter().flat_map(|came| came.differences));
    let note = format!(
        "{sent} traces of {} spans in {:.1} s ({:.0} of {:.0} traces/s), of which {read} were read back",
        CHILDREN + 1,
        took.as_secs_f64(),
        sent as f64 / took.as_secs_f64(),
        context.settings.rate
    );
    CaseResult {
        notes: vec![note],
        ..context.result(CASE, differences, began.elapsed().as_secs_f64())
    }
}
