//! Converts the matching to the lines of a report.

use scenario::{Among, Node};
use trace::{Span, Text, Value};

use crate::{
    compare::{Mismatch, mismatches},
    forest::Forest,
    matching::{Bindings, Excess, Matching, Missing, Pair, Siblings, Why, target},
    nearest::Nearest,
    plan::{Item, Plan, service},
    reference::{Target, holds, resolve},
    report::{Difference, Line, Mark},
    timing,
};

/// The lines of the tree.
pub(crate) fn lines(plan: &Plan<'_>, forest: &Forest<'_>, matching: &Matching<'_>) -> Vec<Line> {
    let explain = Explain {
        plan,
        forest,
        bindings: plan.crosses.then_some(&matching.bindings),
        nearest: Nearest::new(plan, forest, &matching.top),
    };
    let mut lines = explain.siblings(&matching.top, None);
    lines.extend(explain.unknown_conditions(matching));
    if !matching.consistent {
        lines.push(Line {
            note: Some("it could not be settled which spans the links refer to".to_owned()),
            ..blank(Mark::Unsupported)
        });
    }
    lines
}

struct Explain<'s, 'e, 't> {
    plan: &'s Plan<'e>,
    forest: &'s Forest<'t>,
    bindings: Option<&'s Bindings<'e>>,
    nearest: Nearest<'s, 'e, 't>,
}

// === impl Explain ===

