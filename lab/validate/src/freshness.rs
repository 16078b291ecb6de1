//! How long a trace takes from the answer to its export until it can be read.

use std::time::Duration;

use backends::{Difference, Field, How, Loss, Maker};
use tokio::time::{Instant, sleep};
use trace::Span;

use crate::{
    context::{CaseOf, Context, Progress},
    document::{CaseResult, Freshness},
};

pub(crate) const CASE: CaseOf<'static> = CaseOf {
    name: "freshness",
    group: "freshness",
    why: "How long a trace takes from the answer to its export until it can be read.",
    over: None,
};

/// The number of traces, one after the other.
const TRACES: usize = 20;

/// The longest time for all of them: a backend that takes a minute is not asked twenty times.
const LONGEST: Duration = Duration::from_secs(20);

/// The pause between two reads of a trace.
const PAUSE: Duration = Duration::from_millis(2);

/// Measures it.
pub(crate) async fn run(context: &Context<'_>) -> (CaseResult, Option<Freshness>) {
    let began = Instant::now();
    let mut maker = Maker::new(context.settings.seed.wrapping_add(0x0f), context.now_ns);
    let (mut times, mut never, mut tried) = (Vec::new(), 0, 0);
    let mut differences = Vec::new();
    while tried < TRACES && began.elapsed() < LONGEST && !context.waiting.stop.is_cancelled() {
        let root = maker.root();
        let child = maker.child(&root, "call", 5);
        tried += 1;
        match context.sender().send(&[root.clone(), child.clone()]).await {
            Err(error) => differences.push(Difference::of(
                Loss::new(Field::Trace, How::Refused),
                "2 spans".to_owned(),
                error.to_string(),
            )),
            Ok(_) => match readable(context, &root).await {
                Some(after) => times.push(after.as_secs_f64() * 1e3),
                None => {
                    never += 1;
                    differences.push(Difference::of(
                        Loss::new(Field::Trace, How::Missing),
                        "2 spans".to_owned(),
                        String::new(),
                    ));
                }
            },
        }
        (context.progress)(Progress {
            what: "freshness",
            done: tried,
            of: TRACES,
        });
    }
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times[((times.len() - 1) as f64 * share).round() as usize];
    let freshness = (!times.is_empty()).then(|| Freshness {
        traces: tried,
        never,
        resolution_ms: PAUSE.as_secs_f64() * 1e3,
        p50_ms: at(0.5),
        p90_ms: at(0.9),
        max_ms: at(1.0),
    });
    (
        context.result(CASE, differences, began.elapsed().as_secs_f64()),
        freshness,
    )
}

/// The time until both spans of a trace are there; `None` if that takes longer than the patience.
async fn readable(context: &Context<'_>, root: &Span) -> Option<Duration> {
    let sent = Instant::now();
    loop {
        let mut pause = PAUSE;
        match context.reader.trace(root.trace_id).await {
            Ok(Some(found)) if found.spans.len() >= 2 => return Some(sent.elapsed()),
            Ok(_) => {}
            Err(error) => pause = pause.max(error.retry_after().unwrap_or_default()),
        }
        if sent.elapsed() >= context.waiting.patience || context.waiting.stop.is_cancelled() {
            return None;
        }
        sleep(pause).await;
    }
}
