//! The cheapest matching of a tree of nodes with a forest of spans.
//!
//! Costs are computed from the top down, once for each pair of a node and a span: the differences of the span
//! itself, plus the cheapest matching of the node's children with the span's. The depth of the recursion is
//! that of the expectation, never that of the trace.

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet, hash_map::Entry},
};

use foldhash::fast::RandomState;

use crate::{
    compare::{Fit, fit},
    forest::Forest,
    matching::{Bindings, Excess, Matching, Missing, Pair, Siblings, Why, target},
    plan::{FIELD, Item, Plan, identity},
    reference::{holds, resolve},
    table::{Choice, Table},
};

/// The cost of a span that a closed parent does not allow.
const UNLISTED: i64 = 2;
/// The highest number of rounds. Each round matches the tree with the spans that the round before bound to
/// names; the first round without a change is the last.
const ROUNDS: usize = 8;
/// The highest number of combinations of spans that are tried for names that are referred to across the tree.
const MOST_ALTERNATIVES: usize = 256;

/// Matches the tree.
pub(crate) fn search<'e>(plan: &Plan<'e>, forest: &Forest<'_>) -> Matching<'e> {
    let first = rounds(plan, forest, HashMap::new());
    if !plan.crosses || (first.consistent && first.top.cost == 0) {
        return first;
    }
    // The rounds follow the nearest spans, and may miss a matching without differences. Before a trace fails,
    // the other spans that may be bound to the names are tried.
    for forced in alternatives(plan, forest) {
        let other = rounds(plan, forest, forced);
        if other.consistent && other.top.cost == 0 {
            return other;
        }
    }
    first
}

/// All combinations of spans that may be bound to names which are referred to across the tree; none if there
/// are too many to try.
fn alternatives(plan: &Plan<'_>, forest: &Forest<'_>) -> Vec<HashMap<usize, usize>> {
    let mut combinations = vec![HashMap::new()];
    for &item in &plan.crossed {
        let pattern = &plan.items[item].node.span;
        let spans: Vec<usize> = (0..forest.len())
            .filter(|&span| !identity(pattern, forest.span(span)).any())
            .collect();
        if spans.is_empty() {
            continue;
        }
        if combinations.len().saturating_mul(spans.len()) > MOST_ALTERNATIVES {
            return Vec::new();
        }
        combinations = combinations
            .iter()
            .flat_map(|known| {
                spans.iter().map(|&span| {
                    let mut known = known.clone();
                    known.insert(item, span);
                    known
                })
            })
            .collect();
    }
    combinations
}

/// Matches the tree repeatedly, each time with the spans that the matching before bound to names. A node in
/// `forced` is matched with its given span only.
fn rounds<'e>(plan: &Plan<'e>, forest: &Forest<'_>, forced: HashMap<usize, usize>) -> Matching<'e> {
    let mut bindings = None;
    let mut rounds = 0;
    loop {
        let mut search = Search {
            plan,
            forest,
            bindings,
            forced: &forced,
            known: HashMap::with_capacity_and_hasher(plan.items.len(), RandomState::default()),
        };
        let top = search.top();
        let mut found = Bindings::new();
        top.bindings(plan, &mut found);
        rounds += 1;
        // Without links across the tree, every round is like the first.
        let consistent = !plan.crosses || search.bindings.as_ref() == Some(&found);
        if consistent || rounds == ROUNDS {
            return Matching {
                top,
                bindings: search.bindings.unwrap_or(found),
                consistent,
            };
        }
        bindings = Some(found);
    }
}

/// A pair of an item and a span, with the spans bound to the names that the item refers to above it.
type Key = (usize, usize, Vec<Option<usize>>);

/// The cheapest matching below a pair. It is taken where the pair is chosen: its cost stays.
struct Known<'e> {
    cost: i64,
    children: Option<Siblings<'e>>,
}

/// The candidates that are not allowed unless a node matches them.
enum Unlisted {
    None,
    /// All but these, in order.
    AllBut(Vec<usize>),
}

impl Unlisted {
    fn contains(&self, span: usize) -> bool {
        match self {
            Unlisted::None => false,
            Unlisted::AllBut(listed) => listed.binary_search(&span).is_err(),
        }
    }
}

struct Search<'s, 'e, 't> {
    plan: &'s Plan<'e>,
    forest: &'s Forest<'t>,
    /// The spans that the last round bound to names; `None` in the first round.
    bindings: Option<Bindings<'e>>,
    /// The only span for each of some nodes.
    forced: &'s HashMap<usize, usize>,
    /// What was found below pairs.
    known: HashMap<Key, Known<'e>, RandomState>,
}

// === impl Search ===

