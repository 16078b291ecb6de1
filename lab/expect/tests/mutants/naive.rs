//! What an expectation means, evaluated as plainly as it can be: every reading of the names is tried,
//! and nothing is said but yes or no. It shares no code with the crate under test but the types.

use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};

use scenario::{
    Among, Check, Comparison, Condition, Count, Expectation, LinkNode, Node, Operand, Pattern,
    Reference, Text, Timing, Want,
};
use trace::{Attributes, Span, Top, Trace, Value, critical_path};

/// A trace and what is known of it.
pub(crate) struct Known<'t> {
    pub(crate) trace: &'t Trace,
    pub(crate) related: &'t [Trace],
    pub(crate) arrival: Option<Duration>,
    /// A trace of the twin.
    pub(crate) twin: Option<&'t Trace>,
}

/// The spans that names stand for.
type Names = HashMap<String, usize>;

struct World<'t> {
    spans: Vec<&'t Span>,
    parents: Vec<Option<usize>>,
    children: Vec<Vec<usize>>,
    tops: Vec<usize>,
    own: usize,
    twin: Option<&'t Trace>,
}

/// Whether the trace is as it is expected.
pub(crate) fn holds(expectation: &Expectation, known: &Known<'_>) -> bool {
    if !counts_hold(expectation, known) {
        return false;
    }
    let world = World::of(known);
    let referred = referred(expectation);
    let bound = bound(&expectation.tree, &referred);
    let mut readings = vec![Names::new()];
    for (name, pattern) in bound {
        let spans: Vec<usize> = (0..world.spans.len())
            .filter(|&span| is(pattern, world.spans[span]))
            .collect();
        if spans.is_empty() {
            // Nothing is called that; who refers to it finds nothing.
            continue;
        }
        readings = readings
            .iter()
            .flat_map(|names| {
                spans.iter().map(|&span| {
                    let mut names = names.clone();
                    names.insert(name.to_owned(), span);
                    names
                })
            })
            .collect();
        assert!(readings.len() <= 4096, "too many readings to try them all");
    }
    readings.iter().any(|names| {
        let mut reading = Reading {
            world: &world,
            names,
            known: HashMap::new(),
        };
        reading.tree_holds(&expectation.tree) && reading.rules_hold(expectation, known)
    })
}

fn counts_hold(expectation: &Expectation, known: &Known<'_>) -> bool {
    let counts = &expectation.trace;
    let trace = known.trace;
    let ids: BTreeSet<_> = trace.spans().iter().map(|span| span.span_id).collect();
    let roots = trace
        .tops()
        .iter()
        .filter(|&&top| trace.top(top) == Some(Top::Root))
        .count();
    let is = |want: Option<Count>, got: usize| want.is_none_or(|want| want.contains(got as u64));
    !trace.spans().is_empty()
        && is(counts.roots, roots)
        && is(counts.orphans, trace.tops().len() - roots)
        && is(counts.spans, trace.spans().len())
        && is(
            counts.errors,
            trace.spans().iter().filter(|span| span.is_error()).count(),
        )
        && is(counts.duplicates, trace.spans().len() - ids.len())
        && counts
            .arrival
            .is_none_or(|want| known.arrival.is_some_and(|got| want.contains(got)))
}

/// Names that something refers to.
fn referred(expectation: &Expectation) -> BTreeSet<String> {
    fn check(check: &Check, names: &mut BTreeSet<String>) {
        if let Check::AnyOf(wants) = check {
            for want in wants {
                if let Want::Same(reference) = want {
                    names.insert(reference.span.clone());
                }
            }
        }
    }
    fn condition(condition: &Condition, names: &mut BTreeSet<String>) {
        names.insert(condition.left.span.clone());
        if let Operand::Reference(reference) = &condition.right {
            names.insert(reference.span.clone());
        }
    }
    fn node(of: &Node, names: &mut BTreeSet<String>) {
        for (_, asked) in of.attributes.iter().chain(&of.resource).chain(&of.scope) {
            check(asked, names);
        }
        for event in &of.events {
            event
                .attributes
                .iter()
                .for_each(|(_, asked)| check(asked, names));
        }
        for link in &of.links {
            names.insert(link.to.clone());
            link.attributes
                .iter()
                .for_each(|(_, asked)| check(asked, names));
        }
        for among in &of.among {
            names.extend(among.names.iter().cloned());
        }
        if let Some(when) = &of.when {
            condition(when, names);
        }
        of.children.iter().for_each(|child| node(child, names));
    }
    let mut names = BTreeSet::new();
    expectation.tree.iter().for_each(|of| node(of, &mut names));
    if let Some(when) = &expectation.when {
        condition(when, &mut names);
    }
    names
}

