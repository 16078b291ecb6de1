//! What is known of a run as a whole: who has spans of their own, and which root answers which call.

use std::{cell::OnceCell, sync::Arc};

use trace::{Kind, Resource, Span, Trace};

use crate::{
    call,
    hash::{HashMap, HashSet},
    ids, shape,
    thresholds::Thresholds,
    view::View,
};

/// Roots that answer requests, by method and path: when each began, its trace, and its place.
type Roots<'v> = HashMap<(&'v str, &'v str), Vec<(u64, usize, usize)>>;

/// All traces that are diagnosed together.
pub(crate) struct Run<'v> {
    pub(crate) views: &'v [View<'v>],
    pub(crate) limits: &'v Thresholds,
    beside: &'v [Trace],
    services: HashSet<&'v str>,
    /// Who answered calls with spans of their own: hosts, and the ports of each.
    answering: HashMap<&'v str, Vec<Option<i64>>>,
    /// Routes of theirs that did so; found out when somebody asks.
    answered: OnceCell<HashSet<String>>,
    roots: OnceCell<Roots<'v>>,
    ids: OnceCell<HashMap<String, Vec<(usize, usize)>>>,
}

// === impl Run ===

impl<'v> Run<'v> {
    pub(crate) fn new(views: &'v [View<'v>], beside: &'v [Trace], limits: &'v Thresholds) -> Self {
        let mut run = Run {
            views,
            limits,
            beside,
            services: HashSet::default(),
            answering: HashMap::default(),
            answered: OnceCell::new(),
            roots: OnceCell::new(),
            ids: OnceCell::new(),
        };
        for view in views {
            run.learn(&view.trace);
        }
        for trace in beside {
            run.learn(trace);
        }
        run
    }

    fn learn(&mut self, trace: &'v Trace) {
        // Spans of one service come in rows.
        let mut before: Option<&Arc<Resource>> = None;
        for span in trace.spans() {
            if before.is_none_or(|before| !Arc::ptr_eq(before, &span.resource)) {
                self.services.insert(span.service());
                before = Some(&span.resource);
            }
        }
        for (host, port) in answered_calls(trace).filter_map(call::address) {
            let ports = self.answering.entry(host).or_default();
            if !ports.contains(&port) {
                ports.push(port);
            }
        }
    }

    /// Whether who is called has spans of its own.
    pub(crate) fn is_instrumented(&self, call: &Span) -> bool {
        let named = call::peer_service(call).is_some_and(|name| self.services.contains(name));
        named
            || call::address(call).is_some_and(|(host, port)| {
                self.answering
                    .get(host)
                    .is_some_and(|ports| ports.contains(&port))
                    || self.services.contains(inner_name(host))
            })
    }

    /// Whether just this route was answered with a span elsewhere.
    pub(crate) fn is_answered_elsewhere(&self, call: &Span) -> bool {
        if !self.is_instrumented(call) {
            return false;
        }
        let answered = self.answered.get_or_init(|| {
            let traces = self
                .views
                .iter()
                .map(|view| &*view.trace)
                .chain(self.beside);
            traces.flat_map(answered_calls).map(shape::route).collect()
        });
        answered.contains(&shape::route(call))
    }

    /// The root of another trace that answers a call which has no answer in its own: it is of the same
    /// method and path, and lies within the call.
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
            // Of several, the one at the port that was called (behind a proxy none is), then the one
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
            let mut places: HashMap<String, Vec<(usize, usize)>> = HashMap::default();
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

    /// Whether a call goes to somebody who has no spans of its own.
    pub(crate) fn is_external(&self, view: &View<'_>, call: usize) -> bool {
        if !view.calls[call].is_to_service() || view.has_answer(call) {
            return false;
        }
        let span = view.span(call);
        // What it was answered with may be here without its parent.
        let within = |top: usize| {
            let top = view.span(top);
            top.service() != span.service()
                && top.start_ns >= span.start_ns
                && top.end_ns <= span.end_ns
        };
        let lost = view.trace.orphans().any(within);
        !lost && !self.is_instrumented(span)
    }
}

/// The name of a service by its address in a cluster; an address of the world outside stays whole, so
/// that `api.example.com` is not taken for a service that is called `api`.
fn inner_name(host: &str) -> &str {
    let inside = [".local", ".internal", ".svc"]
        .iter()
        .any(|end| host.ends_with(end))
        || host.contains(".svc.");
    match inside {
        true => host.split('.').next().unwrap_or(host),
        false => host,
    }
}

/// The calls of a trace that were answered with a span.
fn answered_calls(trace: &Trace) -> impl Iterator<Item = &Span> {
    let spans = trace.spans().iter().enumerate();
    spans.filter_map(|(place, span)| {
        let caller = trace.span(trace.parent(place)?);
        (span.kind == Kind::Server && caller.kind == Kind::Client).then_some(caller)
    })
}
