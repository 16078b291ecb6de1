//! Compares two sets of traces: which spans appeared or vanished, which became slower, and how much of the
//! total change each explains.
//!
//! Spans are matched by their position: their service and name (without ids), and those of all spans above
//! them. For each position the time that a trace spends there on its critical path is averaged over the set.
//! These averages add up to the average of the whole path, so their differences add up to the difference of
//! the whole: the share of each position is exact.

use std::{borrow::Borrow, convert::Infallible, fmt::Write};

use plain::Plain;
use serde::Serialize;
use trace::Trace;

use crate::{
    facts::{shape, view::View},
    format::{format_ns, plural},
    hash::HashMap,
};

/// The difference of one position between the two sets.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Change {
    /// The services and names from the root down to the position.
    pub path: Vec<String>,
    /// The kind of the difference.
    pub kind: ChangeKind,
    /// The average number of its spans in a trace: before, after.
    pub spans: (f64, f64),
    /// The average duration of its spans, in milliseconds: before, after.
    pub span_ms: (f64, f64),
    /// The average of its own time on the critical path, in milliseconds: before, after.
    pub own_ms: (f64, f64),
    /// The share of the total change that it explains; negative if it changed in the other direction.
    pub explains: f64,
}

/// The kind of a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ChangeKind {
    /// The position is only in the second set.
    Appeared,
    /// The position is only in the first set.
    Vanished,
    /// The position is in both sets, and takes more of the critical path in the second.
    Slower,
    /// The position is in both sets, and takes less of the critical path in the second.
    Faster,
}

/// The result of comparing two sets.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// The number of traces in each set.
    pub traces: (usize, usize),
    /// The average duration of a trace, from the start of its root to its end, in milliseconds.
    pub total_ms: (f64, f64),
    /// The changes, those that explain most first.
    pub changes: Vec<Change>,
}

#[derive(Clone, Copy, Default)]
struct Place {
    spans: usize,
    ns: u64,
    own: u64,
}

/// Compares two sets of traces.
pub fn compare(before: &[Trace], after: &[Trace]) -> Comparison {
    let (before, after) = (before.iter(), after.iter());
    match compare_each(before.map(Ok::<_, Infallible>), after.map(Ok)) {
        Ok(comparison) => comparison,
        Err(never) => match never {},
    }
}

/// Compares two sets of traces, of which one trace is needed at a time.
///
/// # Errors
///
/// When a trace cannot be read.
pub fn compare_each<T: Borrow<Trace>, E>(
    before: impl IntoIterator<Item = Result<T, E>>,
    after: impl IntoIterator<Item = Result<T, E>>,
) -> Result<Comparison, E> {
    let mut tree = Tree::default();
    let before = measure(&mut tree, before)?;
    let after = measure(&mut tree, after)?;
    let (first, second) = (&before.places, &after.places);
    let average = |sum: u64, count: usize| sum as f64 / 1e6 / count.max(1) as f64;
    let total_ms = (
        average(before.total, before.traces),
        average(after.total, after.traces),
    );
    let whole = total_ms.1 - total_ms.0;
    let mut changes: Vec<Change> = (0..tree.nodes.len())
        .map(|node| {
            let (one, other) = (first.get(&node), second.get(&node));
            let kind = |own: (f64, f64)| match (one, other) {
                (None, _) => ChangeKind::Appeared,
                (_, None) => ChangeKind::Vanished,
                _ if own.1 >= own.0 => ChangeKind::Slower,
                _ => ChangeKind::Faster,
            };
            let (one, other) = (
                one.copied().unwrap_or_default(),
                other.copied().unwrap_or_default(),
            );
            let own_ms = (
                average(one.own, before.traces),
                average(other.own, after.traces),
            );
            let explains = if whole == 0.0 {
                0.0
            } else {
                (own_ms.1 - own_ms.0) / whole
            };
            Change {
                path: tree.path(node),
                kind: kind(own_ms),
                spans: (
                    one.spans as f64 / before.traces.max(1) as f64,
                    other.spans as f64 / after.traces.max(1) as f64,
                ),
                span_ms: (average(one.ns, one.spans), average(other.ns, other.spans)),
                own_ms,
                explains,
            }
        })
        .collect();
    changes.sort_by(|one, other| {
        let size = |change: &Change| (change.own_ms.1 - change.own_ms.0).abs();
        size(other)
            .total_cmp(&size(one))
            .then_with(|| one.path.cmp(&other.path))
    });
    Ok(Comparison {
        traces: (before.traces, after.traces),
        total_ms,
        changes,
    })
}

/// The positions of all traces: the parent and the name of each.
#[derive(Default)]
struct Tree {
    nodes: Vec<(Option<usize>, String)>,
    known: HashMap<(Option<usize>, String), usize>,
}

