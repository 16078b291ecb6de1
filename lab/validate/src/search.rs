//! Whether searches find what they should, and nothing else.
//!
//! Traces of a service that only this run has differ in one thing each: the name of a span, an attribute, the duration,
//! the time. Each search has exactly one of them as its answer.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use backends::{Criterion, Difference, Field, How, Loss, Maker, Query};
use tokio::time::{Instant, sleep};
use trace::{Resource, Span, TraceId};

use crate::{
    context::{CaseOf, Context, Progress},
    document::CaseResult,
};

/// A search, and which of the traces it must find.
struct Search {
    name: &'static str,
    why: &'static str,
    criteria: &'static [Criterion],
    query: Query,
    finds: Vec<TraceId>,
}

/// The names of the cases.
pub(crate) const NAMES: [&str; 6] = [
    "search-by-service",
    "search-by-name",
    "search-by-attribute",
    "search-by-duration",
    "search-by-time",
    "search-for-nothing",
];

const SECOND_NS: u64 = 1_000_000_000;

/// The pause between two searches that wait for the same traces.
const PAUSE: Duration = Duration::from_millis(100);

pub(crate) async fn run(context: &Context<'_>) -> Vec<CaseResult> {
    let mut maker = Maker::new(context.settings.seed.wrapping_add(0x5ea7), context.now_ns);
    let service = format!("fidelity-search-{:x}", context.settings.seed);
    let resource = Arc::new(Resource {
        attributes: [("service.name", service.as_str())].into_iter().collect(),
        ..Resource::default()
    });
    let mut traces: Vec<Vec<Span>> = (0..5)
        .map(|_| {
            let mut root = maker.root();
            root.resource = Arc::clone(&resource);
            let child = maker.child(&root, "call", 5);
            vec![root, child]
        })
        .collect();
    traces[1][0].name = "get /named".into();
    traces[2][0].attributes = [("order.id", "o-4711")].into_iter().collect();
    traces[3][0].end_ns = traces[3][0].start_ns + 3 * SECOND_NS;
    for span in &mut traces[4] {
        span.start_ns -= 600 * SECOND_NS;
        span.end_ns -= 600 * SECOND_NS;
    }
    let ids: Vec<TraceId> = traces.iter().map(|spans| spans[0].trace_id).collect();
    let mut refused = Vec::new();
    for spans in &traces {
        if let Err(error) = context.sender().send(spans).await {
            let loss = Loss::new(Field::Trace, How::Refused);
            refused.push(Difference::of(
                loss,
                format!("{} spans", spans.len()),
                error.to_string(),
            ));
        }
    }
    let now = context.now_ns;
    let everything = (now - 3_600 * SECOND_NS, now + 60 * SECOND_NS);
    let base = Query {
        service: Some(service.clone()),
        time_ns: Some(everything),
        limit: 100,
        ..Query::default()
    };
    let searches = vec![
        Search {
            name: "search-by-service",
            why: "All traces of a service, and none of another.",
            criteria: &[Criterion::Service],
            query: base.clone(),
            finds: ids.clone(),
        },
        Search {
            name: "search-by-name",
            why: "The one trace that has a span of this name.",
            criteria: &[Criterion::Service, Criterion::Name],
            query: Query {
                name: Some("get /named".to_owned()),
                ..base.clone()
            },
            finds: vec![ids[1]],
        },
        Search {
            name: "search-by-attribute",
            why: "The one trace that has this order's id: the first question of every incident.",
            criteria: &[Criterion::Service, Criterion::Attribute],
            query: Query {
                attribute: Some(("order.id".to_owned(), "o-4711".to_owned())),
                ..base.clone()
            },
            finds: vec![ids[2]],
        },
        Search {
            name: "search-by-duration",
            why: "The one trace that took longer than two seconds.",
            criteria: &[Criterion::Service, Criterion::MinDuration],
            query: Query {
                min_duration: Some(Duration::from_secs(2)),
                ..base.clone()
            },
            finds: vec![ids[3]],
        },
        Search {
            name: "search-by-time",
            why: "The one trace of ten minutes ago.",
            criteria: &[Criterion::Service, Criterion::Time],
            query: Query {
                time_ns: Some((now - 900 * SECOND_NS, now - 300 * SECOND_NS)),
                ..base.clone()
            },
            finds: vec![ids[4]],
        },
        Search {
            name: "search-for-nothing",
            why: "An attribute that no span has must find nothing.",
            criteria: &[Criterion::Service, Criterion::Attribute],
            query: Query {
                attribute: Some(("order.id".to_owned(), "o-0".to_owned())),
                ..base
            },
            finds: Vec::new(),
        },
    ];
    let of = searches.len();
    let mut results = Vec::new();
    for search in searches {
        let case = CaseOf {
            name: search.name,
            group: "search",
            why: search.why,
            over: None,
        };
        let lacks = search
            .criteria
            .iter()
            .find(|one| !context.reader.searches().contains(one));
        results.push(match lacks {
            Some(criterion) => {
                let kind = context.reader.kind();
                context.untried(
                    case,
                    format!("the reader of {kind} has no search by {criterion:?}"),
                )
            }
            None => try_search(context, case, search, &refused).await,
        });
        (context.progress)(Progress {
            what: "searching",
            done: results.len(),
            of,
        });
    }
    results
}

async fn try_search(
    context: &Context<'_>,
    case: CaseOf<'_>,
    search: Search,
    refused: &[Difference],
) -> CaseResult {
    let began = Instant::now();
    let wanted: BTreeSet<TraceId> = search.finds.into_iter().collect();
    let known: BTreeSet<Loss> = context.known(case.name, "").into_iter().collect();
    let mut differences;
    loop {
        let mut pause = PAUSE;
        differences = refused.to_vec();
        match context.reader.search(&search.query).await {
            Ok(found) => {
                let found: BTreeSet<TraceId> = found.into_iter().collect();
                let one = |how, id: &TraceId| match how {
                    How::Missing => Difference::of(
                        Loss::new(Field::Search, how),
                        format!("trace {id}"),
                        String::new(),
                    ),
                    how => Difference::of(
                        Loss::new(Field::Search, how),
                        String::new(),
                        format!("trace {id}"),
                    ),
                };
                differences.extend(wanted.difference(&found).map(|id| one(How::Missing, id)));
                differences.extend(found.difference(&wanted).map(|id| one(How::Added, id)));
            }
            Err(error) => {
                pause = pause.max(error.retry_after().unwrap_or_default());
                let loss = Loss::new(Field::Search, How::Unreadable);
                differences.push(Difference::of(loss, String::new(), error.to_string()));
            }
        }
        let losses: BTreeSet<Loss> = differences.iter().map(|one| one.loss).collect();
        // What was found too much does not go away; what is missing may come.
        let may_change = losses
            .iter()
            .any(|loss| loss.how != How::Added && loss.field == Field::Search);
        let is_known = !losses.is_empty() && losses == known && began.elapsed() >= 10 * PAUSE;
        let is_over = losses.is_empty() || !may_change || is_known;
        if is_over
            || began.elapsed() >= context.waiting.patience
            || context.waiting.stop.is_cancelled()
        {
            break;
        }
        sleep(pause).await;
    }
    context.result(case, differences, began.elapsed().as_secs_f64())
}
