//! The report as text for people.

use std::fmt::Write;

use diagnose::plural;
use expect::Verdict;
use plain::Plain;
use waterfall::Style;

use super::{Report, SHOWN};
use crate::{
    case::Case,
    judge::{LatencyLine, UnsupportedFinding},
    outcome::{Finished, PhaseReport, PhaseRun},
    phase::Phase,
};

/// The terminal width, in columns, from which two waterfalls stand side by side.
const TWO_WATERFALLS: usize = 170;

/// The number of columns between two waterfalls.
const GUTTER: usize = 3;

/// Renders the result of a scenario. `whole` adds its story and its traces.
pub fn text(finished: &Finished, whole: bool, style: &Style) -> String {
    let mut text = String::new();
    if whole {
        push_story(&mut text, finished);
    }
    for phase in &finished.phases {
        push_failures(&mut text, phase, style.colour);
    }
    if whole {
        push_waterfalls(&mut text, finished, style);
    }
    let Finished { scenario, .. } = finished;
    let verdict = finished.verdict().painted(style.colour);
    let _ = writeln!(
        text,
        "{verdict} {}: {}",
        scenario.name,
        Plain(&scenario.title)
    );
    match finished.phases.as_slice() {
        [only] if scenario.faults.is_empty() => push_only_phase(&mut text, &only.report),
        phases => {
            for phase in phases {
                push_phase(&mut text, &phase.report, style.colour);
            }
            if whole {
                push_latencies(&mut text, finished);
            }
        }
    }
    text
}

/// Renders the last lines of a run of several scenarios: how many passed and failed.
pub fn summary(report: &Report, scenarios: usize) -> String {
    let with = |verdict| {
        let phases = report.scenarios.iter();
        phases.filter(|phase| phase.verdict == verdict).count()
    };
    let (passed, failed) = (with(Verdict::Pass), with(Verdict::Fail));
    let mut text = format!(
        "{}, {}: {passed} as they should be, {failed} not",
        plural(scenarios, "scenario"),
        plural(report.scenarios.len(), "phase")
    );
    let unsupported: Vec<String> = report
        .scenarios
        .iter()
        .filter(|phase| phase.verdict == Verdict::Unsupported)
        .map(|phase| format!("{} {}", phase.name, phase.phase))
        .collect();
    if !unsupported.is_empty() {
        let _ = write!(
            text,
            ", {} unsupported ({})",
            unsupported.len(),
            unsupported.join(", ")
        );
    }
    text.push('\n');
    text
}

fn push_story(text: &mut String, finished: &Finished) {
    let scenario = &finished.scenario;
    let _ = writeln!(text, "{}\n", Plain(&scenario.title));
    if !scenario.story.trim().is_empty() {
        for line in scenario.story.trim_end().lines() {
            let _ = writeln!(text, "{}", format!("  {}", Plain(line)).trim_end());
        }
        text.push('\n');
    }
}

fn push_failures(text: &mut String, phase: &PhaseRun, colour: bool) {
    let title = format!("{} {}", phase.report.name, phase.report.phase);
    let title = match phase.report.phase {
        Phase::Faulty => &phase.report.name,
        Phase::Twin | Phase::NearMiss => &title,
    };
    let failed: Vec<&Case> = phase.failed_cases().collect();
    for case in failed.iter().take(SHOWN) {
        push_failure(text, title, case, colour);
        text.push('\n');
    }
    if phase.failed > SHOWN {
        let _ = writeln!(text, "… and {} more failed\n", phase.failed - SHOWN);
    }
    for trace in phase.unexplained.iter().take(SHOWN) {
        let _ = writeln!(
            text,
            "UNEXPLAINED {title}  trace {}: {}\n",
            trace.trace_id,
            Plain(trace.in_words())
        );
    }
}

