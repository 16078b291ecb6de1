//! The report as JUnit XML for continuous integration: a suite for each scenario, a case for each phase.

use std::{fmt::Write, time::Duration};

use expect::Verdict;
use plain::{Plain, xml};
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::{SHOWN, text::push_failure};
use crate::outcome::{Finished, PhaseReport, PhaseRun};

/// Renders the document. Control characters are replaced.
pub fn junit(finished: &[Finished]) -> String {
    let mut report = Report::unnamed();
    report.add_test_suites(finished.iter().map(suite));
    report.to_string().expect("memory can be written to")
}

fn suite(finished: &Finished) -> TestSuite {
    let mut suite = TestSuite::new(&finished.scenario.name);
    suite.add_test_cases(finished.phases.iter().map(case));
    suite
}

fn case(phase: &PhaseRun) -> TestCase {
    let report = &phase.report;
    let status = match report.verdict {
        Verdict::Pass => TestCaseStatus::success(),
        Verdict::Unsupported => {
            let mut status = TestCaseStatus::skipped();
            let why = report.why.as_deref();
            status.set_message(xml(why.unwrap_or("it could not be evaluated")));
            status
        }
        Verdict::Fail => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            status.set_message(how_many_failed(report));
            status.set_description(xml(&what_is_wrong(phase)));
            status
        }
    };
    let mut case = TestCase::new(report.phase.to_string(), status);
    case.set_classname(&report.name);
    let (began, ended) = phase.window;
    case.set_time(Duration::from_nanos(ended.saturating_sub(began)));
    case
}

fn how_many_failed(report: &PhaseReport) -> String {
    match (report.failed, report.traces) {
        (0, _) => "the phase as a whole is not as it should be".to_owned(),
        (failed, 1) => format!("{failed} of 1 trace is not as it should be"),
        (failed, traces) => format!("{failed} of {traces} traces are not as they should be"),
    }
}

/// Describes everything that is wrong with a phase.
pub(super) fn what_is_wrong(phase: &PhaseRun) -> String {
    let report = &phase.report;
    let mut text = String::new();
    if let Some(why) = &report.why {
        let _ = writeln!(text, "{}", Plain(why));
    }
    for case in phase.failed_cases().take(SHOWN) {
        push_failure(&mut text, &report.name, case, false);
    }
    for trace in &phase.unexplained {
        let _ = writeln!(
            text,
            "trace {}: {}",
            trace.trace_id,
            Plain(trace.in_words())
        );
    }
    if report.dropped_spans > 0 {
        let _ = match report.dropped_spans {
            1 => writeln!(text, "1 span was dropped"),
            spans => writeln!(text, "{spans} spans were dropped"),
        };
    }
    if !report.phase.is_silent() {
        let missed = report.latency.iter();
        for line in missed.filter(|line| line.verdict == Verdict::Fail) {
            let got = line.got();
            let _ = writeln!(
                text,
                "{} {}: wanted {}, got {got}",
                Plain(&line.what),
                line.percentile,
                line.want
            );
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_loses_nothing_that_can_be_read() {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
        status.set_description(xml("want\t<201>\ngot \u{1b}[31m500\u{1b}[0m\u{fffe}"));
        let mut suite = TestSuite::new("suite");
        suite.add_test_case(TestCase::new("case", status));
        let mut report = Report::unnamed();
        report.add_test_suite(suite);
        let document = report.to_string().expect("memory can be written to");
        let written = "want &lt;201&gt;\ngot \u{fffd}[31m500\u{fffd}[0m\u{fffd}</failure>";
        assert!(document.contains(written), "{document}");
    }
}
