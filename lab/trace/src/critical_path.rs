//! The critical path: at each moment, the span for whose own work the end of a trace waited.
//!
//! The algorithm follows Jaeger UI and Uber's CRISP ("CRISP: Critical Path Analysis of Large-Scale
//! Microservice Architectures", USENIX ATC 2022). It walks back from the end of the root. At each span the
//! path follows the child that ended last before the point that was reached; the time in between is the
//! span's own. The segments are adjacent and add up exactly to the duration of the root, for any tree:
//!
//! - Work that was started by a message is not waited for: it has a separate path.
//! - A child is cut where it extends beyond its parent; a child that is wholly outside is left out.
//! - Steps that overlap a little, in order, are serial (see [`is_serial`]): the earlier one is cut where the
//!   later one begins.
//! - The server of a call that lies outside its client, and is no longer than it (by more than 1 %),
//!   is taken for a span of another clock: it is moved into the middle of the client, and all below
//!   it as far. So a clock that is off does not hide where the time went.

use std::time::Duration;

use crate::{Kind, Span, Trace};

/// The critical path of one root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CriticalPath {
    /// The span at whose end the path ends.
    pub root: usize,
    /// The path, earliest first. Each segment begins where the one before it ends.
    pub segments: Vec<Segment>,
}

/// A piece of the critical path: time in which one span did its own work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// The span, by its place in [`Trace::spans`].
    pub span: usize,
    /// Its start on the clock of the root, in nanoseconds since the Unix epoch.
    pub start_ns: u64,
    /// Its end on the clock of the root, in nanoseconds since the Unix epoch.
    pub end_ns: u64,
}

/// The highest ratio of a server's duration to its client's duration within one call, as a fraction.
const SERVER_SLACK: (i128, i128) = (101, 100);

/// The highest overlap of two serial steps, as a fraction of their parent's duration: CRISP's mild overlap.
const MILD: (i128, i128) = (1, 100);

/// The highest overlap of two serial steps of any parent, in nanoseconds. Some SDKs cut the start of a span to
/// whole milliseconds, so that it seems to begin before the span ahead of it has ended.
const COARSE_CLOCK_NS: i128 = 1_000_000;

/// The longest time for which a span may end after the head of its path, in nanoseconds, without going on.
const AFTER_NS: i128 = 2_000_000;

/// A time on the clock of the root, or a distance between two, in nanoseconds.
type Nanos = i128;

/// Finds the critical path of a span and everything below it.
pub fn critical_path(trace: &Trace, root: usize) -> CriticalPath {
    let (start, end) = interval(trace.span(root));
    let mut segments = Vec::new();
    let mut stack = vec![Frame::new(trace, root, start, end, 0)];
    // From the end to the start. The stack is on the heap, so that a deep trace does not overflow the call
    // stack.
    while let Some(frame) = stack.last_mut() {
        match frame.next_child() {
            Some(child) => {
                push(&mut segments, frame.span, child.end, frame.cursor);
                frame.cursor = child.start;
                frame.last = Some(child.uncut);
                stack.push(Frame::new(
                    trace,
                    child.span,
                    child.start,
                    child.end,
                    child.shift,
                ));
            }
            None => {
                push(&mut segments, frame.span, frame.start, frame.cursor);
                stack.pop();
            }
        }
    }
    segments.reverse();
    CriticalPath { root, segments }
}

/// Finds the critical paths of a trace: one for each span at the top, then one for each span that was reached
/// through a message, in the order of the spans.
pub fn critical_paths(trace: &Trace) -> Vec<CriticalPath> {
    let through_message = (0..trace.spans().len()).filter(|&span| {
        trace
            .parent(span)
            .is_some_and(|parent| is_message(trace.span(parent), trace.span(span)))
    });
    let roots: Vec<usize> = trace
        .tops()
        .iter()
        .copied()
        .chain(through_message)
        .collect();
    roots
        .into_iter()
        .map(|root| critical_path(trace, root))
        .collect()
}

// === impl CriticalPath ===

impl CriticalPath {
    /// The length of the path: exactly the duration of its root.
    pub fn total(&self) -> Duration {
        self.through(|_| true)
    }

