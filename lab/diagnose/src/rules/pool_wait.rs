//! Waits for a connection of a pool: recognized by spans of the wait, and by handovers without such spans.

use super::{slow_query, waits, wrong_parent};
use crate::{
    facts::{run::RunFacts, wait::For},
    finding::{Explains, Finding, Rule, Scope, Severity},
};

/// The rule `pool-wait`.
pub(crate) static RULE: Rule = Rule {
    name: "pool-wait",
    severity: Severity::Warning,
    summary: "much of a span is spent waiting for a free connection of a pool",
    remedy: "give connections back sooner, find who keeps them, make the pool larger (as large as the other side bears)",
    thresholds: waits::LIMITS,
    source: "ours (30 % of the parent and 20 ms)",
    of_the_load: true,
    about_time: true,
    needs_complete_traces: false,
    explains: Explains::nearby(&[&slow_query::RULE, &wrong_parent::RULE]),
    scope: Scope::Run(detect),
};

fn detect(run: &RunFacts<'_>, found: &mut dyn FnMut(usize, Finding)) {
    waits::shown(run, For::Connection, &RULE, found);
    waits::inferred(run, For::Connection, &RULE, found);
}