/// Describes everything that is wrong with one request.
pub(super) fn push_failure(text: &mut String, title: &str, case: &Case, colour: bool) {
    match (&case.report, &case.why) {
        (Some(report), None) => text.push_str(&report.text(title, &case.answer(), colour)),
        (_, why) => {
            let trace = case.trace.as_ref();
            let trace = trace.map_or(String::new(), |trace| format!("  trace {}", trace.id()));
            let _ = writeln!(
                text,
                "{} {title}{trace}  {}  {}",
                Verdict::Fail.painted(colour),
                Plain(why.as_deref().unwrap_or_default()),
                Plain(case.answer())
            );
        }
    }
}

fn push_waterfalls(text: &mut String, finished: &Finished, style: &Style) {
    let median = |phase| finished.phase(phase)?.median()?.trace.as_deref();
    let (fault, twin) = (median(Phase::Faulty), median(Phase::Twin));
    match (fault, twin) {
        (Some(fault), Some(twin)) if style.width >= TWO_WATERFALLS => {
            let half = Style {
                width: (style.width - GUTTER) / 2,
                ..*style
            };
            let left = waterfall::render(fault, &half);
            let right = waterfall::render(twin, &half);
            text.push_str("The median trace with the fault, and without it:\n\n");
            push_beside(text, &left, &right, half.width);
            text.push('\n');
        }
        (fault, twin) => {
            let with = match finished.scenario.faults.is_empty() {
                true => "The trace of the median request:",
                false => "The median trace with the fault:",
            };
            for (title, trace) in [(with, fault), ("The median trace without it:", twin)] {
                if let Some(trace) = trace {
                    let _ = writeln!(text, "{title}\n\n{}", waterfall::render(trace, style));
                }
            }
        }
    }
}

/// Writes two texts side by side.
fn push_beside(text: &mut String, left: &str, right: &str, width: usize) {
    let (mut left, mut right) = (left.lines(), right.lines());
    loop {
        let (one, other) = match (left.next(), right.next()) {
            (None, None) => return,
            (one, other) => (one.unwrap_or_default(), other.unwrap_or_default()),
        };
        let gap = (width + GUTTER).saturating_sub(waterfall::width(one));
        let _ = writeln!(text, "{}", format!("{one}{:gap$}{other}", "").trim_end());
    }
}

fn push_only_phase(text: &mut String, report: &PhaseReport) {
    if let Some(why) = &report.why {
        let _ = writeln!(text, "  {}", Plain(why));
        if !is_partly_judged(report) {
            return;
        }
    }
    let _ = writeln!(
        text,
        "  traces   {} of {} match, {} unsupported{}",
        report.passed,
        report.traces,
        report.unsupported,
        sampled_out(report)
    );
    let _ = writeln!(text, "  spans    {}", spans(report));
    if !report.findings.is_empty() {
        let _ = writeln!(text, "  findings {}", findings(report));
    }
    if let Some(latency) = report.latency_ms {
        let [p50, p90, p99] = latency.all();
        let _ = writeln!(
            text,
            "  latency  p50 {p50:.0} ms, p90 {p90:.0} ms, p99 {p99:.0} ms"
        );
    }
}

fn push_phase(text: &mut String, report: &PhaseReport, colour: bool) {
    let verdict = report.verdict.painted(colour);
    let phase = report.phase;
    let _ = match &report.why {
        Some(why) => writeln!(text, "  {phase:<10} {verdict}: {}", Plain(why)),
        None => writeln!(
            text,
            "  {phase:<10} {verdict}  {}; {}",
            traces(report),
            spans(report)
        ),
    };
    if is_partly_judged(report) {
        let _ = writeln!(text, "  {:10} {}; {}", "", traces(report), spans(report));
    }
    if !report.findings.is_empty() {
        let _ = writeln!(text, "  {:10} findings: {}", "", findings(report));
    }
    for UnsupportedFinding { name, why } in &report.unsupported_findings {
        let _ = writeln!(
            text,
            "  {:10} finding {}, which is UNSUPPORTED: {}",
            "",
            Plain(name),
            Plain(why)
        );
    }
    for line in &report.latency {
        let shown = match (phase.is_silent(), line.verdict) {
            // A silent phase wants nothing of this finding.
            (true, _) => continue,
            (false, Verdict::Pass) => "",
            (false, verdict) => &format!(", which is {}{}", verdict.word(), why(line)),
        };
        let got = line.got();
        let ratio = line
            .ms
            .zip(line.twin_ms)
            .map_or(String::new(), |(ms, twin)| {
                format!(", {:.1}x twin", ms / twin.max(1e-6))
            });
        let pace = if line.own { " without pace" } else { "" };
        let _ = writeln!(
            text,
            "  {:10} {} {}{pace}: {got}{ratio} (wanted {}){shown}",
            "",
            Plain(&line.what),
            line.percentile,
            line.want
        );
    }
}