impl Explain<'_, '_, '_> {
    /// The lines of some nodes and of the spans beside them, in the order of the file.
    fn siblings(&self, siblings: &Siblings<'_>, parent: Option<usize>) -> Vec<Line> {
        let excess = siblings.excess.iter().map(|excess| self.excess(excess));
        let timings = self.timings(siblings);
        if siblings.missing.is_empty() && timings.is_empty() {
            // The pairs are in the order of the file already.
            let pairs = siblings.pairs.iter().map(|pair| self.pair(pair));
            return pairs.chain(excess).collect();
        }
        let pairs = siblings
            .pairs
            .iter()
            .map(|pair| (pair.item, self.pair(pair)));
        let missing = siblings
            .missing
            .iter()
            .map(|missing| (missing.item, self.missing(missing, parent)));
        let mut lines: Vec<_> = pairs.chain(missing).chain(timings).collect();
        lines.sort_by_key(|(item, _)| *item);
        lines
            .into_iter()
            .map(|(_, line)| line)
            .chain(excess)
            .collect()
    }

    fn pair(&self, pair: &Pair<'_>) -> Line {
        let node = self.plan.items[pair.item].node;
        let span = self.forest.span(pair.span);
        // Without links across the tree the search has seen all that can be seen.
        let found = match pair.fits && self.bindings.is_none() {
            true => Vec::new(),
            false => mismatches(node, pair.span, self.forest, |name| {
                let in_scope = pair.scope.get(name).copied();
                match in_scope {
                    Some(span) => Target::Span(span),
                    None => target(self.plan, &Bindings::new(), self.bindings, name),
                }
            }),
        };
        let among = self.among(pair);
        let mark = match found.is_empty() && among.is_empty() {
            true => Mark::Same,
            false if !among.is_empty() || found.iter().any(|mismatch| mismatch.certain) => {
                Mark::Differs
            }
            false => Mark::Unsupported,
        };
        let describe = |mismatch: &Mismatch<'_>| mismatch.describe(span, self.forest);
        Line {
            position: Some(node.position),
            differences: found.iter().map(describe).chain(among).collect(),
            children: self.siblings(&pair.children, Some(pair.span)),
            ..of_span(mark, span)
        }
    }

    /// The lines of nodes whose conditions cannot be evaluated.
    fn unknown_conditions(&self, matching: &Matching<'_>) -> Vec<Line> {
        let unknown = |item: &Item<'_>| {
            let when = item.node.when.as_ref()?;
            let held = holds(when, |reference| {
                let bindings = Some(&matching.bindings);
                let target = target(self.plan, &Bindings::new(), bindings, &reference.span);
                resolve(reference, target, self.forest)
            });
            let (service, name) = label(item.node);
            held.is_none().then(|| Line {
                service,
                name,
                position: Some(when.position),
                note: Some("it cannot be known whether its condition holds".to_owned()),
                ..blank(Mark::Unsupported)
            })
        };
        self.plan.items.iter().filter_map(unknown).collect()
    }

    /// The timing errors among named spans below a pair.
    fn among(&self, pair: &Pair<'_>) -> Vec<Difference> {
        let node = self.plan.items[pair.item].node;
        if node.among.is_empty() {
            return Vec::new();
        }
        let mut named = Bindings::new();
        pair.children.bindings(self.plan, &mut named);
        let wrong = |among: &Among| {
            // A missing span has a separate line.
            let known = |name| Some((name, self.forest.span(*named.get(name)?)));
            let names = among.names.iter().map(String::as_str);
            let spans: Vec<(&str, &Span)> = names.filter_map(known).collect();
            Some(Difference {
                field: timing::word(among.timing).to_owned(),
                want: among.names.join(", "),
                got: timing::wrong(among.timing, &spans, |name, _| format!("${name}"))?,
                unknown: None,
            })
        };
        node.among.iter().filter_map(wrong).collect()
    }

    /// The timing errors among the several spans of a node.
    fn timings(&self, siblings: &Siblings<'_>) -> Vec<(usize, Line)> {
        let with_timing = |pair: &&Pair<'_>| self.plan.items[pair.item].node.timing.is_some();
        let mut items: Vec<usize> = siblings
            .pairs
            .iter()
            .filter(with_timing)
            .map(|pair| pair.item)
            .collect();
        items.dedup();
        let line = |item: usize| {
            let node = self.plan.items[item].node;
            let timing = node.timing?;
            let pairs = siblings.pairs.iter().filter(|pair| pair.item == item);
            let spans: Vec<_> = pairs
                .map(|pair| ((), self.forest.span(pair.span)))
                .collect();
            let label_of = |(): &(), span: &Span| format!("{} {}", span.name, span.span_id);
            let (service, name) = label(node);
            let line = Line {
                service,
                name,
                position: Some(node.position),
                differences: vec![Difference {
                    field: timing::word(timing).to_owned(),
                    want: "true".to_owned(),
                    got: timing::wrong(timing, &spans, label_of)?,
                    unknown: None,
                }],
                ..blank(Mark::Differs)
            };
            Some((item, line))
        };
        items.into_iter().filter_map(line).collect()
    }

    fn missing(&self, missing: &Missing, parent: Option<usize>) -> Line {
        let node = self.plan.items[missing.item].node;
        let (service, name) = label(node);
        Line {
            service,
            name,
            times: missing.count,
            position: Some(node.position),
            note: Some(self.nearest.why_missing(missing.item, parent)),
            ..blank(Mark::Missing)
        }
    }

    fn excess(&self, excess: &Excess) -> Line {
        let times = |item: usize| self.plan.items[item].node.times;
        let (mark, item, note) = match excess.why {
            Why::TooMany(item) => (
                Mark::Unexpected,
                Some(item),
                format!("times: {}", times(item)),
            ),
            Why::Closed => (Mark::Unexpected, None, "closed: true".to_owned()),
            Why::MayBeTooMany(item) => {
                let note = format!(
                    "cannot be known: one more than times: {} allows, unless what its sender \
                     dropped makes it another",
                    times(item)
                );
                (Mark::Unsupported, Some(item), note)
            }
        };
        Line {
            position: item.map(|item| self.plan.items[item].node.position),
            note: Some(note),
            ..of_span(mark, self.forest.span(excess.span))
        }
    }
}

pub(crate) fn of_span(mark: Mark, span: &Span) -> Line {
    Line {
        service: match service(span) {
            Some(Value::String(service)) => service.clone(),
            _ => Text::const_new("(no service)"),
        },
        name: span.name.clone(),
        span_id: Some(span.span_id),
        nanoseconds: Some(span.end_ns.saturating_sub(span.start_ns)),
        ..blank(mark)
    }
}

/// The label of a node without a span: its service and name, or its other properties.
fn label(node: &Node) -> (Text, Text) {
    let service = node
        .span
        .service
        .as_ref()
        .map(|service| Text::from(service.to_string()))
        .unwrap_or_default();
    let name = match (&node.span.name, node.span.kind) {
        (Some(name), _) => name.to_string().into(),
        (None, Some(kind)) => format!("({kind})").into(),
        (None, None) => Text::default(),
    };
    (service, name)
}

pub(crate) fn blank(mark: Mark) -> Line {
    Line {
        mark,
        service: Text::default(),
        name: Text::default(),
        times: 1,
        span_id: None,
        nanoseconds: None,
        position: None,
        differences: Vec::new(),
        note: None,
        children: Vec::new(),
    }
}
