//! The cheapest matching of a tree of nodes with a forest of spans.
//!
//! Costs are found from the top down, each pair of a node and a span once: what differs in the
//! span itself, and the cheapest matching of the node's children with the span's. The recursion
//! is as deep as the expectation, never as deep as the trace.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::{
    assign::{Class, Flow, assign},
    compare::{Fit, Target, fit},
    forest::Forest,
    plan::{FIELD, Plan},
};

/// What a span costs that a closed parent may not have.
const UNLISTED: i64 = 2;
/// How often the tree is matched at most, each time with the spans that the last matching bound to
/// names; the first round that changes nothing is the last.
const ROUNDS: usize = 8;

/// The spans that names stand for.
pub(crate) type Bindings<'e> = BTreeMap<&'e str, usize>;

/// The matching of the whole tree.
pub(crate) struct Matching<'e> {
    pub(crate) top: Siblings<'e>,
    /// The spans that links across the tree were held against.
    pub(crate) bindings: Bindings<'e>,
    /// Whether these are the spans that the nodes were matched with. If not, links across the
    /// tree could not be judged.
    pub(crate) consistent: bool,
}

/// The matching of some nodes with some spans: what became of each.
#[derive(Default)]
pub(crate) struct Siblings<'e> {
    pub(crate) pairs: Vec<Pair<'e>>,
    pub(crate) missing: Vec<Missing>,
    pub(crate) excess: Vec<Excess>,
}

/// A node and the span that it goes with.
pub(crate) struct Pair<'e> {
    pub(crate) item: usize,
    pub(crate) span: usize,
    /// The names that are bound above it and at it.
    pub(crate) scope: Bindings<'e>,
    pub(crate) children: Siblings<'e>,
}

/// A node for which there are so many spans too few.
pub(crate) struct Missing {
    pub(crate) item: usize,
    pub(crate) count: u64,
}

/// A span that should not be there.
#[derive(Clone, Copy)]
pub(crate) struct Excess {
    pub(crate) span: usize,
    pub(crate) why: Why,
}

/// Why a span should not be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// It fits a node that has all the spans it may have.
    TooMany(usize),
    /// It may fit a node that has all the spans it may have; what would decide it was dropped.
    MayBeTooMany(usize),
    /// Its parent is closed, and it fits no node.
    Closed,
}

/// Matches the tree.
pub(crate) fn search<'e>(plan: &Plan<'e>, forest: &Forest<'_>) -> Matching<'e> {
    let mut bindings = None;
    let mut rounds = 0;
    loop {
        let mut search = Search {
            plan,
            forest,
            bindings,
            known: HashMap::new(),
        };
        let top = search.top();
        let mut found = Bindings::new();
        collect(plan, &top, &mut found);
        rounds += 1;
        // Where no link crosses the tree, every round is like the first.
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

fn collect<'e>(plan: &Plan<'e>, siblings: &Siblings<'e>, found: &mut Bindings<'e>) {
    for pair in &siblings.pairs {
        if let Some(name) = &plan.items[pair.item].node.span.bound {
            found.insert(name, pair.span);
        }
        collect(plan, &pair.children, found);
    }
}

/// The span that a link to a name should lead to.
pub(crate) fn target<'e>(
    plan: &Plan<'e>,
    scope: &Bindings<'e>,
    bindings: Option<&Bindings<'e>>,
    name: &str,
) -> Target<'e> {
    let span = scope.get(name).or_else(|| bindings?.get(name));
    match (span, bindings, plan.bound.get(name)) {
        (Some(&span), ..) => Target::Span(span),
        (None, None, Some(&item)) => Target::Like(&plan.items[item].node.span),
        _ => Target::Missing,
    }
}

struct Search<'s, 'e, 't> {
    plan: &'s Plan<'e>,
    forest: &'s Forest<'t>,
    /// The spans that names stood for in the last round, if there was one.
    bindings: Option<Bindings<'e>>,
    /// What pairs cost that were looked at: item, span, and the spans that stand for the names
    /// that the item refers to above it.
    known: HashMap<(usize, usize, Vec<Option<usize>>), i64>,
}

/// Spans and what each costs with each node.
struct Table {
    candidates: Vec<usize>,
    /// By node, then by candidate.
    costs: Vec<Vec<Option<i64>>>,
    /// By candidate: what it costs if no node has it, and why.
    alone: Vec<(i64, Option<Why>)>,
    /// Candidates that fit a node of which there must be none.
    forbidden: Vec<Excess>,
}

// === impl Search ===

