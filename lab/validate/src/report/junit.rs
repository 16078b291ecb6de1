//! The result as JUnit XML: a suite for each group of cases, with the differences in each failure.

use std::time::Duration;

use backends::Verdict;
use plain::xml;
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::line;
use crate::document::{CaseResult, Document};

/// Renders the document.
pub fn junit(document: &Document) -> String {
    let mut report = Report::unnamed();
    let mut groups: Vec<&str> = document
        .cases
        .iter()
        .map(|case| case.group.as_str())
        .collect();
    groups.dedup();
    for group in groups {
        let mut suite = TestSuite::new(format!("{}: {group}", document.backend));
        let of_group = document.cases.iter().filter(|result| result.group == group);
        suite.add_test_cases(of_group.map(|result| case(result, &document.backend)));
        report.add_test_suite(suite);
    }
    report.to_string().expect("memory can be written to")
}

fn case(result: &CaseResult, backend: &str) -> TestCase {
    let lines: Vec<String> = result
        .differences
        .iter()
        .map(line)
        .chain(result.notes.clone())
        .collect();
    let described = xml(&lines.join("\n"));
    let status = match result.verdict {
        Verdict::Pass | Verdict::Fixed => TestCaseStatus::success(),
        Verdict::Unsupported => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(described);
            status
        }
        Verdict::Fail | Verdict::Regression => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            status.set_message(match result.verdict {
                Verdict::Regression => "the profile promises it",
                _ => "no profile speaks of it",
            });
            status.set_description(format!("{described}\nwhy it is sent: {}", xml(&result.why)));
            status
        }
    };
    let name = match result.over {
        Some(over) => format!("{} over {}", result.case, over.as_str()),
        None => result.case.clone(),
    };
    let mut case = TestCase::new(name, status);
    case.set_classname(format!("{backend}.{}", result.group));
    case.set_time(Duration::from_secs_f64(result.seconds.max(0.0)));
    case
}
