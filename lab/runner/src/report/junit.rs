//! The report as JUnit XML, as continuous integration reads it: a suite a scenario, a case a phase.

use std::fmt::Write;

use expect::Verdict;

use super::{SHOWN, text::push_failure};
use crate::outcome::{Finished, PhaseReport, PhaseRun};

/// The document.
pub fn junit(finished: &[Finished]) -> String {
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
    for scenario in finished {
        let with = |verdict| {
            let phases = scenario.phases.iter();
            phases.filter(|run| run.report.verdict == verdict).count()
        };
        let _ = writeln!(
            text,
            "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" skipped=\"{}\">",
            escaped(&scenario.scenario.name),
            scenario.phases.len(),
            with(Verdict::Fail),
            with(Verdict::Unsupported)
        );
        for phase in &scenario.phases {
            push_case(&mut text, phase);
        }
        text.push_str("  </testsuite>\n");
    }
    text.push_str("</testsuites>\n");
    text
}

fn push_case(text: &mut String, phase: &PhaseRun) {
    let report = &phase.report;
    let seconds = phase.window.1.saturating_sub(phase.window.0) as f64 / 1e9;
    let _ = write!(
        text,
        "    <testcase classname=\"{}\" name=\"{}\" time=\"{seconds:.3}\"",
        escaped(&report.name),
        report.phase
    );
    let said = what_is_wrong(phase);
    let _ = match report.verdict {
        Verdict::Pass => writeln!(text, "/>"),
        Verdict::Unsupported => writeln!(
            text,
            ">\n      <skipped message=\"{}\"/>\n    </testcase>",
            escaped(report.why.as_deref().unwrap_or("it could not be evaluated"))
        ),
        Verdict::Fail => writeln!(
            text,
            ">\n      <failure message=\"{}\">{}</failure>\n    \
             </testcase>",
            how_many_failed(report),
            escaped(&said)
        ),
    };
}

fn how_many_failed(report: &PhaseReport) -> String {
    match (report.failed, report.traces) {
        (failed, 1) => format!("{failed} of 1 trace is not as it should be"),
        (failed, traces) => format!("{failed} of {traces} traces are not as they should be"),
    }
}

/// What is wrong with a phase, in full.
pub(super) fn what_is_wrong(phase: &PhaseRun) -> String {
    let report = &phase.report;
    let mut text = String::new();
    if let Some(why) = &report.why {
        let _ = writeln!(text, "{why}");
    }
    for case in phase.failed().take(SHOWN) {
        push_failure(&mut text, &report.name, case, false);
    }
    for trace in &phase.unexplained {
        let _ = writeln!(text, "trace {}: {}", trace.trace_id, trace.in_words());
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
            let got = line
                .ms
                .map_or("nothing".to_owned(), |ms| format!("{ms:.1} ms"));
            let _ = writeln!(
                text,
                "{} {}: wanted {}, got {got}",
                line.what, line.percentile, line.want
            );
        }
    }
    text
}

/// A text in XML: what is no character of XML 1.0 is replaced.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' | '\t' => escaped.push(c),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => {
                escaped.push('\u{fffd}');
            }
            c => escaped.push(c),
        }
    }
    escaped
}
