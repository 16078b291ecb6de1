//! [`View`]: a trace as the rules see it, with the calls of its spans and their shares of the critical path.

use std::{borrow::Cow, sync::OnceLock};

use trace::{
    CriticalPath, Kind, Span, SpanId, Top, Trace, critical_paths, is_message, paths_after,
};

use super::{
    call::{self, Call},
    lost::Lost,
};
use crate::hash::{HashMap, HashSet};

/// A trace with facts about each of its spans. A place is the index of a span in the trace.
pub(crate) struct View<'t> {
    /// The trace, without repeated spans.
    pub(crate) trace: Cow<'t, Trace>,
    /// The span ids that occurred more than once, and their counts.
    pub(crate) repeated: Vec<(SpanId, usize)>,
    /// The call of each span.
    pub(crate) calls: Vec<Call>,
    /// The calls whose spans record an answer, without a span of the answering side in the trace.
    pub(crate) unanswered: Vec<usize>,
    /// The fields that nearly every rule reads, in one array: the complete spans of a run do not fit into a
    /// cache.
    briefs: Vec<Brief>,
    /// The critical paths of the trace.
    pub(crate) paths: Vec<CriticalPath>,
    /// The critical paths of work that goes on after the end of these: nothing waited for it.
    pub(crate) after: Vec<CriticalPath>,
    /// The part of the critical path that is each span's own, in nanoseconds.
    pub(crate) own: Vec<u64>,
    /// The part of the critical path that is the own time of each span or of spans below it for which it
    /// waited, in nanoseconds.
    pub(crate) below: Vec<u64>,
    /// For each span, the head of its possible critical path: a top, or a span that was reached through a
    /// message.
    pub(crate) head: Vec<usize>,
    /// For each span, the entry of its service into the request; computed at the first use.
    entries: OnceLock<Vec<usize>>,
    /// The end of the last span, in nanoseconds since the Unix epoch; never before the start of the trace.
    pub(crate) ended_ns: u64,
    /// The spans whose parent is missing; computed at the first use.
    lost: OnceLock<Lost>,
}

/// The fields of a span that nearly every rule reads.
#[derive(Clone, Copy)]
struct Brief {
    start_ns: u64,
    end_ns: u64,
    kind: Kind,
    is_error: bool,
}

// === impl View ===

impl<'t> View<'t> {
    pub(crate) fn new(trace: &'t Trace) -> Self {
        let (trace, repeated) = once_each(trace);
        let spans = trace.spans();
        let paths = critical_paths(&trace);
        let heads: Vec<usize> = paths.iter().map(|path| path.root).collect();
        let after = paths_after(&trace, &heads);
        let mut own = vec![0; spans.len()];
        for segment in paths.iter().flat_map(|path| &path.segments) {
            own[segment.span] += segment.end_ns - segment.start_ns;
        }
        let mut below = own.clone();
        let mut head: Vec<usize> = (0..spans.len()).collect();
        let order: Vec<usize> = trace.walk().map(|(span, _)| span).collect();
        for &span in &order {
            if let Some(parent) = trace.parent(span)
                && !is_message(&spans[parent], &spans[span])
            {
                head[span] = head[parent];
            }
        }
        for &span in order.iter().rev() {
            if let Some(parent) = trace.parent(span)
                && head[span] != span
            {
                below[parent] += below[span];
            }
        }
        let brief = |span: &Span| Brief {
            start_ns: span.start_ns,
            end_ns: span.end_ns,
            kind: span.kind,
            is_error: span.is_error(),
        };
        let mut view = View {
            calls: spans.iter().map(Call::of).collect(),
            unanswered: Vec::new(),
            briefs: spans.iter().map(brief).collect(),
            repeated,
            paths,
            after,
            own,
            below,
            head,
            entries: OnceLock::new(),
            lost: OnceLock::new(),
            ended_ns: trace.end_ns(),
            trace,
        };
        view.unanswered = (0..view.len())
            .filter(|&place| view.was_answered(place) && !view.has_answer(place))
            .collect();
        view
    }

    pub(crate) fn span(&self, place: usize) -> &Span {
        self.trace.span(place)
    }

    pub(crate) fn len(&self) -> usize {
        self.trace.spans().len()
    }

    pub(crate) fn start_ns(&self, place: usize) -> u64 {
        self.briefs[place].start_ns
    }

    pub(crate) fn end_ns(&self, place: usize) -> u64 {
        self.briefs[place].end_ns
    }

    /// The duration of a span, in nanoseconds.
    pub(crate) fn ns(&self, place: usize) -> u64 {
        self.end_ns(place).saturating_sub(self.start_ns(place))
    }

    pub(crate) fn kind(&self, place: usize) -> Kind {
        self.briefs[place].kind
    }

    pub(crate) fn is_error(&self, place: usize) -> bool {
        self.briefs[place].is_error
    }

    pub(crate) fn id(&self, place: usize) -> SpanId {
        self.span(place).span_id
    }

    pub(crate) fn ids(&self, places: &[usize]) -> Vec<SpanId> {
        places.iter().map(|&place| self.id(place)).collect()
    }

