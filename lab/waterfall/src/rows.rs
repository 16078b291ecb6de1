//! The lines of a waterfall, without times: the tree with its guides, and the notes.

use std::{borrow::Cow, collections::HashMap, time::Duration};

use crate::{
    paint::Ink,
    words::{self, width},
};
use plain::plain;
use trace::{Kind, Link, SpanId, Top, Trace};

/// A line.
pub(super) enum Row {
    /// A span, by its index in the trace.
    Span { guide: Guide, index: usize },
    /// A note about the span above, or about the spans below.
    Note {
        guide: Guide,
        text: String,
        ink: Ink,
    },
}

/// The text left of a name: `│  └─ `.
pub(super) struct Guide(pub(super) String);

impl Guide {
    pub(super) fn width(&self) -> usize {
        width(&self.0)
    }
}

/// The number of consecutive similar siblings that are shown, if there are more than the next constant; the
/// others are counted. A loop may make thousands.
const SHOWN_ALIKE: usize = 3;
const MOST_ALIKE: usize = 8;

/// The highest number of links that are shown; more are counted: a batch may have hundreds.
const MOST_LINKS: usize = 4;

/// Makes the lines of a trace: its tree from the top, with orphans below a line for their missing parent.
pub(super) fn of(trace: &Trace, deepest_guides: usize) -> Vec<Row> {
    let mut rows = Rows {
        trace,
        by_id: first_with_id(trace),
        deepest_guides,
        more: Vec::new(),
        rows: Vec::new(),
    };
    let mut orphans = orphans_by_parent(trace);
    for &top in trace.tops() {
        match (trace.top(top), trace.span(top).parent_span_id) {
            (Some(Top::Orphan), Some(parent)) => {
                // All spans with this missing parent follow its line, at the place of the first of them.
                if let Some(siblings) = orphans.remove(&parent) {
                    rows.orphans_of(parent, &siblings);
                }
            }
            (Some(Top::Cycle), _) => {
                rows.note(
                    "(its parents lead back to itself; cut here)".to_owned(),
                    Ink::Error,
                );
                rows.subtrees(&[top]);
            }
            _ => rows.subtrees(&[top]),
        }
    }
    rows.rows
}

/// The name of a span, or a replacement for an empty name.
pub(super) fn name(name: &str) -> Cow<'_, str> {
    if name.is_empty() {
        Cow::Borrowed("(no name)")
    } else {
        plain(name)
    }
}

/// The kind of a span in the picture; empty if it is unknown.
pub(super) fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Unspecified | Kind::Unknown(_) => "",
        kind => kind.as_str(),
    }
}

/// A span among its siblings, or a group of similar ones.
#[derive(Clone, Copy)]
enum Sibling {
    Span(usize),
    Alike {
        first: usize,
        count: usize,
        time_ns: u64,
    },
}

/// The position of a sibling.
struct Place {
    sibling: Sibling,
    level: usize,
    last: bool,
}

struct Rows<'a> {
    trace: &'a Trace,
    by_id: HashMap<SpanId, (usize, usize)>,
    deepest_guides: usize,
    /// For each level above the current line, whether its guide continues below the line.
    more: Vec<bool>,
    rows: Vec<Row>,
}