    /// The part of the path that is the own time of `span`.
    pub fn own(&self, span: usize) -> Duration {
        self.through(|other| other == span)
    }

    /// The part of the path that is the own time of the spans for which `is_asked` is true.
    pub fn through(&self, is_asked: impl Fn(usize) -> bool) -> Duration {
        let asked = self
            .segments
            .iter()
            .filter(|segment| is_asked(segment.span));
        // The segments do not overlap, so their sum fits into 64 bits.
        Duration::from_nanos(asked.map(|segment| segment.end_ns - segment.start_ns).sum())
    }
}

/// Finds the critical paths of the work that goes on after the heads of the trace's other paths have ended: one
/// for each highest span that does. Each path covers the time from the end of its head to the end of the span;
/// work that begins later is covered from its start.
///
/// `heads` are the roots of [`critical_paths`].
pub fn paths_after(trace: &Trace, heads: &[usize]) -> Vec<CriticalPath> {
    let mut paths = Vec::new();
    for &head in heads {
        let end = interval(trace.span(head)).1;
        let mut stack: Vec<usize> = trace.children(head).iter().rev().copied().collect();
        while let Some(span) = stack.pop() {
            let above = trace.parent(span).map(|parent| trace.span(parent));
            if above.is_some_and(|parent| is_message(parent, trace.span(span))) {
                continue;
            }
            if !goes_on(trace, span, end) {
                stack.extend(trace.children(span).iter().rev());
                continue;
            }
            let mut path = critical_path(trace, span);
            path.segments
                .retain(|segment| Nanos::from(segment.end_ns) > end);
            for segment in &mut path.segments {
                // The end of a span has 64 bits.
                segment.start_ns = segment.start_ns.max(u64::try_from(end).unwrap_or(u64::MAX));
            }
            paths.push(path);
        }
    }
    paths
}

/// Whether a span does work after `end`, for longer than clocks are off.
fn goes_on(trace: &Trace, span: usize, end: Nanos) -> bool {
    let (start, until) = interval(trace.span(span));
    let length = until - start;
    let after = until - start.max(end);
    let is_callee = trace.parent(span).is_some_and(|parent| {
        // A callee that is no longer than its call has another clock.
        let (parent, child) = (trace.span(parent), trace.span(span));
        let (from, to) = interval(parent);
        let fits = length * SERVER_SLACK.1 <= (to - from) * SERVER_SLACK.0;
        parent.kind == Kind::Client && child.kind == Kind::Server && fits
    });
    !is_callee && after > AFTER_NS.max(length * MILD.0 / MILD.1)
}

/// A span on the way, with the part from its end to the point that was reached.
struct Frame {
    span: usize,
    start: Nanos,
    length: Nanos,
    cursor: Nanos,
    /// The child that the path reached last, before it was cut.
    last: Option<(Nanos, Nanos)>,
    /// The children that may be on the path, by their ends, the last first.
    children: std::vec::IntoIter<Child>,
}

/// A child on the clock of the root, cut where it extends beyond its parent.
#[derive(Clone, Copy)]
struct Child {
    span: usize,
    start: Nanos,
    end: Nanos,
    /// Its start and end, before it is cut where the next step begins.
    uncut: (Nanos, Nanos),
    /// The shift of all spans below it, from their own clock to the root's clock.
    shift: Nanos,
}

// === impl Frame ===

impl Frame {
    fn new(trace: &Trace, span: usize, start: Nanos, end: Nanos, shift: Nanos) -> Self {
        let parent = trace.span(span);
        let mut children: Vec<Child> = trace
            .children(span)
            .iter()
            .filter(|&&child| !is_message(parent, trace.span(child)))
            .filter_map(|&child| Child::within(trace.span(child), parent, start, end, shift, child))
            .collect();
        // Of children that end together, the longest comes first.
        children.sort_by_key(|child| (-child.end, child.start, child.span));
        Frame {
            span,
            start,
            length: end - start,
            cursor: end,
            last: None,
            children: children.into_iter(),
        }
    }

    /// The child that ended last at or before the point that was reached.
    fn next_child(&mut self) -> Option<Child> {
        // A child that ends after the point overlaps the child that was taken. Unless both are serial, it is
        // never taken.
        let (cursor, last, parent) = (self.cursor, self.last, self.length);
        let is_before = |child: &Child| {
            child.end <= cursor || last.is_some_and(|last| are_serial(child.uncut, last, parent))
        };
        let mut child = self.children.find(is_before)?;
        child.end = child.end.min(cursor);
        Some(child)
    }
}

