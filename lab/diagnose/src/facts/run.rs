//! [`RunFacts`]: facts about a run as a whole: which peers have spans, and which root answers which call.

use std::sync::OnceLock;

use trace::{Kind, Span, Text, Trace};

use super::{
    call, ids,
    known::Known,
    peers::{Peers, answered_calls},
    shape::Route,
    view::View,
    wait::{Gap, Wait},
};
use crate::{
    hash::{HashMap, HashSet},
    thresholds::Thresholds,
};

/// The roots that answer requests, by method and path: the start, the trace and the place of each.
type Roots<'v> = HashMap<(&'v str, &'v str), Vec<(u64, usize, usize)>>;

/// The facts about all traces that are diagnosed together.
pub(crate) struct RunFacts<'v> {
    pub(crate) views: &'v [View<'v>],
    pub(crate) limits: &'v Thresholds,
    beside: &'v [&'v Trace],
    peers: Peers,
    /// What is known of traces that are not here, and of these.
    known: Option<&'v Known>,
    /// The routes that were answered with a span; computed at the first use.
    answered: OnceLock<HashSet<Route<'v>>>,
    roots: OnceLock<Roots<'v>>,
    ids: OnceLock<HashMap<Text, Vec<(usize, usize)>>>,
    /// The waits for locks and pools in each trace: spans, and gaps that may be waits.
    pub(crate) waits: OnceLock<Vec<Vec<Wait>>>,
    pub(crate) gaps: OnceLock<Vec<Gap>>,
}

// === impl RunFacts ===

impl<'v> RunFacts<'v> {
    pub(crate) fn new(
        views: &'v [View<'v>],
        beside: &'v [&'v Trace],
        (peers, known): (Peers, Option<&'v Known>),
        limits: &'v Thresholds,
    ) -> Self {
        RunFacts {
            views,
            limits,
            beside,
            peers,
            known,
            answered: OnceLock::new(),
            roots: OnceLock::new(),
            ids: OnceLock::new(),
            waits: OnceLock::new(),
            gaps: OnceLock::new(),
        }
    }

    /// Whether this route was answered with a span elsewhere.
    pub(crate) fn is_answered_elsewhere(&self, call: &Span) -> bool {
        if !self.peers.include_callee_of(call) {
            return false;
        }
        let answered = self.answered.get_or_init(|| {
            let traces = self
                .views
                .iter()
                .map(|view| &*view.trace)
                .chain(self.beside.iter().copied());
            traces.flat_map(answered_calls).map(Route::of).collect()
        });
        let route = Route::of(call);
        answered.contains(&route) || self.known.is_some_and(|known| known.is_answered(&route))
    }

    /// The number of span names of one pattern in traces that are not here, and in these.
    pub(crate) fn known_names(&self, service: &str, kind: Kind, shape: &str) -> usize {
        self.known
            .map_or(0, |known| known.names(service, kind, shape))
    }

    /// Finds the root in another trace that answers a call without an answer in its own trace: the root has
    /// the same method and path, and lies within the call.
    pub(crate) fn answer_elsewhere(&self, view: usize, call: usize) -> Option<(usize, usize)> {
        let roots = self.roots.get_or_init(|| self.index_roots());
        let span = self.views[view].span(call);
        let candidates = roots.get(&(call::method(span)?, call::path(span)?))?;
        let (_, port) = call::address(span)?;
        let slack = self.limits.handover_ns;
        let first = candidates.partition_point(|(start, ..)| start + slack < span.start_ns);
        candidates[first..]
            .iter()
            .take_while(|(start, ..)| *start <= span.end_ns)
            .filter(|(_, other, _)| *other != view)
            .filter(|(_, other, root)| self.views[*other].end_ns(*root) <= span.end_ns + slack)
            // Of several roots, the one at the called port wins (behind a proxy there is none), then the one
            // that fills the call best.
            .max_by_key(|(_, other, root)| {
                let theirs = &self.views[*other];
                let their_port =
                    call::number(theirs.span(*root), &["server.port", "net.host.port"]);
                (port.is_some() && port == their_port, theirs.ns(*root))
            })
            .map(|(_, other, root)| (*other, *root))
    }

    fn index_roots(&self) -> Roots<'v> {
        let mut roots: Roots<'v> = HashMap::default();
        for (at, view) in self.views.iter().enumerate() {
            for root in view.trace.roots() {
                let span = view.span(root);
                if span.kind == Kind::Server
                    && let (Some(method), Some(path)) = (call::method(span), call::path(span))
                {
                    let places = roots.entry((method, path)).or_default();
                    places.push((span.start_ns, at, root));
                }
            }
        }
        for places in roots.values_mut() {
            places.sort_unstable();
        }
        roots
    }

    /// The spans that name an id, by the places of their trace and their own.
    pub(crate) fn naming(&self, id: &str) -> &[(usize, usize)] {
        let ids = self.ids.get_or_init(|| {
            let mut places: HashMap<Text, Vec<(usize, usize)>> = HashMap::default();
            for (at, view) in self.views.iter().enumerate() {
                for place in 0..view.len() {
                    for id in ids::of(view.span(place)) {
                        places.entry(id).or_default().push((at, place));
                    }
                }
            }
            places
        });
        ids.get(id).map_or(&[], Vec::as_slice)
    }

    /// Whether a call goes to a peer without spans.
    pub(crate) fn is_external(&self, view: &View<'_>, call: usize) -> bool {
        if !view.calls[call].is_to_service() || view.has_answer(call) {
            return false;
        }
        !view.may_have_lost_answer(call) && !self.peers.include_callee_of(view.span(call))
    }
}
