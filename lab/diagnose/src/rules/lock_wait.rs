//! Waits for a lock: recognized by spans of the wait, by handovers without such spans, and inside statements.

use super::{chatty, n_plus_one, pool_wait, sequential_calls, slow_query, waits, wrong_parent};
use crate::{
    facts::{run::RunFacts, wait::For},
    finding::{Explains, Finding, Rule, Scope, Severity},
};

/// The rule `lock-wait`.
pub(crate) static RULE: Rule = Rule {
    name: "lock-wait",
    severity: Severity::Warning,
    summary: "much of a span is a wait for a lock that another request holds",
    remedy: "hold the lock for less: no calls and no slow queries inside it, smaller transactions, finer locks",
    thresholds: waits::LIMITS,
    source: "ours (30 % of the parent and 20 ms)",
    of_the_load: true,
    about_time: true,
    needs_complete_traces: false,
    explains: Explains::nearby(&[
        &slow_query::RULE,
        &pool_wait::RULE,
        &wrong_parent::RULE,
        &chatty::RULE,
        &sequential_calls::RULE,
        &n_plus_one::RULE,
    ]),
    scope: Scope::Run(detect),
};

fn detect(run: &RunFacts<'_>, found: &mut dyn FnMut(usize, Finding)) {
    waits::shown(run, For::Lock, &RULE, found);
    waits::inferred(run, For::Lock, &RULE, found);
    waits::inside_statements(run, &RULE, found);
}