/// The patterns of the nodes that have these names.
fn bound<'e>(nodes: &'e [Node], names: &BTreeSet<String>) -> Vec<(&'e str, &'e Pattern)> {
    let mut found = Vec::new();
    for node in nodes {
        if let Some(name) = &node.span.bound
            && names.contains(name)
        {
            found.push((name.as_str(), &node.span));
        }
        found.extend(bound(&node.children, names));
    }
    found
}

fn is(pattern: &Pattern, span: &Span) -> bool {
    let text = |want: &Option<Text>, got: &str| want.as_ref().is_none_or(|want| want.matches(got));
    text(&pattern.service, span.service())
        && text(&pattern.name, &span.name)
        && pattern.kind.is_none_or(|kind| kind == span.kind)
}

// === impl World ===

impl<'t> World<'t> {
    fn of(known: &Known<'t>) -> World<'t> {
        let mut world = World {
            spans: Vec::new(),
            parents: Vec::new(),
            children: Vec::new(),
            tops: Vec::new(),
            own: known.trace.spans().len(),
            twin: known.twin,
        };
        for trace in std::iter::once(known.trace).chain(known.related) {
            let base = world.spans.len();
            for (index, span) in trace.spans().iter().enumerate() {
                world.spans.push(span);
                world.parents.push(trace.parent(index).map(|at| base + at));
                let children = trace.children(index).iter();
                world.children.push(children.map(|at| base + at).collect());
            }
            world.tops.extend(trace.tops().iter().map(|at| base + at));
        }
        world
    }

    fn below(&self, span: usize) -> Vec<usize> {
        let mut found = Vec::new();
        let mut stack = self.children[span].clone();
        while let Some(next) = stack.pop() {
            found.push(next);
            stack.extend(&self.children[next]);
        }
        found
    }

    fn above(&self, span: usize) -> Vec<usize> {
        std::iter::successors(self.parents[span], |&at| self.parents[at]).collect()
    }
}

/// One reading of the names.
struct Reading<'w, 't> {
    world: &'w World<'t>,
    names: &'w Names,
    known: HashMap<(*const Node, usize), bool>,
}

// === impl Reading ===

impl Reading<'_, '_> {
    fn tree_holds(&mut self, nodes: &[Node]) -> bool {
        let (deep, direct): (Vec<&Node>, Vec<&Node>) = self.applicable(nodes);
        let own: Vec<usize> = (0..self.world.own).collect();
        let tops = self.world.tops.clone();
        self.set_holds(&deep, &own, &BTreeSet::new())
            && self.set_holds(&direct, &tops, &BTreeSet::new())
    }

    fn applicable<'n>(&self, nodes: &'n [Node]) -> (Vec<&'n Node>, Vec<&'n Node>) {
        nodes
            .iter()
            .filter(|node| node.when.as_ref().is_none_or(|when| self.condition(when)))
            .partition(|node| node.any_depth)
    }

    /// Whether nodes and candidates can be shared out so that every node has as many as it may, and
    /// every candidate that a node means, or that must be listed, has a node.
    fn set_holds(
        &mut self,
        nodes: &[&Node],
        candidates: &[usize],
        must_be_listed: &BTreeSet<usize>,
    ) -> bool {
        let mut fits: Vec<Vec<usize>> = Vec::new();
        for &span in candidates {
            let meant: Vec<usize> = (0..nodes.len())
                .filter(|&at| self.is_meant(nodes[at], span))
                .collect();
            if meant.iter().any(|&at| nodes[at].times.max == Some(0)) {
                return false;
            }
            let mut good = Vec::new();
            for &at in &meant {
                if self.pair_holds(nodes[at], span) {
                    good.push(at);
                }
            }
            let must = !meant.is_empty() || must_be_listed.contains(&span);
            if must && good.is_empty() {
                return false;
            }
            fits.push(good);
        }
        let rooms = |at: usize| {
            let room = nodes[at].times.max.unwrap_or(u64::MAX);
            usize::try_from(room).unwrap_or(usize::MAX)
        };
        // Those that nobody means, and that need not be listed, need no room.
        let homeless: Vec<Vec<usize>> =
            fits.iter().filter(|fit| !fit.is_empty()).cloned().collect();
        let all_housed = all_find_room(&homeless, nodes.len(), rooms);
        // Each place that must be filled, with the candidates that may fill it.
        let mut places = Vec::new();
        for (at, node) in nodes.iter().enumerate() {
            let may: Vec<usize> = (0..candidates.len())
                .filter(|&candidate| fits[candidate].contains(&at))
                .collect();
            for _ in 0..node.times.min {
                places.push(may.clone());
            }
        }
        let all_filled = all_find_room(&places, candidates.len(), |_| 1);
        all_housed
            && all_filled
            && nodes.iter().enumerate().all(|(at, node)| {
                let spans = (0..candidates.len()).filter(|&c| fits[c].contains(&at));
                let spans: Vec<&Span> = spans.map(|c| self.world.spans[candidates[c]]).collect();
                node.timing.is_none_or(|timing| in_time(timing, spans))
            })
    }

