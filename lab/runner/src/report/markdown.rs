//! The report as Markdown, for a pull request or a job summary.

use std::fmt::Write;

use expect::Verdict;
use plain::plain;

use super::{Report, junit::what_is_wrong, text::summary};
use crate::outcome::Finished;

/// Renders the document.
pub fn markdown(finished: &[Finished]) -> String {
    let report = Report::new(finished);
    let mut text = format!("# tracelab: {}\n\n", report.verdict.word());
    text.push_str(&summary(&report, finished.len()));
    text.push_str(
        "\n| scenario | phase | verdict | traces | p50 | p90 | p99 |\n\
         | --- | --- | --- | --- | --- | --- | --- |\n",
    );
    for phase in &report.scenarios {
        let [p50, p90, p99] = phase
            .latency_ms
            .map_or([const { String::new() }; 3], |latency| {
                latency.all().map(|ms| format!("{ms:.0} ms"))
            });
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} of {} | {p50} | {p90} | {p99} |",
            phase.name,
            phase.phase,
            phase.verdict.word(),
            phase.passed,
            phase.traces
        );
    }
    for run in finished.iter().flat_map(|scenario| &scenario.phases) {
        let said = match run.report.verdict {
            Verdict::Pass => continue,
            Verdict::Unsupported => {
                plain(run.report.why.as_deref().unwrap_or_default()).into_owned()
            }
            Verdict::Fail => what_is_wrong(run),
        };
        let _ = writeln!(
            text,
            "\n## {} {}: {}\n\n```text\n{}\n```",
            run.report.name,
            run.report.phase,
            run.report.verdict.word(),
            said.trim_end().replace("```", "` ` `")
        );
    }
    text
}
