//! Holds the ledger against the store: which request has which trace, and which span has none.

use std::collections::{HashMap, HashSet};

use expect::{Report, Verdict};
use loadgen::{Line, Step};
use scenario::Expectation;
use sink::{Query, Store};
use trace::{Span, Trace, TraceId, Value};

/// One request of the ledger, with its trace and what was found of it.
#[derive(Clone, Debug)]
pub struct Case {
    /// The request.
    pub line: Line,
    /// Its trace, as it was judged; `None` if the sink has none.
    pub trace: Option<Trace>,
    /// What the expectation says of the trace. Only a checkout has one.
    pub report: Option<Report>,
}

/// A trace that belongs to no request.
#[derive(Clone, Debug)]
pub struct Unexplained {
    /// The trace.
    pub trace_id: TraceId,
    /// How many spans it has.
    pub spans: usize,
    /// The service and the name of its first span.
    pub first: String,
}

/// What was found of a whole run.
#[derive(Clone, Debug)]
pub struct Judgement {
    /// A case a request, in the order of the ledger.
    pub cases: Vec<Case>,
    /// Traces that belong to no request.
    pub unexplained: Vec<Unexplained>,
}

// === impl Case ===

impl Case {
    /// A checkout must match the expectation; any other request must have a trace.
    pub fn verdict(&self) -> Verdict {
        match (&self.report, &self.trace) {
            (Some(report), _) => report.verdict,
            (None, Some(_)) if self.line.step != Step::Checkout => Verdict::Pass,
            // It was never sent, so there is nothing to be found.
            (None, None) if self.line.started.is_none() => Verdict::Pass,
            _ => Verdict::Fail,
        }
    }

    /// Whether this is a request that the scenario speaks of.
    pub fn is_checkout(&self) -> bool {
        self.line.step == Step::Checkout
    }
}

// === impl Judgement ===

impl Judgement {
    /// Judges all requests of a ledger by what the store holds now.
    pub fn new(lines: Vec<Line>, expectation: &Expectation, store: &Store) -> Self {
        let traces = Traces::read(store);
        let known = Known::new(&lines, &traces);
        let unexplained = traces.of_nobody(&known);
        let cases = lines
            .into_iter()
            .map(|line| traces.judge(line, expectation, &known))
            .collect();
        Judgement { cases, unexplained }
    }

    /// How many spans belong to no request.
    pub fn unexplained_spans(&self) -> usize {
        self.unexplained.iter().map(|trace| trace.spans).sum()
    }

    /// The checkout whose latency is the median of those that passed.
    pub fn median(&self) -> Option<&Case> {
        let mut passed: Vec<&Case> = self
            .cases
            .iter()
            .filter(|case| case.is_checkout() && case.verdict() == Verdict::Pass)
            .collect();
        passed.sort_by_key(|case| case.line.latency());
        passed.get(passed.len() / 2).copied()
    }
}

/// The trace of a request, by the reply's `traceresponse` or, where there was no reply, by the
/// `lab.request` that checkout records of the baggage.
pub(crate) fn trace_of(line: &Line, store: &Store) -> Option<Trace> {
    match line.trace_id {
        Some(trace_id) => store.trace(trace_id),
        None => with_attribute(store, "lab.request", line.request_id.as_str()).pop(),
    }
}

/// The traces of which a span has this attribute.
pub(crate) fn with_attribute(store: &Store, key: &str, value: &str) -> Vec<Trace> {
    let query = Query {
        attribute: Some((key.to_owned(), value.to_owned())),
        ..Query::default()
    };
    store
        .search(&query)
        .into_iter()
        .filter_map(|found| store.trace(found.trace_id))
        .collect()
}

/// What the ledger knows of: a trace that mentions one of these belongs to a request.
struct Known {
    traces: HashSet<TraceId>,
    orders: HashSet<String>,
    messages: HashSet<String>,
}

impl Known {
    fn new(lines: &[Line], traces: &Traces) -> Self {
        let ids = lines.iter().filter_map(|line| traces.id_of(line)).collect();
        let orders = lines.iter().filter_map(|line| line.order_id.clone());
        let messages = lines.iter().filter_map(|line| line.message_id.clone());
        Known {
            traces: ids,
            orders: orders.collect(),
            messages: messages.collect(),
        }
    }

    fn mentions(&self, span: &Span) -> bool {
        let attribute = |key: &str| span.attributes.get(key).and_then(Value::as_str);
        span.links
            .iter()
            .any(|link| self.traces.contains(&link.trace_id))
            || attribute("order.id").is_some_and(|id| self.orders.contains(id))
            || attribute("messaging.message.id").is_some_and(|id| self.messages.contains(id))
    }
}

/// All traces of the store.
struct Traces {
    by_id: HashMap<TraceId, Trace>,
    by_request: HashMap<String, TraceId>,
}

impl Traces {
    fn read(store: &Store) -> Self {
        let by_id: HashMap<TraceId, Trace> = store
            .trace_ids()
            .into_iter()
            .filter_map(|id| Some((id, store.trace(id)?)))
            .collect();
        let by_request = by_id
            .iter()
            .flat_map(|(id, trace)| trace.spans().iter().map(move |span| (*id, span)))
            .filter_map(|(id, span)| {
                Some((span.attributes.get("lab.request")?.as_str()?.to_owned(), id))
            })
            .collect();
        Traces { by_id, by_request }
    }

    fn id_of(&self, line: &Line) -> Option<TraceId> {
        line.trace_id
            .or_else(|| self.by_request.get(line.request_id.as_str()).copied())
    }

    fn of_nobody(&self, known: &Known) -> Vec<Unexplained> {
        let mut unexplained: Vec<Unexplained> = self
            .by_id
            .values()
            .filter(|trace| {
                !known.traces.contains(&trace.id())
                    && !trace.spans().iter().any(|span| known.mentions(span))
            })
            .map(|trace| Unexplained {
                trace_id: trace.id(),
                spans: trace.spans().len(),
                first: trace
                    .spans()
                    .first()
                    .map(|span| format!("{} {}", span.service(), span.name))
                    .unwrap_or_default(),
            })
            .collect();
        unexplained.sort_by_key(|trace| trace.trace_id);
        unexplained
    }

    fn judge(&self, line: Line, expectation: &Expectation, known: &Known) -> Case {
        let trace = self
            .id_of(&line)
            .and_then(|id| self.by_id.get(&id))
            .cloned();
        let report = trace
            .as_ref()
            .filter(|_| line.step == Step::Checkout)
            .map(|trace| expect::check(expectation, trace, &self.related(trace, known)));
        Case {
            line,
            trace,
            report,
        }
    }

    /// The traces that link to a trace: a consumer that started one of its own.
    fn related(&self, trace: &Trace, known: &Known) -> Vec<Trace> {
        self.by_id
            .values()
            .filter(|other| !known.traces.contains(&other.id()))
            .filter(|other| {
                let mut links = other.spans().iter().flat_map(|span| &span.links);
                links.any(|link| link.trace_id == trace.id())
            })
            .cloned()
            .collect()
    }
}
