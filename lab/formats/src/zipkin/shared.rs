//! Takes apart what shares a span: a client and its server that report under one id, as B3 lets
//! them (Zipkin API v2, `Span.shared`).

use std::collections::{HashMap, HashSet};

use super::{ZipkinKind, ZipkinSpan};
use trace::{SpanId, TraceId};

/// A span's id is unique in its trace only.
type Key = (TraceId, SpanId);

/// Gives each server's half of a shared span an id of its own, below its client's half, and puts
/// the server's children below it.
///
/// The id follows from the shared one and the server's service, so that a file always gives the
/// same trace, and is one that the trace does not have. A server's half without its client's keeps
/// its id: there is nothing to take apart.
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
    // Last: a server's half, which had its client's parent until now, is its client's child.
    for (place, id) in parted {
        let span = &mut spans[place];
        span.parent_id = Some(span.id);
        span.id = id;
    }
}

/// The servers' halves of one shared span: their places, and the ids that they get.
#[derive(Default)]
struct Servers<'a> {
    all: Vec<(usize, SpanId)>,
    of_service: HashMap<Option<&'a str>, Vec<SpanId>>,
}

// === impl Servers ===

impl Servers<'_> {
    /// Which of them a child of the shared span belongs to; none if it is the client's.
    fn adopter(&self, child: &ZipkinSpan, client: &ZipkinSpan) -> Option<SpanId> {
        let service = child.service();
        if let (Some(_), Some(own)) = (service, self.of_service.get(&service)) {
            return own.first().copied();
        }
        match self.all[..] {
            _ if service.is_some() && service == client.service() => None,
            // Of another service, whose own half is not here. It was called by the server: the
            // client's half ends where the call does.
            [(_, only)] => Some(only),
            _ => None,
        }
    }
}

/// FNV-1a of what the half is, and on from there while that is taken.
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

    /// Some reporters do not say that a span is shared, and a server's is then told by its kind.
    fn is_servers(&self) -> bool {
        self.kind == Some(ZipkinKind::Server) || self.is_shared() && !self.is_clients()
    }
}