    /// The length of the critical path that a span belongs to, in nanoseconds.
    pub(crate) fn path_ns(&self, place: usize) -> u64 {
        self.ns(self.head[place])
    }

    /// The share of its critical path that is a span's own, from 0 to 1.
    pub(crate) fn share(&self, place: usize) -> f64 {
        let total = self.path_ns(place);
        if total == 0 {
            0.0
        } else {
            self.own[place] as f64 / total as f64
        }
    }

    /// The part of the critical path that belongs to these spans and the spans below them, in nanoseconds.
    pub(crate) fn cost(&self, places: &[usize]) -> u64 {
        places.iter().map(|&place| self.below[place]).sum()
    }

    /// The part of the critical path that is the own time of these spans, in nanoseconds.
    pub(crate) fn cost_of_own(&self, places: &[usize]) -> u64 {
        places.iter().map(|&place| self.own[place]).sum()
    }

    /// Whether a span answers its caller: it is the child of a call.
    pub(crate) fn is_answer(&self, caller: usize, child: usize) -> bool {
        self.kind(child) == Kind::Server
            || self.span(child).service() != self.span(caller).service()
    }

    /// Whether a span is a call that was answered, according to the span.
    fn was_answered(&self, call: usize) -> bool {
        match self.calls[call] {
            Call::Http(_) => call::status_code(self.span(call)).is_some(),
            Call::Rpc => !self.is_error(call),
            _ => false,
        }
    }

    /// Whether the trace has the other side of a call.
    pub(crate) fn has_answer(&self, call: usize) -> bool {
        let mut children = self.trace.children(call).iter();
        children.any(|&child| self.is_answer(call, child))
    }

    /// Whether the answer to a call may be in the trace without its parent: it lies within the call.
    pub(crate) fn may_have_lost_answer(&self, call: usize) -> bool {
        let lost = self.lost.get_or_init(|| Lost::of(&self.trace));
        lost.lie_within(&self.trace, call)
    }

    /// The first span of the trace: the earliest root, or the earliest span without a root.
    pub(crate) fn root(&self) -> Option<usize> {
        self.trace.roots().next().or((self.len() > 0).then_some(0))
    }

    /// The spans above a span, nearest first.
    pub(crate) fn above(&self, place: usize) -> impl Iterator<Item = usize> + '_ {
        std::iter::successors(self.trace.parent(place), |&place| self.trace.parent(place))
    }

    /// The entry of a span's service into the request: the highest span above it, without a span of another
    /// service in between.
    pub(crate) fn entry(&self, place: usize) -> usize {
        // All at once: a chain of steps is as long as the trace.
        let entries = self.entries.get_or_init(|| {
            let mut entries: Vec<usize> = (0..self.len()).collect();
            for (place, _) in self.trace.walk() {
                if let Some(parent) = self.trace.parent(place)
                    && self.span(parent).service() == self.span(place).service()
                {
                    entries[place] = entries[parent];
                }
            }
            entries
        });
        entries[place]
    }

    /// The service and the name of a span, for a sentence.
    pub(crate) fn place(&self, place: usize) -> String {
        let span = self.span(place);
        format!("{} {}", span.service(), span.name)
    }

    /// The parts that the trace lacks, a sentence for each.
    pub(crate) fn missing(&self) -> Vec<String> {
        let mut missing = Vec::new();
        let orphans = self.trace.orphans().count();
        if self.len() > 0 && self.trace.roots().next().is_none() {
            missing
                .push("it has no root: what is said of the whole is said of its parts".to_owned());
        }
        match orphans {
            0 => {}
            1 => missing.push("1 span names a parent that is not here".to_owned()),
            orphans => missing.push(format!("{orphans} spans name a parent that is not here")),
        }
        let cycles = self
            .trace
            .tops()
            .iter()
            .filter(|&&top| self.trace.top(top) == Some(Top::Cycle));
        match cycles.count() {
            0 => {}
            1 => missing.push("1 cycle of parents was cut".to_owned()),
            cycles => missing.push(format!("{cycles} cycles of parents were cut")),
        }
        missing
    }
}

fn once_each(trace: &Trace) -> (Cow<'_, Trace>, Vec<(SpanId, usize)>) {
    let mut ids: Vec<SpanId> = trace.spans().iter().map(|span| span.span_id).collect();
    ids.sort_unstable();
    if ids.windows(2).all(|two| two[0] != two[1]) {
        return (Cow::Borrowed(trace), Vec::new());
    }
    let mut counts: HashMap<SpanId, usize> = HashMap::default();
    for span in trace.spans() {
        *counts.entry(span.span_id).or_default() += 1;
    }
    let mut seen: HashSet<SpanId> = HashSet::default();
    let spans = trace
        .spans()
        .iter()
        .filter(|span| seen.insert(span.span_id));
    let once = Trace::new(trace.id(), spans.cloned().collect());
    let repeated = once
        .spans()
        .iter()
        .map(|span| (span.span_id, counts[&span.span_id]))
        .filter(|(_, count)| *count > 1);
    let repeated = repeated.collect();
    (Cow::Owned(once), repeated)
}
