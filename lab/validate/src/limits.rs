//! The largest that comes back whole: found by doubling until it does not, and then by bisection. Beyond a limit a
//! backend must say that it refuses; what it leaves out in silence is a loss.

use std::collections::BTreeSet;

use backends::{Difference, Field, How, Loss, Maker};
use tokio::time::Instant;
use trace::{Span, Value};

use crate::{
    context::{CaseOf, Context, Progress},
    document::{CaseResult, LimitResult},
    settle::{Awaited, settle},
};

/// Something that is made larger.
struct Dimension {
    name: &'static str,
    what: &'static str,
    unit: &'static str,
    why: &'static str,
    /// The first that is tried, and the largest.
    from: u64,
    to: u64,
    make: fn(&mut Maker, u64) -> Vec<Span>,
}

const DIMENSIONS: [Dimension; 4] = [
    Dimension {
        name: "limit-attribute",
        what: "the text of an attribute",
        unit: "bytes",
        why: "A text beyond the limit must be refused or marked, and not cut off in silence.",
        from: 16 << 10,
        to: 8 << 20,
        make: |maker, size| {
            let mut root = maker.root();
            let text = "x".repeat(usize::try_from(size).unwrap_or(0));
            root.attributes = [("text", Value::from(text))].into_iter().collect();
            vec![root]
        },
    },
    Dimension {
        name: "limit-attributes",
        what: "attributes of a span",
        unit: "attributes",
        why: "Attributes beyond the limit must be refused or counted as dropped, and not left out in silence.",
        from: 256,
        to: 16_384,
        make: |maker, count| {
            let mut root = maker.root();
            root.attributes = (0..count).map(|n| (format!("key.{n}"), "value")).collect();
            vec![root]
        },
    },
    Dimension {
        name: "limit-events",
        what: "events of a span",
        unit: "events",
        why: "Events beyond the limit must be refused or counted as dropped, and not left out in silence.",
        from: 256,
        to: 16_384,
        make: |maker, count| {
            let mut root = maker.root();
            let event = trace::Event {
                time_ns: root.start_ns,
                name: "event".into(),
                attributes: trace::Attributes::default(),
                dropped_attributes: 0,
            };
            root.events = (0..count)
                .map(|n| trace::Event {
                    name: format!("event {n}").into(),
                    ..event.clone()
                })
                .collect();
            vec![root]
        },
    },
    Dimension {
        name: "limit-trace",
        what: "spans of a trace",
        unit: "spans",
        why: "Spans beyond the limit of a trace must be refused, or the trace said to be partial.",
        from: 4_000,
        to: 64_000,
        make: |maker, count| {
            let root = maker.root();
            let children = (1..count).map(|n| maker.child(&root, "call", n % 40));
            let children: Vec<Span> = children.collect();
            std::iter::once(root).chain(children).collect()
        },
    },
];

/// So small that it is below any limit: what is lost of it is lost of every span.
const SMALL: u64 = 2;

/// The spans of one request.
const A_REQUEST: usize = 2_000;

/// The bisection ends when the two sides are this near: an eighth.
const NEAR: u64 = 8;

/// What happened at a size.
enum Tried {
    Whole,
    Refused(String),
    Lost(Vec<Difference>),
}

/// The names of the cases.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    DIMENSIONS.iter().map(|dimension| dimension.name)
}

pub(crate) async fn run(context: &Context<'_>) -> (Vec<CaseResult>, Vec<LimitResult>) {
    let mut maker = Maker::new(context.settings.seed.wrapping_add(0x1111), context.now_ns);
    let (mut results, mut limits) = (Vec::new(), Vec::new());
    for dimension in &DIMENSIONS {
        let (result, limit) = find(context, dimension, &mut maker).await;
        results.push(result);
        limits.push(limit);
        (context.progress)(Progress {
            what: "limits",
            done: limits.len(),
            of: DIMENSIONS.len(),
        });
    }
    (results, limits)
}

async fn find(
    context: &Context<'_>,
    dimension: &Dimension,
    maker: &mut Maker,
) -> (CaseResult, LimitResult) {
    let began = Instant::now();
    let case = CaseOf {
        name: dimension.name,
        group: "limits",
        why: dimension.why,
        over: None,
    };
    let mut always = BTreeSet::new();
    if let Tried::Lost(differences) =
        try_size(context, (dimension.make)(maker, SMALL), &always).await
    {
        always = differences.iter().map(|one| one.loss).collect();
    }
    let (mut good, mut bad) = (0, None);
    let mut size = dimension.from;
    let mut last = None;
    while !context.waiting.stop.is_cancelled() {
        match try_size(context, (dimension.make)(maker, size), &always).await {
            Tried::Whole => good = good.max(size),
            failed => {
                bad = Some(size);
                last = Some(failed);
            }
        }
        size = match bad {
            None if size >= dimension.to => break,
            None => (2 * size).min(dimension.to),
            Some(bad) if bad - good <= (bad / NEAR).max(1) => break,
            Some(bad) => good.midpoint(bad),
        };
    }
    let (how, is_said, differences) = match last {
        None => ("the largest that is tried".to_owned(), true, Vec::new()),
        Some(Tried::Refused(said)) => (said, true, Vec::new()),
        Some(Tried::Lost(differences)) => {
            let first = differences.first().map(|one| one.loss.to_string());
            (first.unwrap_or_default(), false, differences)
        }
        Some(Tried::Whole) => unreachable!("only what failed is kept"),
    };
    let limit = LimitResult {
        what: dimension.what.to_owned(),
        unit: dimension.unit.to_owned(),
        most: good,
        fails_at: bad,
        how,
        is_said,
    };
    (
        context.result(case, differences, began.elapsed().as_secs_f64()),
        limit,
    )
}

/// Sends it and reads it back. What is among `always` counts as there.
async fn try_size(context: &Context<'_>, spans: Vec<Span>, always: &BTreeSet<Loss>) -> Tried {
    for request in spans.chunks(A_REQUEST) {
        match context.sender().send(request).await {
            Ok(accepted) if accepted.rejected > 0 => return Tried::Refused(accepted.message),
            Ok(_) => {}
            Err(error) => return Tried::Refused(error.to_string()),
        }
    }
    let awaited = Awaited {
        id: spans[0].trace_id,
        spans,
        known: always.clone(),
        sent: Instant::now(),
        exact: context.is_exact(),
    };
    let came_back = settle(context.reader, vec![awaited], &context.waiting, || {}).await;
    let came_back = came_back.into_iter().flat_map(|came| came.differences);
    let lost: Vec<Difference> = came_back
        .filter(|one| !always.contains(&one.loss))
        .collect();
    // An error in place of the trace, and a count of what was left out, are no silence.
    let said = lost
        .iter()
        .find_map(|one| match (one.loss.field, one.loss.how) {
            (_, How::Unreadable) => Some(one.got.clone()),
            (Field::DroppedAttributes | Field::DroppedEvents, How::Added) => {
                Some("it counts them as dropped".to_owned())
            }
            _ => None,
        });
    match said {
        Some(said) => Tried::Refused(said),
        None if lost.is_empty() => Tried::Whole,
        None => Tried::Lost(lost),
    }
}
