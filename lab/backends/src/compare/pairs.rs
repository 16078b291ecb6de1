//! [`Pairs`]: which span that came back is which that was sent.
//!
//! Spans are paired by their ids. Of several with one id the most alike are a pair. What is left over is paired by
//! content: then its id has changed. Two spans whose ids were exchanged are found by their content, too.

use std::collections::HashMap;

use trace::{Span, SpanId};

/// Spans that were sent, with those that came back.
#[derive(Debug, Default)]
pub(super) struct Pairs<'a> {
    pub(super) matched: Vec<(&'a Span, &'a Span)>,
    /// Spans that have each other's id.
    pub(super) swapped: Vec<(&'a Span, &'a Span)>,
    pub(super) missing: Vec<&'a Span>,
    /// Spans that were not sent, and whether they are copies of one that was.
    pub(super) added: Vec<(&'a Span, bool)>,
    /// The ids of spans that came back with another one.
    pub(super) new_ids: HashMap<SpanId, SpanId>,
}

/// How much two spans are alike, from their content alone. The highest is [`ALIKE`].
fn likeness(sent: &Span, got: &Span) -> u32 {
    let near = |a: u64, b: u64| a.abs_diff(b) < 2_000;
    let name = u32::from(sent.name.eq_ignore_ascii_case(&got.name)) * 4;
    let start = u32::from(near(sent.start_ns, got.start_ns)) * 3;
    let end = u32::from(near(sent.end_ns, got.end_ns)) * 2;
    let kind = u32::from(sent.kind == got.kind) * 2;
    let parent = u32::from(sent.parent_span_id == got.parent_span_id);
    name + start + end + kind + parent
}

const ALIKE: u32 = 12;

/// The most spans that are looked at for exchanged ids: each is compared with each.
const MOST_UNLIKE: usize = 1_000;

/// The least likeness of two spans with different ids that are the same one.
const ENOUGH: u32 = 7;

// === impl Pairs ===

impl<'a> Pairs<'a> {
    pub(super) fn of(sent: &'a [Span], got: &'a [Span]) -> Pairs<'a> {
        let mut by_id: HashMap<SpanId, Vec<&'a Span>> = HashMap::new();
        for span in got {
            by_id.entry(span.span_id).or_default().push(span);
        }
        let mut pairs = Pairs::default();
        let mut alone = Vec::new();
        for span in sent {
            match by_id
                .get_mut(&span.span_id)
                .and_then(|same| take_like(span, same))
            {
                Some(found) => pairs.matched.push((span, found)),
                None => alone.push(span),
            }
        }
        let mut left: Vec<&Span> = got
            .iter()
            .filter(|span| {
                let same = by_id.get_mut(&span.span_id);
                same.is_some_and(|same| {
                    let at = same.iter().position(|left| std::ptr::eq(*left, *span));
                    at.map(|at| same.remove(at)).is_some()
                })
            })
            .collect();
        pairs.exchange();
        for span in alone {
            let best = left
                .iter()
                .enumerate()
                .map(|(at, other)| (likeness(span, other), at))
                .max();
            match best {
                Some((likeness, at)) if likeness >= ENOUGH => {
                    let other = left.remove(at);
                    if other.span_id != span.span_id {
                        pairs.new_ids.insert(span.span_id, other.span_id);
                    }
                    pairs.matched.push((span, other));
                }
                _ => pairs.missing.push(span),
            }
        }
        for span in left {
            let is_copy = sent
                .iter()
                .any(|sent| sent.span_id == span.span_id && likeness(sent, span) >= ENOUGH);
            pairs.added.push((span, is_copy));
        }
        pairs
    }

    /// Finds spans that have each other's id, and pairs them by their content.
    fn exchange(&mut self) {
        let unlike: Vec<usize> = (0..self.matched.len())
            .filter(|&at| likeness(self.matched[at].0, self.matched[at].1) < ENOUGH)
            .take(MOST_UNLIKE)
            .collect();
        for (place, &one) in unlike.iter().enumerate() {
            for &other in &unlike[place + 1..] {
                let ((sent, got), (sent_too, got_too)) = (self.matched[one], self.matched[other]);
                if likeness(sent, got_too) >= ENOUGH && likeness(sent_too, got) >= ENOUGH {
                    self.matched[one].1 = got_too;
                    self.matched[other].1 = got;
                    self.new_ids.insert(sent.span_id, got_too.span_id);
                    self.new_ids.insert(sent_too.span_id, got.span_id);
                    self.swapped.push((sent, sent_too));
                }
            }
        }
    }
}

/// Takes the span that is most like `span` out of those with its id.
fn take_like<'a>(span: &Span, same: &mut Vec<&'a Span>) -> Option<&'a Span> {
    let alike = same
        .iter()
        .position(|other| likeness(span, other) == ALIKE && span == *other);
    let at = alike.or_else(|| {
        let best = same.iter().enumerate();
        // The first of equals.
        let best = best.map(|(at, other)| (likeness(span, other), std::cmp::Reverse(at)));
        best.max().map(|(_, at)| at.0)
    })?;
    Some(same.remove(at))
}