    /// Whether a node says of a span itself what is so.
    fn is_meant(&self, node: &Node, span: usize) -> bool {
        let of = self.world.spans[span];
        let own = span < self.world.own;
        let at_top = self.world.tops.contains(&span);
        if (node.elsewhere && own) || (!own && at_top && !node.elsewhere && node.links.is_empty()) {
            return false;
        }
        let scope = Attributes(Vec::new());
        let scope = match node.scope.is_empty() {
            true => &scope,
            false => &of.scope.attributes,
        };
        let millis = of.duration().as_secs_f64();
        is(&node.span, of)
            && self.attributes(&node.attributes, &of.attributes)
            && self.attributes(&node.resource, &of.resource.attributes)
            && self.attributes(&node.scope, scope)
            && node.status.is_none_or(|code| code == of.status.code)
            && node
                .duration
                .is_none_or(|want| want.contains(of.duration()))
            && node.duration_of_parent.is_none_or(|want| {
                let parent = self.world.parents[span].map(|at| self.world.spans[at].duration());
                parent.is_some_and(|parent| want.contains(millis / parent.as_secs_f64()))
            })
            && node.duration_of_twin.is_none_or(|want| {
                let twin = self.twin_median(&node.span);
                twin.is_some_and(|twin| want.contains(millis / twin.as_secs_f64()))
            })
            && node.within_parent.is_none_or(|want| {
                let parent = self.world.parents[span].map(|at| self.world.spans[at]);
                parent.is_some_and(|parent| {
                    let before = i128::from(parent.start_ns) - i128::from(of.start_ns);
                    let after = i128::from(of.end_ns) - i128::from(parent.end_ns);
                    let out = before.max(after);
                    let length = i128::from(of.end_ns) - i128::from(of.start_ns);
                    let whole = i128::from(parent.end_ns) - i128::from(parent.start_ns);
                    let by_the_clock =
                        (100 * out <= whole || out <= 1_000_000) && 2 * out <= length;
                    out <= 0 && want || out > 0 && (!want || by_the_clock)
                })
            })
            && node.ancestor.as_ref().is_none_or(|pattern| {
                let mut above = self.world.above(span).into_iter();
                above.any(|at| is(pattern, self.world.spans[at]))
            })
            && node.events.iter().all(|want| {
                let fit = of.events.iter().filter(|event| {
                    want.name.matches(&event.name)
                        && self.attributes(&want.attributes, &event.attributes)
                });
                want.times.contains(fit.count() as u64)
            })
            && node.links.iter().all(|want| self.link(want, of))
    }

    fn link(&self, want: &LinkNode, span: &Span) -> bool {
        let Some(&target) = self.names.get(&want.to) else {
            return false;
        };
        let target = self.world.spans[target];
        span.links.iter().any(|link| {
            (link.trace_id, link.span_id) == (target.trace_id, target.span_id)
                && self.attributes(&want.attributes, &link.attributes)
        })
    }

    /// Whether a node goes with a span, and its children with the span's.
    fn pair_holds(&mut self, node: &Node, span: usize) -> bool {
        if let Some(name) = &node.span.bound
            && self.names.get(name).is_some_and(|&only| only != span)
        {
            return false;
        }
        let key = (std::ptr::from_ref(node), span);
        if let Some(known) = self.known.get(&key) {
            return *known;
        }
        let holds = self.is_meant(node, span) && self.below_holds(node, span);
        self.known.insert(key, holds);
        holds
    }

    fn below_holds(&mut self, node: &Node, span: usize) -> bool {
        let (deep, direct) = self.applicable(&node.children);
        let children = self.world.children[span].clone();
        let below = self.world.below(span);
        let mut must_be_listed = BTreeSet::new();
        if node.closed {
            for &child in &children {
                if !deep.iter().any(|deep| self.pair_holds(deep, child)) {
                    must_be_listed.insert(child);
                }
            }
        }
        self.set_holds(&deep, &below, &BTreeSet::new())
            && self.set_holds(&direct, &children, &must_be_listed)
            && node.among.iter().all(|among| self.among(among))
    }

    fn among(&self, among: &Among) -> bool {
        let spans: Option<Vec<&Span>> = among
            .names
            .iter()
            .map(|name| Some(self.world.spans[*self.names.get(name)?]))
            .collect();
        spans.is_some_and(|spans| in_time(among.timing, spans))
    }

