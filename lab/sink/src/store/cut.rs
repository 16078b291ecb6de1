//! A request, cut into its traces: the bytes of each trace's spans, as they came.

use std::{collections::HashMap, sync::Arc};

use foldhash::fast::RandomState;
use smallvec::SmallVec;
use trace::{
    TraceId,
    otlp::{DecodeError, Found, SpanHead},
};

use super::{
    batch::{Batch, Facts, Run},
    envelope::{Envelopes, Parts, Resource, Scope},
    marks::{Mark, Marker},
};
use crate::{
    room::{NoRoom, Share},
    taken::Taken,
};

/// A batch that is not stored yet.
#[derive(Debug)]
pub(super) struct Cut {
    pub(super) trace_id: TraceId,
    pub(super) batch: Batch,
    pub(super) facts: Facts,
}

/// Why a request was not cut.
#[derive(Debug)]
pub(crate) enum NotCut {
    /// It is no OTLP.
    Decode(DecodeError),
    /// There is no room to decode it now.
    NoRoom,
}

/// What is known of the spans of a request before they are copied.
pub(super) struct Cutter<'a, 's> {
    marker: &'s Marker,
    envelopes: &'s Envelopes,
    share: &'s mut Share,
    rows: Vec<Row<'a>>,
    traces: Vec<Rows>,
    places: HashMap<TraceId, u32, RandomState>,
    /// The row of the last span: the next span often stands behind it, and is of the same trace.
    open: Option<Open>,
    group: Option<Group>,
    resource_message: &'a [u8],
    scope_message: &'a [u8],
    resource: Option<Arc<Resource>>,
    scopes: Vec<Arc<Scope>>,
    /// The groups of this request that were used last: spans of one scope often come in turns with those of others.
    recent: [Option<(Arc<Resource>, Group)>; RECENT],
    /// Where the next of them is put.
    oldest: usize,
}

const RECENT: usize = 16;

/// The scope of the spans that are being read.
#[derive(Clone, Copy)]
struct Group {
    scope: u32,
    service: Mark,
}

/// Spans of one trace that stand one behind the other in a scope.
struct Row<'a> {
    fields: &'a [u8],
    scope: u32,
    /// The next row of the same trace; `NONE` at the last.
    next: u32,
}

/// A row to which spans may be added.
#[derive(Clone, Copy)]
struct Open {
    row: u32,
    /// The place of its trace.
    place: u32,
    /// Where it begins and ends in the message of the scope. It ends `NOWHERE` once that message has ended.
    start: usize,
    end: usize,
}

/// The spans of one trace.
struct Rows {
    trace_id: TraceId,
    head: u32,
    tail: u32,
    bytes: usize,
    runs: u32,
    facts: Facts,
    /// The scope of the last span.
    scope: u32,
}

const NONE: u32 = u32::MAX;
const NOWHERE: usize = usize::MAX;

/// The number of rows for which room is taken at once.
const ROWS: usize = 1024;

/// Cuts an encoded request of traces. Spans that cannot be used are refused with their reasons.
pub(super) fn cut(
    request: &[u8],
    envelopes: &Envelopes,
    marker: &Marker,
    share: &mut Share,
    taken: &mut Taken,
) -> Result<(Vec<Cut>, trace::otlp::Walked), NotCut> {
    let mut cutter = Cutter {
        marker,
        envelopes,
        share,
        rows: Vec::new(),
        traces: Vec::new(),
        places: HashMap::default(),
        open: None,
        group: None,
        resource_message: &[],
        scope_message: &[],
        resource: None,
        scopes: Vec::new(),
        recent: [const { None }; RECENT],
        oldest: 0,
    };
    let walked = trace::otlp::walk(request, |found| cutter.take(found, taken))?;
    // The bytes stand in memory twice until the request is dropped.
    let bytes = cutter.traces.iter().map(|rows| rows.bytes).sum();
    cutter.share.grow(bytes)?;
    // All handles first: each is an atomic count, which waits for the bytes that were written before it.
    let runs: Vec<_> = cutter.traces.iter().map(|rows| cutter.runs(rows)).collect();
    let traces = cutter.traces.iter().zip(runs);
    let cuts = traces.map(|(rows, runs)| cutter.batch(rows, runs));
    Ok((cuts.collect(), walked))
}

