//! The fidelity suite: [`Case`]s, each a small trace with one feature of OTLP in it.
//!
//! What surrounds the feature is as plain as a span can be: a server span of whole milliseconds with a lower-case name, in
//! a resource with nothing but a `service.name`, in a scope with name and version. So a backend that cannot keep, say,
//! nanoseconds fails the cases about nanoseconds, and no others.
//!
//! The same seed makes the same spans, but for their time.

mod context;
mod events;
mod links;
mod maker;
mod sizes;
mod times;
mod tree;
mod values;
mod wrapping;

use std::fmt;

use serde::Serialize;
use trace::Span;

pub use maker::Maker;

/// A named shape of a trace, and why it is sent.
#[derive(Clone, Copy)]
pub struct Case {
    /// Its name, in kebab case, such as `status-error-message`.
    pub name: &'static str,
    /// What it belongs to.
    pub group: Group,
    /// Why it is sent: who writes such spans, or what is known to go wrong.
    pub why: &'static str,
    make: fn(&mut Maker) -> Made,
}

/// The spans of a case. Each request is sent when the one before it was answered.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Made {
    /// The requests that are sent at once.
    pub requests: Vec<Vec<Span>>,
    /// What is sent when all before it can be read.
    pub late: Vec<Span>,
}

/// What a case belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Group {
    /// Which span is whose child, and their ids.
    Tree,
    /// Names, kinds and statuses.
    Context,
    /// Starts, ends and durations.
    Times,
    /// Types and content of attributes.
    Values,
    /// Moments in a span.
    Events,
    /// References to other spans.
    Links,
    /// Resources and scopes.
    Wrapping,
    /// Much of something.
    Sizes,
}

/// All cases, in the order of their groups.
pub fn cases() -> impl Iterator<Item = Case> {
    [
        tree::CASES,
        context::CASES,
        times::CASES,
        values::CASES,
        events::CASES,
        links::CASES,
        wrapping::CASES,
        sizes::CASES,
    ]
    .into_iter()
    .flatten()
    .copied()
}

// === impl Case ===

impl Case {
    /// Makes the spans of the case.
    pub fn make(&self, maker: &mut Maker) -> Made {
        (self.make)(maker)
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Case({})", self.name)
    }
}

// === impl Made ===

impl Made {
    /// One request.
    pub(crate) fn one(spans: Vec<Span>) -> Made {
        Made {
            requests: vec![spans],
            late: Vec::new(),
        }
    }

    /// All spans, in the order in which they are sent.
    pub fn spans(&self) -> impl Iterator<Item = &Span> {
        self.requests.iter().flatten().chain(&self.late)
    }
}

// === impl Group ===

impl Group {
    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Group::Tree => "tree",
            Group::Context => "context",
            Group::Times => "times",
            Group::Values => "values",
            Group::Events => "events",
            Group::Links => "links",
            Group::Wrapping => "wrapping",
            Group::Sizes => "sizes",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn names_are_unique_and_each_case_says_why() {
        let mut names = HashSet::new();
        for case in cases() {
            assert!(names.insert(case.name), "{} is there twice", case.name);
            let is_kebab = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            assert!(case.name.chars().all(is_kebab), "{}", case.name);
            assert!(
                case.why.ends_with(['.', '?']) && case.why.len() > 10,
                "{}",
                case.name
            );
        }
        assert!(names.len() >= 75, "{} cases", names.len());
    }

    #[test]
    fn the_same_seed_makes_the_same_spans() {
        let spans = |seed| -> Vec<String> {
            let mut maker = Maker::new(seed, 1_790_000_000_000_000_000);
            // NaN equals nothing: the text of the spans is compared.
            cases()
                .map(|case| format!("{:?}", case.make(&mut maker)))
                .collect()
        };
        assert_eq!(spans(1), spans(1));
        assert_ne!(spans(1), spans(2));
    }

    #[test]
    fn a_case_is_one_trace_but_for_those_about_two() {
        let mut maker = Maker::new(1, 1_790_000_000_000_000_000);
        for case in cases() {
            let made = case.make(&mut maker);
            let traces: HashSet<_> = made.spans().map(|span| span.trace_id).collect();
            let expected = match case.name {
                "same-span-id-in-two-traces" | "link-to-another-trace" => 2,
                _ => 1,
            };
            assert_eq!(traces.len(), expected, "{}", case.name);
            assert!(
                made.requests.iter().all(|request| !request.is_empty()),
                "{}",
                case.name
            );
        }
    }

    #[test]
    fn spans_of_a_case_come_back_from_otlp_as_they_were() {
        let mut maker = Maker::new(1, 1_790_000_000_000_000_000);
        for case in cases() {
            let spans: Vec<Span> = case.make(&mut maker).spans().cloned().collect();
            let read = trace::otlp::from_protobuf(&trace::otlp::to_protobuf(&spans));
            let read = read.expect("it is OTLP");
            assert_eq!(read.rejected, [], "{}", case.name);
            assert_eq!(crate::compare(&spans, &read.spans), [], "{}", case.name);
            let json = trace::otlp::to_json(&spans);
            let read = trace::otlp::from_json(json.as_bytes()).expect("it is OTLP/JSON");
            assert_eq!(
                crate::compare(&spans, &read.spans),
                [],
                "{} in JSON",
                case.name
            );
        }
    }
}