impl<'e> Search<'_, 'e, '_> {
    /// Matches the nodes at the top with the spans at the top.
    fn top(&mut self) -> Siblings<'e> {
        let scope = Bindings::new();
        let (deep, direct) = self.split(&self.plan.tops, &scope);
        let mut siblings = Siblings::default();
        let tops: Vec<usize> = self.forest.all_tops().collect();
        self.match_set(&direct, &tops, &Unlisted::None, &scope, &mut siblings);
        if !deep.is_empty() {
            let all: Vec<usize> = (0..self.forest.len())
                .filter(|&span| self.forest.is_own(span))
                .collect();
            self.match_set(&deep, &all, &Unlisted::None, &scope, &mut siblings);
        }
        siblings.pairs.iter_mut().for_each(|pair| self.fill(pair));
        siblings
    }

    /// Matches the children of a pair, and their children.
    fn fill(&mut self, pair: &mut Pair<'e>) {
        if self.is_leaf(pair.item, pair.span) {
            return;
        }
        let key = self.key(pair.item, pair.span, &pair.scope);
        let known = self.known.get_mut(&key);
        pair.children = match known.and_then(|known| known.children.take()) {
            Some(children) => children,
            None => self.children(pair.item, pair.span, &pair.scope),
        };
        for child in &mut pair.children.pairs {
            self.fill(child);
        }
    }

    /// The cost of a node with a span; `None` if it is clearly another span.
    fn pair(&mut self, item: usize, span: usize, scope: &Bindings<'e>) -> Option<(i64, Fit)> {
        if self.forced.get(&item).is_some_and(|&only| only != span) {
            return None;
        }
        // At the top of a related trace only a node that is elsewhere, or that expects links, can match.
        // Other spans there belong to another request.
        let node = self.plan.items[item].node;
        let own = self.forest.is_own(span);
        let asks_links = !node.links.is_empty();
        if !asks_links && !node.elsewhere && !own && self.forest.top(span).is_some() {
            return None;
        }
        if node.elsewhere && own {
            return None;
        }
        let inner = self.scope(item, span, scope);
        let fit = fit(&self.plan.items[item], span, self.forest, |name| {
            target(self.plan, &inner, self.bindings.as_ref(), name)
        })?;
        let own = match fit {
            Fit::Yes => 0,
            Fit::Unknown => FIELD,
            Fit::No(cost) => cost,
        };
        let Item { weight, .. } = &self.plan.items[item];
        let below = if self.is_leaf(item, span) {
            0
        } else {
            let key = self.key(item, span, &inner);
            match self.known.get(&key) {
                Some(known) => known.cost,
                None => {
                    let children = self.children(item, span, &inner);
                    let cost = children.cost;
                    if let Entry::Vacant(place) = self.known.entry(key) {
                        let children = Some(children);
                        place.insert(Known { cost, children });
                    }
                    cost
                }
            }
        };
        // A span never counts as missing because of differences below it.
        Some(((own + below).min(weight - 1), fit))
    }

    /// Whether nothing is asked of what is below a pair.
    fn is_leaf(&self, item: usize, span: usize) -> bool {
        let Item { node, children, .. } = &self.plan.items[item];
        children.is_empty() && (!node.closed || self.forest.children(span).is_empty())
    }

    fn key(&self, item: usize, span: usize, scope: &Bindings<'e>) -> Key {
        let outer = self.plan.items[item].outer.iter();
        let outer = outer.map(|name| scope.get(name).copied()).collect();
        (item, span, outer)
    }

    /// The names that are bound at and above a node.
    fn scope(&self, item: usize, span: usize, above: &Bindings<'e>) -> Bindings<'e> {
        let mut scope = above.clone();
        if let Some(name) = &self.plan.items[item].node.span.bound {
            scope.insert(name, span);
        }
        scope
    }

    /// The cheapest matching of a node's children with those of a span, one level deep, and its cost. `scope`
    /// includes the names that are bound at the node.
    fn children(&mut self, item: usize, span: usize, scope: &Bindings<'e>) -> Siblings<'e> {
        let mut siblings = Siblings::default();
        if self.is_leaf(item, span) {
            return siblings;
        }
        let plan = self.plan;
        let Item {
            children,
            all_direct,
            ..
        } = &plan.items[item];
        let (deep, direct): (Cow<'_, [usize]>, Cow<'_, [usize]>) = match all_direct {
            true => (Cow::Borrowed(&[]), Cow::Borrowed(children)),
            false => {
                let (deep, direct) = self.split(children, scope);
                (deep.into(), direct.into())
            }
        };
        if !deep.is_empty() {
            let below = self.forest.descendants(span);
            self.match_set(&deep, &below, &Unlisted::None, scope, &mut siblings);
        }
        let children = self.forest.children(span);
        let unlisted = match self.plan.items[item].node.closed {
            true => {
                // A child that is matched by an any-depth node counts as listed.
                let mut listed: Vec<usize> = siblings.pairs.iter().map(|pair| pair.span).collect();
                listed.sort_unstable();
                Unlisted::AllBut(listed)
            }
            false => Unlisted::None,
        };
        self.match_set(&direct, children, &unlisted, scope, &mut siblings);
        siblings
    }

    /// Splits nodes into those for any depth and those for direct children.
    fn split(&self, items: &[usize], scope: &Bindings<'e>) -> (Vec<usize>, Vec<usize>) {
        items
            .iter()
            .filter(|&&item| self.applies(item, scope))
            .partition(|&&item| self.plan.items[item].node.any_depth)
    }

    /// Whether a node applies. It does not apply while its condition cannot be evaluated yet.
    fn applies(&self, item: usize, scope: &Bindings<'e>) -> bool {
        self.plan.items[item].node.when.as_ref().is_none_or(|when| {
            let held = holds(when, |reference| {
                let bindings = self.bindings.as_ref();
                let target = target(self.plan, scope, bindings, &reference.span);
                resolve(reference, target, self.forest)
            });
            held == Some(true)
        })
    }

    /// Matches nodes with candidates and adds the result. `unlisted` are the candidates that are not allowed
    /// unless a node matches them.
    fn match_set(
        &mut self,
        items: &[usize],
        candidates: &[usize],
        unlisted: &Unlisted,
        scope: &Bindings<'e>,
        siblings: &mut Siblings<'e>,
    ) {
        if items.is_empty() && matches!(unlisted, Unlisted::None) {
            return;
        }
        let table = self.table(items, candidates, unlisted, scope);
        siblings.charge(UNLISTED, table.forbidden.len() as u64);
        siblings.excess.extend(&table.forbidden);

        let Choice { pairs, left } = table.cheapest();
        let mut filled = vec![0u64; items.len()];
        for (index, candidate) in pairs {
            filled[index] += 1;
            let cost = table.cost(index, candidate).unwrap_or(0);
            siblings.charge(cost, 1);
            let (item, span) = (items[index], table.candidates[candidate]);
            let (scope, children) = (self.scope(item, span, scope), Siblings::default());
            siblings.pairs.push(Pair {
                item,
                span,
                fits: cost == 0,
                scope,
                children,
            });
        }
        siblings.pairs.sort_by_key(|pair| (pair.item, pair.span));
        for (&item, filled) in items.iter().zip(filled) {
            let Item { node, weight, .. } = &self.plan.items[item];
            let count = node.times.min.saturating_sub(filled);
            if count > 0 {
                siblings.missing.push(Missing { item, count });
                siblings.charge(*weight, count);
            }
        }
        for candidate in left {
            let (penalty, why) = table.alone[candidate];
            siblings.charge(penalty, 1);
            let span = table.candidates[candidate];
            siblings.excess.extend(why.map(|why| Excess { span, why }));
        }
    }

    /// The costs of each candidate with each node, and alone.
    fn table<'c>(
        &mut self,
        items: &[usize],
        candidates: &'c [usize],
        unlisted: &Unlisted,
        scope: &Bindings<'e>,
    ) -> Table<'c> {
        let mut costs = Vec::with_capacity(candidates.len() * items.len());
        let mut alone: Vec<_> = candidates
            .iter()
            .map(|span| match unlisted.contains(*span) {
                true => (UNLISTED, Some(Why::Closed)),
                false => (0, None),
            })
            .collect();
        let mut forbidden = Vec::new();
        for &item in items {
            let none = self.plan.items[item].node.times.max == Some(0);
            let weight = self.plan.items[item].weight;
            for (candidate, &span) in candidates.iter().enumerate() {
                let pair = self.pair(item, span, scope);
                costs.push(pair.map(|(cost, _)| cost).filter(|_| !none));
                let (penalty, why) = match pair.map(|(_, fit)| fit) {
                    Some(Fit::Yes) => (weight + 1, Why::TooMany(item)),
                    Some(Fit::Unknown) => (FIELD, Why::MayBeTooMany(item)),
                    _ => continue,
                };
                if none {
                    forbidden.push(Excess { span, why });
                } else if penalty > alone[candidate].0 {
                    alone[candidate] = (penalty, Some(why));
                }
            }
        }
        // A forbidden span is reported once.
        if forbidden.is_empty() {
            return self.table_of(items, candidates, costs, alone, forbidden);
        }
        let named: HashSet<usize> = forbidden.iter().map(|excess| excess.span).collect();
        for (candidate, span) in candidates.iter().enumerate() {
            if alone[candidate].1 == Some(Why::Closed) && named.contains(span) {
                alone[candidate] = (0, None);
            }
        }
        self.table_of(items, candidates, costs, alone, forbidden)
    }

    fn table_of<'c>(
        &self,
        items: &[usize],
        candidates: &'c [usize],
        costs: Vec<Option<i64>>,
        alone: Vec<(i64, Option<Why>)>,
        forbidden: Vec<Excess>,
    ) -> Table<'c> {
        let node = |&item: &usize| {
            (
                self.plan.items[item].node.times,
                self.plan.items[item].weight,
            )
        };
        Table {
            nodes: items.iter().map(node).collect(),
            candidates,
            costs,
            alone,
            forbidden,
        }
    }
}