impl<'a> Cutter<'a, '_> {
    #[inline]
    fn take(&mut self, found: Found<'a>, taken: &mut Taken) -> Result<(), NotCut> {
        match found {
            Found::Resource(message) => {
                self.resource_message = message;
                self.resource = None;
                self.group = None;
                self.close();
            }
            Found::Scope(message) => {
                self.scope_message = message;
                self.group = None;
                self.close();
            }
            Found::Rejected(rejected) => taken.refuse(1, || rejected.to_string()),
            Found::Span(head) => self.span(&head)?,
        }
        Ok(())
    }

    /// Lets the next span begin a row: it stands in another scope.
    fn close(&mut self) {
        if let Some(open) = &mut self.open {
            open.end = NOWHERE;
        }
    }

    #[inline]
    fn span(&mut self, head: &SpanHead<'a>) -> Result<(), NotCut> {
        let group = match self.group {
            Some(group) => group,
            None => self.new_group()?,
        };
        let place = match self.lengthen(head) {
            Some(place) => place,
            None => self.new_row(head, group.scope)?,
        };
        let rows = &mut self.traces[place as usize];
        let at = rows.bytes;
        rows.bytes += head.field.len();
        rows.facts.add_span(head, at, self.marker, group.service);
        Ok(())
    }

    /// Adds a span to the row of the last one, if it stands behind that and is of the same trace.
    #[inline]
    fn lengthen(&mut self, head: &SpanHead<'a>) -> Option<u32> {
        let start = self.start_in_scope(head);
        let open = self.open.as_mut()?;
        if open.end != start || self.traces[open.place as usize].trace_id != head.trace_id {
            return None;
        }
        let end = start + head.field.len();
        self.rows[open.row as usize].fields = self.scope_message.get(open.start..end)?;
        open.end = end;
        Some(open.place)
    }

    /// Where the field of a span begins in the message of its scope, of which it is a part.
    fn start_in_scope(&self, head: &SpanHead<'a>) -> usize {
        let scope = self.scope_message.as_ptr().addr();
        head.field.as_ptr().addr().wrapping_sub(scope)
    }

    fn new_row(&mut self, head: &SpanHead<'a>, scope: u32) -> Result<u32, NotCut> {
        if self.rows.len() == self.rows.capacity() {
            self.more_rows()?;
        }
        let row = self.rows.len() as u32;
        self.rows.push(Row {
            fields: head.field,
            scope,
            next: NONE,
        });
        let place = match self.open {
            Some(open) if self.traces[open.place as usize].trace_id == head.trace_id => open.place,
            _ => self.place(head, row),
        };
        let rows = &mut self.traces[place as usize];
        if rows.tail != row {
            self.rows[rows.tail as usize].next = row;
            rows.tail = row;
        }
        rows.runs += u32::from(rows.scope != scope);
        rows.scope = scope;
        let start = self.start_in_scope(head);
        self.open = Some(Open {
            row,
            place,
            start,
            end: start + head.field.len(),
        });
        Ok(place)
    }

    /// The place of a trace whose first or next row this is.
    fn place(&mut self, head: &SpanHead<'a>, row: u32) -> u32 {
        let next = self.traces.len() as u32;
        let place = *self.places.entry(head.trace_id).or_insert(next);
        if place == next {
            self.traces.push(Rows {
                trace_id: head.trace_id,
                head: row,
                tail: row,
                bytes: 0,
                runs: 0,
                scope: NONE,
                facts: Facts::default(),
            });
        }
        place
    }

    fn more_rows(&mut self) -> Result<(), NotCut> {
        // A trace may have one row, and each row a trace of its own.
        const OF_A_ROW: usize = size_of::<Row<'_>>() + size_of::<Rows>() + size_of::<Cut>() + 32;
        let more = ROWS.max(self.rows.capacity());
        if self.rows.capacity() > 0 {
            self.share.grow(more * OF_A_ROW)?;
        }
        self.rows.reserve_exact(more);
        Ok(())
    }

    /// The group of the first span of a scope. What it shares is kept besides the request, so it takes room.
    fn new_group(&mut self) -> Result<Group, NotCut> {
        let resource_parts = Parts::of(self.resource_message);
        let scope_parts = Parts::of(self.scope_message);
        let mut recent = self.recent.iter().flatten();
        let same = recent.find(|(resource, group)| {
            resource.is(&resource_parts) && self.scopes[group.scope as usize].is(&scope_parts)
        });
        if let Some((_, group)) = same {
            let group = *group;
            self.group = Some(group);
            return Ok(group);
        }
        self.share
            .grow(resource_parts.weight() + scope_parts.weight())?;
        let resource = self
            .resource
            .get_or_insert_with(|| self.envelopes.resource(self.resource_message));
        let scope = self.envelopes.scope(self.scope_message, resource);
        let group = Group {
            scope: self.scopes.len() as u32,
            service: self.marker.service(resource.service()),
        };
        self.scopes.push(scope);
        self.group = Some(group);
        self.recent[self.oldest] = Some((Arc::clone(resource), group));
        self.oldest = (self.oldest + 1) % RECENT;
        Ok(group)
    }

    /// The rows of a trace.
    fn rows(&self, rows: &Rows) -> impl Iterator<Item = &Row<'a>> {
        let row = |at: u32| self.rows.get(at as usize);
        std::iter::successors(row(rows.head), move |last| row(last.next))
    }

    /// The runs of a trace.
    fn runs(&self, rows: &Rows) -> SmallVec<[Run; 2]> {
        let mut runs: SmallVec<[Run; 2]> = SmallVec::with_capacity(rows.runs as usize);
        let (mut scope, mut end) = (NONE, 0);
        for row in self.rows(rows) {
            if row.scope != scope {
                scope = row.scope;
                runs.push(Run {
                    scope: Arc::clone(&self.scopes[scope as usize]),
                    end: 0,
                });
            }
            end += row.fields.len();
            if let Some(run) = runs.last_mut() {
                run.end = u32::try_from(end).unwrap_or(u32::MAX);
            }
        }
        runs
    }

    /// Copies the spans of a trace.
    fn batch(&self, rows: &Rows, runs: SmallVec<[Run; 2]>) -> Cut {
        let mut bytes = Vec::with_capacity(rows.bytes);
        for row in self.rows(rows) {
            bytes.extend_from_slice(row.fields);
        }
        Cut {
            trace_id: rows.trace_id,
            batch: Batch {
                bytes: bytes.into(),
                runs,
            },
            facts: rows.facts.clone(),
        }
    }
}

// === impl NotCut ===

impl From<DecodeError> for NotCut {
    fn from(error: DecodeError) -> NotCut {
        NotCut::Decode(error)
    }
}

impl From<NoRoom> for NotCut {
    fn from(_: NoRoom) -> NotCut {
        NotCut::NoRoom
    }
}