/// Whether the phase was driven and judged in part: then the report shows that part too.
fn is_partly_judged(report: &PhaseReport) -> bool {
    report.verdict == Verdict::Unsupported && report.why.is_some() && report.traces > 0
}

fn why(line: &LatencyLine) -> String {
    let why = line.why.as_ref();
    why.map_or(String::new(), |why| format!(": {}", Plain(why)))
}

fn findings(report: &PhaseReport) -> String {
    let of = |(name, count): (&String, &usize)| format!("{name} on {count} of {}", report.traces);
    let all: Vec<String> = report.findings.iter().map(of).collect();
    all.join(", ")
}

fn traces(report: &PhaseReport) -> String {
    let PhaseReport { passed, traces, .. } = report;
    let how = match report.phase {
        Phase::Faulty if *traces == 1 => "matches",
        Phase::Faulty => "match",
        Phase::Twin | Phase::NearMiss => "silent",
    };
    let unsupported = match report.unsupported {
        0 => String::new(),
        some => format!(", {some} unsupported"),
    };
    let sampled_out = sampled_out(report);
    let traces = plural(*traces, "trace");
    format!("{passed} of {traces} {how}{unsupported}{sampled_out}")
}

fn sampled_out(report: &PhaseReport) -> String {
    match report.sampled_out {
        0 => String::new(),
        some => format!(", {some} more sampled out"),
    }
}

fn spans(report: &PhaseReport) -> String {
    let unexplained = match report.unexplained_spans {
        Some(spans) => format!("{spans} unexplained, "),
        None => String::new(),
    };
    let stalled = match report.stalled {
        Some(share) => format!(
            "; the machine stood still for {:.0} % of the time",
            share * 100.0
        ),
        None => String::new(),
    };
    let waited = match report.waited_ms {
        Some(ms) => format!(
            "; the load waited {:.1} s for room in the sink",
            ms / 1000.0
        ),
        None => String::new(),
    };
    let late = match report.late_spans {
        0 => String::new(),
        spans => format!(", {spans} after their traces were judged"),
    };
    format!(
        "{unexplained}{} dropped{late}{stalled}{waited}",
        report.dropped_spans
    )
}

fn push_latencies(text: &mut String, finished: &Finished) {
    let of = |phase: Phase| finished.phase(phase)?.report.latency_ms;
    let _ = writeln!(text, "\n  latency        p50      p90      p99");
    for phase in Phase::ALL {
        if let Some(latency) = of(phase) {
            let _ = writeln!(text, "    {phase:<10}{}", columns(latency.all(), " ms", 0));
        }
        if let (Phase::Twin, Some(faulty), Some(twin)) = (phase, of(Phase::Faulty), of(phase)) {
            let mut ratios = faulty.all();
            for (ratio, twin) in ratios.iter_mut().zip(twin.all()) {
                *ratio /= twin.max(1e-6);
            }
            let _ = writeln!(text, "    {:<10}{}", "ratio", columns(ratios, "x", 1));
        }
    }
}

fn columns(numbers: [f64; 3], unit: &str, digits: usize) -> String {
    let shown = numbers.map(|number| format!("{:>9}", format!("{number:.digits$}{unit}")));
    shown.concat()
}