impl Rows<'_> {
    fn orphans_of(&mut self, parent: SpanId, orphans: &[usize]) {
        let text = match orphans.len() {
            1 => format!("(the parent of this span, {parent}, is missing)"),
            many => format!("(the parent of these {many} spans, {parent}, is missing)"),
        };
        self.note(text, Ink::Error);
        self.more.push(true);
        self.subtrees(orphans);
        self.more.clear();
    }

    /// Adds the trees below these siblings, with a stack on the heap: a chain may be very long.
    fn subtrees(&mut self, siblings: &[usize]) {
        let level = self.more.len();
        let mut stack = Vec::new();
        self.push_siblings(&mut stack, siblings, level);
        while let Some(Place {
            sibling,
            level,
            last,
        }) = stack.pop()
        {
            self.more.truncate(level);
            if let Some(more) = self.more.last_mut() {
                *more = !last;
            }
            let guide = self.guide(Some(if last { "└─ " } else { "├─ " }));
            match sibling {
                Sibling::Span(index) => {
                    self.rows.push(Row::Span { guide, index });
                    let children = self.trace.children(index);
                    self.more.push(!children.is_empty());
                    self.notes_on(index);
                    self.push_siblings(&mut stack, children, level + 1);
                }
                Sibling::Alike {
                    first,
                    count,
                    time_ns,
                } => {
                    let text = format!(
                        "… {count} more {}, {} in all",
                        name(&self.trace.span(first).name),
                        words::duration(Duration::from_nanos(time_ns))
                    );
                    let ink = Ink::Faint;
                    self.rows.push(Row::Note { guide, text, ink });
                }
            }
        }
        self.more.truncate(level);
    }

    fn push_siblings(&self, stack: &mut Vec<Place>, siblings: &[usize], level: usize) {
        let mut shown = Vec::with_capacity(siblings.len());
        for alike in siblings.chunk_by(|&one, &other| self.is_alike(one, other)) {
            if alike.len() <= MOST_ALIKE {
                shown.extend(alike.iter().map(|&index| Sibling::Span(index)));
                continue;
            }
            let (first, others) = alike.split_at(SHOWN_ALIKE);
            shown.extend(first.iter().map(|&index| Sibling::Span(index)));
            let times = others
                .iter()
                .map(|&index| self.trace.span(index).duration());
            let time_ns = times.map(|time| time.as_nanos()).sum::<u128>();
            shown.push(Sibling::Alike {
                first: others[0],
                count: others.len(),
                time_ns: u64::try_from(time_ns).unwrap_or(u64::MAX),
            });
        }
        let count = shown.len();
        for (place, sibling) in shown.into_iter().enumerate().rev() {
            stack.push(Place {
                sibling,
                level,
                last: place + 1 == count,
            });
        }
    }

    /// Whether two siblings look the same and have no notes.
    fn is_alike(&self, one: usize, other: usize) -> bool {
        let plain = |index: usize| {
            let span = self.trace.span(index);
            let once = self
                .by_id
                .get(&span.span_id)
                .is_none_or(|(_, times)| *times == 1);
            self.trace.children(index).is_empty()
                && span.links.is_empty()
                && !span.is_error()
                && once
        };
        let (first, second) = (self.trace.span(one), self.trace.span(other));
        (first.service(), &first.name, first.kind) == (second.service(), &second.name, second.kind)
            && plain(one)
            && plain(other)
    }

    fn notes_on(&mut self, index: usize) {
        let span = self.trace.span(index);
        if span.is_error() && !span.status.message.is_empty() {
            self.note(format!("✗ {}", plain(&span.status.message)), Ink::Error);
        }
        if let Some((_, times)) = self
            .by_id
            .get(&span.span_id)
            .filter(|(_, times)| *times > 1)
        {
            self.note(
                format!("= span id {} is here {times} times", span.span_id),
                Ink::Error,
            );
        }
        for link in span.links.iter().take(MOST_LINKS) {
            let text = format!("~> link to {}", self.link_target(index, link));
            self.note(text, Ink::Faint);
        }
        if let Some(others) = span
            .links
            .len()
            .checked_sub(MOST_LINKS)
            .filter(|&others| others > 0)
        {
            self.note(format!("~> and {others} more links"), Ink::Faint);
        }
    }

    fn link_target(&self, index: usize, link: &Link) -> String {
        if link.trace_id != self.trace.id() {
            return format!("span {} of trace {}", link.span_id, link.trace_id);
        }
        let Some(&(target, _)) = self.by_id.get(&link.span_id) else {
            return format!("span {}, which is missing here", link.span_id);
        };
        let span = self.trace.span(target);
        let name = name(&span.name);
        if self.trace.parent(index) == Some(target) {
            format!("its parent, {name}")
        } else {
            format!("{name} ({})", plain(span.service()))
        }
    }

    fn note(&mut self, text: String, ink: Ink) {
        let guide = self.guide(None);
        self.rows.push(Row::Note { guide, text, ink });
    }

    /// The guide of the current line: a span has the branch to it, a note does not. Levels that do not fit
    /// are replaced by one ellipsis.
    fn guide(&self, branch: Option<&str>) -> Guide {
        let levels = match branch {
            // The last level is the branch itself.
            Some(_) => self.more.len().saturating_sub(1),
            None => self.more.len(),
        };
        let hidden = levels.saturating_sub(self.deepest_guides);
        let mut guide = String::new();
        if hidden > 0 {
            guide.push_str("… ");
        }
        for &more in &self.more[hidden..levels] {
            guide.push_str(if more { "│  " } else { "   " });
        }
        if let Some(branch) = branch.filter(|_| !self.more.is_empty()) {
            guide.push_str(branch);
        }
        Guide(guide)
    }
}

/// For each span id, the earliest span with it and the number of spans with it.
fn first_with_id(trace: &Trace) -> HashMap<SpanId, (usize, usize)> {
    let mut by_id = HashMap::with_capacity(trace.spans().len());
    for (index, span) in trace.spans().iter().enumerate() {
        by_id.entry(span.span_id).or_insert((index, 0)).1 += 1;
    }
    by_id
}

fn orphans_by_parent(trace: &Trace) -> HashMap<SpanId, Vec<usize>> {
    let mut orphans: HashMap<SpanId, Vec<usize>> = HashMap::new();
    for orphan in trace.orphans() {
        if let Some(parent) = trace.span(orphan).parent_span_id {
            orphans.entry(parent).or_default().push(orphan);
        }
    }
    orphans
}