/// The number of path elements that are reported: the end of a path identifies its position.
const TOLD: usize = 32;

impl Tree {
    fn node(&mut self, parent: Option<usize>, label: String) -> usize {
        let Tree { nodes, known } = self;
        *known
            .entry((parent, label))
            .or_insert_with_key(|(parent, label)| {
                nodes.push((*parent, label.clone()));
                nodes.len() - 1
            })
    }

    fn path(&self, node: usize) -> Vec<String> {
        let up = std::iter::successors(Some(node), |&node| self.nodes[node].0);
        let mut path: Vec<String> = up
            .take(TOLD)
            .map(|node| self.nodes[node].1.clone())
            .collect();
        path.reverse();
        path
    }
}

/// What is measured of a set of traces.
#[derive(Default)]
struct Measured {
    /// The data of each position.
    places: HashMap<usize, Place>,
    /// The sum of the lengths of all critical paths.
    total: u64,
    traces: usize,
}

fn measure<T: Borrow<Trace>, E>(
    tree: &mut Tree,
    set: impl IntoIterator<Item = Result<T, E>>,
) -> Result<Measured, E> {
    let Measured {
        mut places,
        mut total,
        mut traces,
    } = Measured::default();
    for trace in set {
        let trace = trace?;
        traces += 1;
        let view = View::new(trace.borrow());
        let Some(root) = view.root() else {
            continue;
        };
        total += view.ns(root);
        let mut nodes: Vec<usize> = vec![0; view.len()];
        for (place, _) in view.trace.walk() {
            let span = view.span(place);
            let parent = view.trace.parent(place).map(|parent| nodes[parent]);
            let label = format!("{} {}", span.service(), shape::name(&span.name));
            nodes[place] = tree.node(parent, label);
            let known = places.entry(nodes[place]).or_default();
            known.spans += 1;
            known.ns += view.ns(place);
            // Work that a message started is not waited for, and explains nothing of the wait.
            if view.head[place] == root {
                known.own += view.own[place];
            }
        }
    }
    Ok(Measured {
        places,
        total,
        traces,
    })
}

/// The highest number of changes that are shown; below, the least change that is shown, in milliseconds.
const SHOWN: usize = 20;
const WORTH_MS: f64 = 0.05;

/// Renders a comparison as text.
pub fn text(comparison: &Comparison) -> String {
    let (before, after) = comparison.total_ms;
    let in_words = |ms: f64| format_ns((ms.abs() * 1e6) as u64);
    let mut text = format!(
        "{} of {} against {} of {}: {} {}\n\n",
        plural(comparison.traces.0, "trace"),
        in_words(before),
        comparison.traces.1,
        in_words(after),
        in_words(after - before),
        if after >= before { "longer" } else { "shorter" }
    );
    let worth = |change: &&Change| {
        (change.own_ms.1 - change.own_ms.0).abs() >= WORTH_MS
            || matches!(change.kind, ChangeKind::Appeared | ChangeKind::Vanished)
    };
    let changes: Vec<&Change> = comparison.changes.iter().filter(worth).collect();
    if changes.is_empty() {
        text.push_str("No span appeared, vanished, or takes longer or shorter.\n");
        return text;
    }
    text.push_str("  waited for, change explains   before → after         where\n");
    for change in changes.iter().take(SHOWN) {
        let difference = change.own_ms.1 - change.own_ms.0;
        let sign = if difference < 0.0 { "−" } else { "+" };
        let count = match (change.spans.0, change.spans.1) {
            (one, other) if (one - other).abs() < 1e-9 => String::new(),
            (one, other) => format!("  ×{} → ×{}", tidy(one), tidy(other)),
        };
        let word = match change.kind {
            ChangeKind::Appeared => "  appeared",
            ChangeKind::Vanished => "  vanished",
            ChangeKind::Slower | ChangeKind::Faster => "",
        };
        let _ = writeln!(
            text,
            "  {:>16} {:>8.0} %   {:>9} → {:<9}  {}{count}{word}",
            format!("{sign}{}", in_words(difference)),
            change.explains * 100.0,
            in_words(change.own_ms.0),
            in_words(change.own_ms.1),
            shortened(&change.path)
        );
    }
    if changes.len() > SHOWN {
        let _ = writeln!(text, "  … and {} more", changes.len() - SHOWN);
    }
    text
}

fn tidy(number: f64) -> String {
    if (number - number.round()).abs() < 1e-9 {
        format!("{number:.0}")
    } else {
        format!("{number:.1}")
    }
}

/// The last two elements of a path, which usually identify it.
fn shortened(path: &[String]) -> String {
    match path {
        [.., parent, last] => format!("{}  (below {})", Plain(last), Plain(parent)),
        [only] => Plain(only).to_string(),
        [] => String::new(),
    }
}
