//! Finds the services and addresses that have spans.

use std::sync::Arc;

use trace::{Kind, Resource, Span, Trace};

use super::call;
use crate::hash::{HashMap, HashSet};

/// The services of some traces, and the addresses that answered their calls with spans.
#[derive(Clone, Default)]
pub(crate) struct Peers {
    services: HashSet<String>,
    /// The hosts that answered calls with a span, with their ports.
    answering: HashMap<String, HashSet<Option<i64>>>,
}

// === impl Peers ===

impl Peers {
    /// Adds the services and addresses of a trace.
    pub(crate) fn learn(&mut self, trace: &Trace) {
        // Spans of one service often follow each other.
        let mut before: Option<&Arc<Resource>> = None;
        for span in trace.spans() {
            let is_known = before.is_some_and(|before| Arc::ptr_eq(before, &span.resource));
            before = Some(&span.resource);
            if !is_known && !self.services.contains(span.service()) {
                self.services.insert(span.service().to_owned());
            }
        }
        for (host, port) in answered_calls(trace).filter_map(call::address) {
            match self.answering.get_mut(host) {
                Some(ports) => drop(ports.insert(port)),
                None => {
                    let ports = HashSet::from_iter([port]);
                    self.answering.insert(host.to_owned(), ports);
                }
            }
        }
    }

    /// Adds what was learned elsewhere.
    pub(crate) fn add(&mut self, other: Peers) {
        if self.services.is_empty() && self.answering.is_empty() {
            *self = other;
            return;
        }
        self.services.extend(other.services);
        for (host, others) in other.answering {
            self.answering.entry(host).or_default().extend(others);
        }
    }

    /// Whether the callee of a call has spans.
    pub(crate) fn include_callee_of(&self, call: &Span) -> bool {
        let named = call::peer_service(call).is_some_and(|name| self.services.contains(name));
        named
            || call::address(call).is_some_and(|(host, port)| {
                self.answering
                    .get(host)
                    .is_some_and(|ports| ports.contains(&port))
                    || self.services.contains(inner_name(host))
            })
    }
}

/// The service name in an address of a cluster. An external address is not shortened, so that
/// `api.example.com` is not taken for a service with the name `api`.
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
pub(crate) fn answered_calls(trace: &Trace) -> impl Iterator<Item = &Span> {
    let spans = trace.spans().iter().enumerate();
    spans.filter_map(|(place, span)| {
        let caller = trace.span(trace.parent(place)?);
        (span.kind == Kind::Server && caller.kind == Kind::Client).then_some(caller)
    })
}
