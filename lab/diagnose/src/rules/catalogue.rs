//! All rules, in the order of the book.

use super::{
    abandoned_work, blocked_runtime, broken_propagation, chatty, clock_skew, dead_letter,
    deadline_exceeded, deadlock, duplicate_spans, error, leaked_secret, lock_wait, lost_context,
    n_plus_one, orphan_spans, partial_trace, pool_wait, queue_delay, redelivery, retry_storm,
    sequential_calls, slow_external, slow_query, span_flood, unbounded_names, wrong_parent,
};
use crate::finding::Rule;

static RULES: [&Rule; 26] = [
    &n_plus_one::RULE,
    &sequential_calls::RULE,
    &chatty::RULE,
    &slow_query::RULE,
    &slow_external::RULE,
    &lock_wait::RULE,
    &pool_wait::RULE,
    &blocked_runtime::RULE,
    &deadlock::RULE,
    &retry_storm::RULE,
    &abandoned_work::RULE,
    &deadline_exceeded::RULE,
    &error::RULE,
    &queue_delay::RULE,
    &redelivery::RULE,
    &dead_letter::RULE,
    &broken_propagation::RULE,
    &lost_context::RULE,
    &partial_trace::RULE,
    &orphan_spans::RULE,
    &wrong_parent::RULE,
    &clock_skew::RULE,
    &duplicate_spans::RULE,
    &unbounded_names::RULE,
    &span_flood::RULE,
    &leaked_secret::RULE,
];

/// All rules of the diagnosis, in the order of the book.
pub fn catalogue() -> impl ExactSizeIterator<Item = &'static Rule> + Clone {
    RULES.iter().copied()
}

/// Finds a rule by its name; `None` if no rule has this name.
pub fn rule(name: &str) -> Option<&'static Rule> {
    catalogue().find(|rule| rule.name == name)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    use std::collections::{BTreeSet, HashSet};

    use super::*;
    use crate::thresholds::{Amount, THRESHOLDS, Thresholds};

    #[test]
    fn no_two_rules_share_a_name() {
        let names: HashSet<&str> = catalogue().map(|rule| rule.name).collect();
        assert_eq!(names.len(), catalogue().len());
        for name in names {
            assert_eq!(rule(name).unwrap().name, name);
        }
    }

    #[test]
    fn what_a_rule_explains_is_in_the_catalogue_and_explains_it_not_in_turn() {
        for stronger in catalogue() {
            // All findings that it explains, directly and indirectly.
            let mut explained: BTreeSet<&str> = BTreeSet::new();
            let mut next = vec![stronger];
            while let Some(one) = next.pop() {
                let weaker = one.explains.nearby.iter().chain(one.explains.in_request);
                for weaker in weaker.copied() {
                    assert!(
                        catalogue().any(|rule| std::ptr::eq(rule, weaker)),
                        "{weaker:?} is explained by {one:?} and is not in the catalogue"
                    );
                    if explained.insert(weaker.name) {
                        next.push(weaker);
                    }
                }
            }
            assert!(
                !explained.contains(stronger.name),
                "{stronger:?} explains itself"
            );
        }
    }

    #[test]
    fn every_rule_has_a_section_in_the_chapter_of_findings_and_in_its_order() {
        let chapter = include_str!("../../../../docs/src/findings.md");
        let headings = chapter.lines().filter_map(|line| line.strip_prefix("## "));
        let sections: Vec<&str> = headings.filter(|heading| !heading.contains(' ')).collect();
        let names: Vec<&str> = catalogue().map(|rule| rule.name).collect();
        assert_eq!(sections, names);
    }

    /// All fields of the thresholds, each with a function that changes it; a missing field does not compile.
    macro_rules! fields {
        ($($field:ident)*) => {{
            let Thresholds { $($field: _),* } = THRESHOLDS;
            let changes: Vec<(&str, fn(&mut Thresholds))> = vec![
                $((stringify!($field), |limits| limits.$field = Default::default())),*
            ];
            changes
        }};
    }

    #[test]
    fn every_threshold_is_listed_by_a_rule_that_goes_by_it() {
        let values = |limits: &Thresholds| -> Vec<Amount> {
            let thresholds = catalogue().flat_map(|rule| rule.thresholds);
            thresholds
                .map(|threshold| threshold.value(limits))
                .collect()
        };
        let usual = values(&THRESHOLDS);
        let fields = fields!(
            n_plus_one_queries n_plus_one_ns n_plus_one_many n_plus_one_calls n_plus_one_calls_ns
            group_length group_times sequential_saved_ns sequential_saved_database_ns
            sequential_share slow_external_ns slow_query_ns slow_share slow_share_from_ns
            wait_share wait_ns handover_ns handovers retry_attempts backoff_growth backoff_ns
            skew_ns abandoned_ns queue_ns queue_share redeliveries distinct_names blocked_ns
            blocked_times chatty_children chatty_calls flood_spans flood_share gap_fit gap_fit_ns
        );
        for (field, change) in fields {
            let mut limits = THRESHOLDS;
            change(&mut limits);
            assert_ne!(values(&limits), usual, "{field} is listed by no rule");
        }
    }

    #[test]
    fn amounts_are_written_with_their_units() {
        let written = |what: &str| {
            let mut thresholds = catalogue().flat_map(|rule| rule.thresholds);
            let threshold = thresholds.find(|threshold| threshold.what == what);
            threshold.unwrap().value(&THRESHOLDS).to_string()
        };
        assert_eq!(written("attempts"), "3");
        assert_eq!(written("what these take together"), "50 ms");
        assert_eq!(written("and in any case"), "0.5 ms");
        assert_eq!(written("how long it lay in the queue"), "1 s");
        assert_eq!(written("of one service and name"), "80 %");
        assert_eq!(
            written("growth of the pauses that is a backoff"),
            "1.3 times"
        );
    }
}
