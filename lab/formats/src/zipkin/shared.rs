//! Separates shared spans: a client and its server that report under one id, as B3 allows (Zipkin API v2,
//! `Span.shared`).

use std::collections::{HashMap, HashSet};

use super::{ZipkinKind, ZipkinSpan};
use trace::{SpanId, TraceId};

/// The id of a span is unique only in its trace.
type Key = (TraceId, SpanId);

/// Gives the server's half of each shared span a new id, makes it a child of the client's half, and moves the
/// server's children below it.
///
/// The new id is computed from the shared id and the server's service, so that a file always gives the same
/// trace, and differs from all ids of the trace. A server's half without a client's half keeps its id.
pub(super) fn part(spans: &mut [ZipkinSpan]) {
    let mut clients: HashMap<Key, usize> = HashMap::new();
    let mut taken: HashSet<Key> = HashSet::new();
    for (place, span) in spans.iter().enumerate() {
        taken.insert(span.key());
        taken.extend(span.parent_key());
        if !span.is_servers() {
            clients.entry(span.key()).or_insert(place);
        }
    }
    let mut servers: HashMap<Key, Servers<'_>> = HashMap::new();
    for (place, span) in spans.iter().enumerate() {
        let Some(client) = clients.get(&span.key()) else {
            continue;
        };
        if span.is_servers() && (span.is_shared() || spans[*client].is_clients()) {
            let servers = servers.entry(span.key()).or_default();
            let of_service = servers.of_service.entry(span.service()).or_default();
            let id = new_id(span, of_service.len(), &taken);
            taken.insert((span.trace_id, id));
            of_service.push(id);
            servers.all.push((place, id));
        }
    }
    let adopted = spans.iter().enumerate().filter_map(|(place, span)| {
        let parent = span.parent_key()?;
        let client = &spans[*clients.get(&parent)?];
        Some((place, servers.get(&parent)?.adopter(span, client)?))
    });
    let adopted: Vec<(usize, SpanId)> = adopted.collect();
    let parted: Vec<(usize, SpanId)> = servers.into_values().flat_map(|of| of.all).collect();
    for (place, server) in adopted {
        spans[place].parent_id = Some(server);
    }
    // Last: the server's half, which had its client's parent until now, becomes the child of its client.
    for (place, id) in parted {
        let span = &mut spans[place];
        span.parent_id = Some(span.id);
        span.id = id;
    }
}

/// The servers' halves of one shared span: their places, and their new ids.
#[derive(Default)]
struct Servers<'a> {
    all: Vec<(usize, SpanId)>,
    of_service: HashMap<Option<&'a str>, Vec<SpanId>>,
}

// === impl Servers ===

impl Servers<'_> {
    /// The server's half that a child of the shared span belongs to; `None` if it belongs to the client.
    fn adopter(&self, child: &ZipkinSpan, client: &ZipkinSpan) -> Option<SpanId> {
        let service = child.service();
        if let (Some(_), Some(own)) = (service, self.of_service.get(&service)) {
            return own.first().copied();
        }
        match self.all[..] {
            _ if service.is_some() && service == client.service() => None,
            // The child is of another service, whose own half is missing. The server called it, since the
            // client's half ends with the call.
            [(_, only)] => Some(only),
            _ => None,
        }
    }
}

/// A new id: FNV-1a of the half, continued while the id is taken.
fn new_id(half: &ZipkinSpan, nth_of_service: usize, taken: &HashSet<Key>) -> SpanId {
    const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0100_0000_01b3;
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(PRIME);
    let nth = (nth_of_service as u64).to_be_bytes();
    let parts: [&[u8]; 4] = [
        half.trace_id.as_bytes(),
        half.id.as_bytes(),
        half.service().unwrap_or_default().as_bytes(),
        &nth,
    ];
    let mut hash = parts.into_iter().flatten().fold(OFFSET, step);
    loop {
        match SpanId::from_bytes(hash.to_be_bytes()) {
            Ok(id) if !taken.contains(&(half.trace_id, id)) => return id,
            _ => hash = hash.wrapping_add(1),
        }
    }
}

// === impl ZipkinSpan ===

impl ZipkinSpan {
    fn key(&self) -> Key {
        (self.trace_id, self.id)
    }

    fn parent_key(&self) -> Option<Key> {
        Some((self.trace_id, self.parent_id?))
    }

    fn is_shared(&self) -> bool {
        self.shared == Some(true)
    }

    fn is_clients(&self) -> bool {
        self.kind == Some(ZipkinKind::Client)
    }

    /// Whether the half is the server's. Some reporters do not mark a span as shared; then the kind decides.
    fn is_servers(&self) -> bool {
        self.kind == Some(ZipkinKind::Server) || self.is_shared() && !self.is_clients()
    }
}
