//! What a kill -9 leaves: traces that could be read before it must be there after a restart.

use backends::{Maker, ReadError};
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

pub(crate) async fn run(context: &Context<'_>, started: &mut Option<Started>) -> CaseResult {
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
    (context.progress)(Progress::At {
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
    let lost_before = before
        .iter()
        .filter(|came| !came.differences.is_empty())
        .count();
    if lost_before > 0 {
        return context.untried(
            CASE,
            format!("{lost_before} of {TRACES} traces were not whole before the kill"),
        );
    }
    if let Err(error) = started.kill_and_restart().await {
        return context.untried(CASE, format!("the backend did not start again: {error}"));
    }
    let asked = Instant::now();
    while asked.elapsed() < context.waiting.patience {
        match context.reader.identify().await {
            Err(
                ReadError::Unreachable { .. } | ReadError::Busy { .. } | ReadError::Failed { .. },
            ) => sleep(LOOK).await,
            _ => break,
        }
    }
    let after = settle(context.reader, awaited(), &context.waiting, || {}).await;
    let whole = after
        .iter()
        .filter(|came| came.differences.is_empty())
        .count();
    let differences = after
        .into_iter()
        .flat_map(|came| came.differences)
        .collect();
    (context.progress)(Progress::At {
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
