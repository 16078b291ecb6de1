//! The critical path: at each moment, the span for whose own work the end of a trace waited.
//!
//! The algorithm follows Jaeger UI and Uber's CRISP ("CRISP: Critical Path Analysis of Large-Scale
//! Microservice Architectures", USENIX ATC 2022). It walks back from the end of the root. At each span the
//! path follows the child that ended last before the point that was reached; the time in between is the
//! span's own. The segments are adjacent and add up exactly to the duration of the root, for any tree:
//!
//! - Work that was started by a message is not waited for: it has a separate path.
//! - A child is cut where it extends beyond its parent; a child that is wholly outside is left out.
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

/// A span on the way, with the part from its end to the point that was reached.
struct Frame {
    span: usize,
    start: Nanos,
    cursor: Nanos,
    /// The children that may be on the path, by their ends, the last first.
    children: std::vec::IntoIter<Child>,
}

/// A child on the clock of the root, cut where it extends beyond its parent.
#[derive(Clone, Copy)]
struct Child {
    span: usize,
    start: Nanos,
    end: Nanos,
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
            cursor: end,
            children: children.into_iter(),
        }
    }

    /// The child that ended last at or before the point that was reached.
    fn next_child(&mut self) -> Option<Child> {
        // A child that ends after the point overlaps the child that was taken, so it is never taken.
        let cursor = self.cursor;
        self.children.find(|child| child.end <= cursor)
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
        (!outside).then(|| Child {
            span,
            start: start.max(from),
            end: end.min(to),
            shift,
        })
    }
}

/// Whether a child was reached through a message: its parent does not wait for it.
fn is_message(parent: &Span, child: &Span) -> bool {
    child.kind == Kind::Consumer || parent.kind == Kind::Producer
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