    fn twin_median(&self, pattern: &Pattern) -> Option<Duration> {
        let spans = self.world.twin?.spans().iter();
        let mut times: Vec<Duration> = spans
            .filter(|span| is(pattern, span))
            .map(Span::duration)
            .collect();
        times.sort();
        times.get(times.len() / 2).copied()
    }

    fn attributes(&self, asked: &[(String, Check)], attributes: &Attributes) -> bool {
        asked.iter().all(|(key, check)| {
            let mut values = attributes.iter().filter(|(known, _)| known == key);
            match check {
                Check::Present => values.next().is_some(),
                Check::Absent => values.next().is_none(),
                Check::AnyOf(wants) => {
                    values.any(|(_, value)| wants.iter().any(|want| self.value(want, value)))
                }
            }
        })
    }

    fn value(&self, want: &Want, value: &Value) -> bool {
        match want {
            Want::Same(reference) => self.refer(reference).contains(&value),
            want => want.matches(value),
        }
    }

    fn refer(&self, reference: &Reference) -> Vec<&Value> {
        let Some(&span) = self.names.get(&reference.span) else {
            return Vec::new();
        };
        let attributes = self.world.spans[span].attributes.iter();
        attributes
            .filter(|(key, _)| *key == reference.key)
            .map(|(_, value)| value)
            .collect()
    }

    fn condition(&self, condition: &Condition) -> bool {
        let left = self.refer(&condition.left);
        let right: Vec<&Value> = match &condition.right {
            Operand::Value(value) => vec![value],
            Operand::Reference(reference) => self.refer(reference),
        };
        let (Some(left), Some(right)) = (left.first(), right.first()) else {
            return false;
        };
        match condition.comparison {
            Comparison::Equal => left == right,
            Comparison::NotEqual => left != right,
            _ => panic!("no scenario compares like this"),
        }
    }

    fn rules_hold(&self, expectation: &Expectation, known: &Known<'_>) -> bool {
        if expectation
            .when
            .as_ref()
            .is_some_and(|when| !self.condition(when))
        {
            return true;
        }
        let spans = 0..self.world.spans.len();
        let broken = expectation.forbid.iter().any(|rule| {
            spans.clone().any(|span| {
                let above = self.world.above(span);
                let reach = if rule.any_depth { above.len() } else { 1 };
                let mut callers = above.iter().take(reach);
                is(&rule.to, self.world.spans[span])
                    && callers.any(|&at| is(&rule.from, self.world.spans[at]))
            })
        });
        !broken
            && expectation.critical_path.iter().all(|rule| {
                let tops = known.trace.tops();
                let root = tops
                    .iter()
                    .find(|&&top| known.trace.top(top) == Some(Top::Root))
                    .or(tops.first());
                root.is_some_and(|&root| {
                    let path = critical_path(known.trace, root);
                    let through = path.through(|span| is(&rule.through, known.trace.span(span)));
                    let share = through.as_secs_f64() / path.total().as_secs_f64().max(1e-12);
                    rule.share.contains(share)
                })
            })
    }
}

/// Whether all who want a room find one, each in one that it may have.
fn all_find_room(wants: &[Vec<usize>], rooms: usize, holds: impl Fn(usize) -> usize) -> bool {
    fn house(
        who: usize,
        wants: &[Vec<usize>],
        housed: &mut [Vec<usize>],
        holds: &impl Fn(usize) -> usize,
        seen: &mut [bool],
    ) -> bool {
        for &room in &wants[who] {
            if std::mem::replace(&mut seen[room], true) {
                continue;
            }
            if housed[room].len() < holds(room) {
                housed[room].push(who);
                return true;
            }
            for place in 0..housed[room].len() {
                let other = housed[room][place];
                if house(other, wants, housed, holds, seen) {
                    housed[room][place] = who;
                    return true;
                }
            }
        }
        false
    }
    let mut housed = vec![Vec::new(); rooms];
    (0..wants.len()).all(|who| house(who, wants, &mut housed, &holds, &mut vec![false; rooms]))
}

fn in_time(timing: Timing, spans: Vec<&Span>) -> bool {
    let each_two = |holds: &dyn Fn(&Span, &Span) -> bool| {
        let pairs = spans.iter().enumerate();
        pairs
            .flat_map(|(at, one)| spans[at + 1..].iter().map(move |other| (*one, *other)))
            .all(|(one, other)| holds(one, other))
    };
    match timing {
        Timing::Order => spans
            .windows(2)
            .all(|pair| pair[0].start_ns <= pair[1].start_ns),
        Timing::Sequential => {
            each_two(&|one, other| one.end_ns <= other.start_ns || other.end_ns <= one.start_ns)
        }
        Timing::Parallel => {
            each_two(&|one, other| one.start_ns < other.end_ns && other.start_ns < one.end_ns)
        }
    }
}
