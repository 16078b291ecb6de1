//! What a kill -9 leaves: traces that could be read before it must be there after a restart.

use backends::{Difference, Field, How, Loss, Maker, ReadError};
use tokio::time::{Instant, sleep};
use trace::Span;

use crate::{
    context::{CaseOf, Context, Progress},
    document::CaseResult,
    settle::{Awaited, settle},
    started::Started,
};

pub(crate) const CASE: CaseOf<'static> = CaseOf {
    name: "restart",
    group: "restart",
    why: "Traces that could be read must be there after a kill -9 and a restart.",
    over: None,
};

const TRACES: usize = 20;

/// The pause between two looks whether the backend answers again.
const LOOK: std::time::Duration = std::time::Duration::from_millis(50);

pub(crate) async fn run(context: &Context<'_>, started: Option<&mut Started>) -> CaseResult {
    let Some(started) = started else {
        return context.untried(
            CASE,
            "the backend was not started here; --start COMMAND does".to_owned(),
        );
    };
    let began = Instant::now();
    let mut maker = Maker::new(context.settings.seed.wrapping_add(0xdead), context.now_ns);
    let mut traces: Vec<Vec<Span>> = Vec::new();
    for _ in 0..TRACES {
        let root = maker.root();
        let child = maker.child(&root, "call", 5);
        let spans = vec![root, child];
        if let Err(error) = context.sender().send(&spans).await {
            return context.untried(CASE, format!("the backend takes no traces: {error}"));
        }
        traces.push(spans);
    }
    (context.progress)(Progress {
        what: "restarting",
        done: 0,
        of: 1,
    });
    let awaited = || {
        let known = || context.known(CASE.name, "").into_iter().collect();
        let one = |spans: &Vec<Span>| Awaited {
            id: spans[0].trace_id,
            spans: spans.clone(),
            known: known(),
            sent: Instant::now(),
            exact: context.is_exact(),
        };
        traces.iter().map(one).collect::<Vec<_>>()
    };
    let before = settle(context.reader, awaited(), &context.waiting, || {}).await;
    if before
        .iter()
        .any(|came| came.differences.iter().any(is_gone))
    {
        return context.untried(
            CASE,
            "not all traces could be read before the kill".to_owned(),
        );
    }
    if let Err(error) = started.kill_and_restart().await {
        let loss = Loss::new(Field::Trace, How::Unreadable);
        let lost = Difference::of(
            loss,
            format!("{TRACES} traces"),
            format!("it did not start again: {error}"),
        );
        return context.result(CASE, vec![lost], began.elapsed().as_secs_f64());
    }
    let asked = Instant::now();
    while let Err(
        ReadError::Unreachable { .. } | ReadError::Busy { .. } | ReadError::Failed { .. },
    ) = context.reader.identify().await
    {
        if asked.elapsed() >= context.waiting.patience || context.waiting.stop.is_cancelled() {
            break;
        }
        sleep(LOOK).await;
    }
    let after = settle(context.reader, awaited(), &context.waiting, || {}).await;
    // What a trace had lost before the kill is the matter of other cases.
    let mut differences = Vec::new();
    let mut whole = 0;
    for (before, after) in before.into_iter().zip(after) {
        let new = after
            .differences
            .into_iter()
            .filter(|difference| !before.differences.contains(difference));
        let lost = differences.len();
        differences.extend(new);
        whole += usize::from(differences.len() == lost);
    }
    (context.progress)(Progress {
        what: "restarting",
        done: 1,
        of: 1,
    });
    CaseResult {
        notes: vec![format!(
            "{whole} of {TRACES} traces were there after kill -9 and a restart"
        )],
        ..context.result(CASE, differences, began.elapsed().as_secs_f64())
    }
}

/// Whether a span or a whole trace did not come back.
fn is_gone(difference: &Difference) -> bool {
    matches!(
        (difference.loss.field, difference.loss.how),
        (Field::Trace, _) | (Field::Span, How::Missing)
    )
}