// === impl Child ===

impl Child {
    fn within(
        child: &Span,
        parent: &Span,
        from: Nanos,
        to: Nanos,
        shift: Nanos,
        span: usize,
    ) -> Option<Child> {
        let (start, end) = interval(child);
        let (mut start, mut end, mut shift) = (start + shift, end + shift, shift);
        let length = end - start;
        let is_call = parent.kind == Kind::Client && child.kind == Kind::Server;
        let sticks_out = start < from || end > to;
        let fits = length * SERVER_SLACK.1 <= (to - from) * SERVER_SLACK.0;
        if is_call && sticks_out && fits {
            let moved = from + (to - from - length) / 2 - start;
            (start, end, shift) = (start + moved, end + moved, shift + moved);
        }
        let outside = end < from || start > to;
        let (start, end) = (start.max(from), end.min(to));
        (!outside).then_some(Child {
            span,
            start,
            end,
            uncut: (start, end),
            shift,
        })
    }
}

/// Whether two spans below one parent are serial steps, the first before the next: they do not overlap, or they
/// overlap as little as clocks do.
///
/// Both begin and end in order, and overlap by at most half of the shorter one. The overlap is at most 1 % of
/// the parent, or 1 ms: some SDKs cut the start of a span to whole milliseconds.
pub fn is_serial(first: &Span, next: &Span, parent_ns: u64) -> bool {
    let (first, next) = (interval(first), interval(next));
    first.1 <= next.0 || are_serial(first, next, Nanos::from(parent_ns))
}

/// Whether a span lies within its parent, as far as clocks tell.
///
/// At both ends it sticks out by at most half of itself, and by at most 1 % of the parent, or 1 ms: some SDKs cut
/// the start of a span to whole milliseconds, and its end moves with it.
pub fn is_within(child: &Span, parent: &Span) -> bool {
    let times = |span: &Span| (Nanos::from(span.start_ns), Nanos::from(span.end_ns));
    let (child, parent) = (times(child), times(parent));
    let out = (parent.0 - child.0).max(child.1 - parent.1);
    let is_small = out * MILD.1 <= (parent.1 - parent.0) * MILD.0 || out <= COARSE_CLOCK_NS;
    out <= 0 || (is_small && 2 * out <= child.1 - child.0)
}

/// Whether two intervals that overlap are serial.
fn are_serial(first: (Nanos, Nanos), next: (Nanos, Nanos), parent: Nanos) -> bool {
    let overlap = first.1 - next.0;
    let in_order = first.0 < next.0 && first.1 < next.1;
    let shorter = (first.1 - first.0).min(next.1 - next.0);
    let is_small = overlap * MILD.1 <= parent * MILD.0 || overlap <= COARSE_CLOCK_NS;
    in_order && 2 * overlap <= shorter && is_small
}

/// Whether a child was reached through a message: its parent does not wait for it.
///
/// A consumer always was, and so was a child of a producer. But what lies within a producer, in the same service,
/// is a part of the sending: some instrumentations make two spans of one send.
pub fn is_message(parent: &Span, child: &Span) -> bool {
    let is_part_of_sending = || {
        let is_within = child.start_ns >= parent.start_ns && child.end_ns <= parent.end_ns;
        is_within && child.service() == parent.service()
    };
    child.kind == Kind::Consumer || (parent.kind == Kind::Producer && !is_part_of_sending())
}

/// The start and end of a span; a span that ends before it begins has no length.
fn interval(span: &Span) -> (Nanos, Nanos) {
    let start = Nanos::from(span.start_ns);
    (start, start.max(Nanos::from(span.end_ns)))
}

fn push(segments: &mut Vec<Segment>, span: usize, start: Nanos, end: Nanos) {
    if end > start {
        let inside = "children are cut off at their parent, so no segment leaves the root";
        segments.push(Segment {
            span,
            start_ns: u64::try_from(start).expect(inside),
            end_ns: u64::try_from(end).expect(inside),
        });
    }
}