impl<'e> Search<'_, 'e, '_> {
    /// Matches the nodes at the top with the spans at the top.
    fn top(&mut self) -> Siblings<'e> {
        let (deep, direct) = self.split(&self.plan.tops);
        let scope = Bindings::new();
        let (mut siblings, mut cost) = (Siblings::default(), 0);
        let tops: Vec<usize> = self.forest.all_tops().collect();
        let all: Vec<usize> = (0..self.forest.len())
            .filter(|&span| self.forest.is_own(span))
            .collect();
        let open = HashSet::new();
        self.match_set(&direct, tops, &open, &scope, &mut siblings, &mut cost);
        self.match_set(&deep, all, &open, &scope, &mut siblings, &mut cost);
        siblings.pairs.iter_mut().for_each(|pair| self.fill(pair));
        siblings
    }

    /// Matches the children of a pair, and theirs.
    fn fill(&mut self, pair: &mut Pair<'e>) {
        (pair.children, _) = self.children(pair.item, pair.span, &pair.scope);
        for child in &mut pair.children.pairs {
            self.fill(child);
        }
    }

    /// What a node costs with a span, or `None` if it is clearly another span.
    fn pair(&mut self, item: usize, span: usize, scope: &Bindings<'e>) -> Option<(i64, Fit)> {
        // Only a node that asks for links can be at the top of a related trace: anything else
        // there belongs to someone else.
        let asks_links = !self.plan.items[item].node.links.is_empty();
        if !asks_links && !self.forest.is_own(span) && self.forest.top(span).is_some() {
            return None;
        }
        let inner = self.scope(item, span, scope);
        let fit = fit(
            &self.plan.items[item],
            self.forest.span(span),
            self.forest,
            |name| target(self.plan, &inner, self.bindings.as_ref(), name),
        )?;
        let own = match fit {
            Fit::Yes => 0,
            Fit::Unknown => FIELD,
            Fit::No(cost) => cost,
        };
        if self.plan.items[item].children.is_empty() && !self.plan.items[item].node.closed {
            return Some((own, fit));
        }
        let outer = self.plan.items[item]
            .outer
            .iter()
            .map(|name| inner.get(name).copied());
        let key = (item, span, outer.collect());
        if let Some(known) = self.known.get(&key) {
            return Some((own + known, fit));
        }
        let (_, below) = self.children(item, span, &inner);
        self.known.insert(key, below);
        Some((own + below, fit))
    }

    /// The names that are bound at and above a node.
    fn scope(&self, item: usize, span: usize, above: &Bindings<'e>) -> Bindings<'e> {
        let mut scope = above.clone();
        if let Some(name) = &self.plan.items[item].node.span.bound {
            scope.insert(name, span);
        }
        scope
    }

    /// The cheapest matching of a node's children with those of a span, one level deep, and its
    /// cost. `scope` holds what is bound at the node as well.
    fn children(&mut self, item: usize, span: usize, scope: &Bindings<'e>) -> (Siblings<'e>, i64) {
        let (deep, direct) = self.split(&self.plan.items[item].children);
        let (mut siblings, mut cost) = (Siblings::default(), 0);
        if !deep.is_empty() {
            let below = self.forest.descendants(span);
            self.match_set(
                &deep,
                below,
                &HashSet::new(),
                scope,
                &mut siblings,
                &mut cost,
            );
        }
        let children = self.forest.children(span).to_vec();
        let unlisted = match self.plan.items[item].node.closed {
            true => {
                // A child that an any-depth node has is listed.
                let listed: HashSet<usize> = siblings.pairs.iter().map(|pair| pair.span).collect();
                children
                    .iter()
                    .copied()
                    .filter(|child| !listed.contains(child))
                    .collect()
            }
            false => HashSet::new(),
        };
        self.match_set(
            &direct,
            children,
            &unlisted,
            scope,
            &mut siblings,
            &mut cost,
        );
        (siblings, cost)
    }

    /// Nodes for any depth, and nodes for direct children.
    fn split(&self, items: &[usize]) -> (Vec<usize>, Vec<usize>) {
        items
            .iter()
            .partition(|&&item| self.plan.items[item].node.any_depth)
    }

    /// Matches nodes with candidates and adds what it comes to. `unlisted` are the candidates that
    /// may not be there unless a node has them.
    fn match_set(
        &mut self,
        items: &[usize],
        candidates: Vec<usize>,
        unlisted: &HashSet<usize>,
        scope: &Bindings<'e>,
        siblings: &mut Siblings<'e>,
        cost: &mut i64,
    ) {
        let table = self.table(items, candidates, unlisted, scope);
        *cost += i64::try_from(table.forbidden.len()).unwrap_or(i64::MAX) * UNLISTED;
        siblings.excess.extend(&table.forbidden);

        let (columns, members) = classes(&table);
        let rows = self.rows(items, table.candidates.len());
        let costs: Vec<Vec<_>> = rows
            .iter()
            .map(|(row, _)| members.iter().map(|of| table.costs[*row][of[0]]).collect())
            .collect();
        let classes: Vec<Class> = rows.iter().map(|(_, class)| *class).collect();
        let flows = assign(&classes, &columns, &costs);

        let mut left: Vec<_> = members.into_iter().map(Vec::into_iter).collect();
        let mut filled = vec![0u64; items.len()];
        for Flow { row, column, units } in flows {
            let (index, item) = (rows[row].0, items[rows[row].0]);
            filled[index] += units;
            for _ in 0..units {
                let candidate = left[column]
                    .next()
                    .expect("a class has as many units as members");
                *cost += table.costs[index][candidate].unwrap_or(0);
                let span = table.candidates[candidate];
                let scope = self.scope(item, span, scope);
                siblings.pairs.push(Pair {
                    item,
                    span,
                    scope,
                    children: Siblings::default(),
                });
            }
        }
        for (index, &item) in items.iter().enumerate() {
            let count = self.plan.items[item]
                .node
                .times
                .min
                .saturating_sub(filled[index]);
            if count > 0 {
                siblings.missing.push(Missing { item, count });
                let count = i64::try_from(count).unwrap_or(i64::MAX);
                *cost = cost.saturating_add(
                    self.plan.items[item]
                        .weight
                        .saturating_mul(count)
                        .min(1 << 50),
                );
            }
        }
        let mut alone: Vec<usize> = left.into_iter().flatten().collect();
        alone.sort_unstable();
        for candidate in alone {
            let (penalty, why) = table.alone[candidate];
            *cost += penalty;
            let span = table.candidates[candidate];
            siblings.excess.extend(why.map(|why| Excess { span, why }));
        }
        siblings.pairs.sort_by_key(|pair| (pair.item, pair.span));
    }

    /// What each candidate costs with each node, and alone.
    fn table(
        &mut self,
        items: &[usize],
        candidates: Vec<usize>,
        unlisted: &HashSet<usize>,
        scope: &Bindings<'e>,
    ) -> Table {
        let mut costs = vec![Vec::with_capacity(candidates.len()); items.len()];
        let mut alone: Vec<_> = candidates
            .iter()
            .map(|span| match unlisted.contains(span) {
                true => (UNLISTED, Some(Why::Closed)),
                false => (0, None),
            })
            .collect();
        let mut forbidden = Vec::new();
        for (index, &item) in items.iter().enumerate() {
            let none = self.plan.items[item].node.times.max == Some(0);
            let weight = self.plan.items[item].weight;
            for (candidate, &span) in candidates.iter().enumerate() {
                let pair = self.pair(item, span, scope);
                costs[index].push(pair.map(|(cost, _)| cost).filter(|_| !none));
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
        // A span that must not be there is said to be so once.
        let named: HashSet<usize> = forbidden.iter().map(|excess| excess.span).collect();
        for (candidate, span) in candidates.iter().enumerate() {
            if alone[candidate].1 == Some(Why::Closed) && named.contains(span) {
                alone[candidate] = (0, None);
            }
        }
        Table {
            candidates,
            costs,
            alone,
            forbidden,
        }
    }

    /// The nodes as rows: so many spans that must be there, and so many more that may.
    fn rows(&self, items: &[usize], candidates: usize) -> Vec<(usize, Class)> {
        let all = candidates as u64;
        let mut rows = Vec::new();
        for (index, &item) in items.iter().enumerate() {
            let times = self.plan.items[item].node.times;
            let must = times.min.min(all);
            let may = times.max.unwrap_or(all).min(all).saturating_sub(must);
            let weight = self.plan.items[item].weight;
            let classes = [
                Class {
                    units: must,
                    alone: weight,
                },
                Class {
                    units: may,
                    alone: 0,
                },
            ];
            rows.extend(
                classes
                    .into_iter()
                    .filter(|class| class.units > 0)
                    .map(|class| (index, class)),
            );
        }
        rows
    }
}

/// Candidates that cost the same with each node and alone, as columns with their members.
fn classes(table: &Table) -> (Vec<Class>, Vec<Vec<usize>>) {
    let mut known: HashMap<(Vec<Option<i64>>, i64), usize> = HashMap::new();
    let (mut columns, mut members): (Vec<Class>, Vec<Vec<usize>>) = (Vec::new(), Vec::new());
    for candidate in 0..table.candidates.len() {
        let costs = table.costs.iter().map(|row| row[candidate]).collect();
        let alone = table.alone[candidate].0;
        let class = *known.entry((costs, alone)).or_insert_with(|| {
            columns.push(Class { units: 0, alone });
            members.push(Vec::new());
            columns.len() - 1
        });
        columns[class].units += 1;
        members[class].push(candidate);
    }
    (columns, members)
}
