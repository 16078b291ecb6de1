//! The traces that were diagnosed together with the one that was asked for: what was found in them, in short.

use std::fmt::Write;

use plain::Plain;

use super::{Style, cost, markdown::cell, text::painted};
use crate::{
    Diagnosis,
    format::{format_ns, plural},
};

/// The highest number of neighbours that are shown.
const SHOWN: usize = 20;

/// What was found in other traces, as text; `None` without other traces. `which` says in a few words which traces
/// they are: `around it`.
pub fn neighbours_text(others: &[Diagnosis<'_>], which: &str, style: Style) -> Option<String> {
    let (found, more) = found(others);
    let mut text = gist(others, which, found.len() + more)?;
    text.push('\n');
    for diagnosis in found {
        let _ = writeln!(
            text,
            "  trace {}   {}",
            diagnosis.trace.id(),
            Plain(request(diagnosis))
        );
        for finding in &diagnosis.findings {
            let severity = painted(finding.severity, style.colour);
            let cost = cost(finding).map_or_else(String::new, |cost| format!("   {cost}"));
            let _ = writeln!(text, "    {severity} {}{cost}", finding.rule.name);
            let _ = writeln!(text, "      {}", Plain(&finding.evidence));
        }
    }
    push_more(&mut text, more);
    Some(text)
}

/// What was found in other traces, in Markdown; `None` without other traces. `which` says in a few words which
/// traces they are: `around it`.
pub fn neighbours_markdown(others: &[Diagnosis<'_>], which: &str) -> Option<String> {
    let (found, more) = found(others);
    let mut text = gist(others, which, found.len() + more)?;
    text.push_str("\n\n");
    for diagnosis in found {
        let (id, request) = (diagnosis.trace.id(), cell(&request(diagnosis)));
        let _ = writeln!(text, "- `{id}` {request}");
        for finding in &diagnosis.findings {
            let (name, evidence) = (finding.rule.name, cell(&finding.evidence));
            let _ = writeln!(text, "  - **{name}** ({}): {evidence}", finding.severity);
        }
    }
    push_more(&mut text, more);
    Some(text)
}

/// The neighbours with findings that are shown, and the number of the others with findings.
fn found<'d, 't>(others: &'d [Diagnosis<'t>]) -> (Vec<&'d Diagnosis<'t>>, usize) {
    let mut found: Vec<&Diagnosis<'t>> = others
        .iter()
        .filter(|diagnosis| !diagnosis.findings.is_empty())
        .collect();
    let more = found.len().saturating_sub(SHOWN);
    found.truncate(SHOWN);
    (found, more)
}

fn gist(others: &[Diagnosis<'_>], which: &str, with: usize) -> Option<String> {
    let traces = plural(others.len(), "trace");
    Some(match (others.len(), with) {
        (0, _) => return None,
        (_, 0) => format!("Of {traces} {which} none has findings."),
        (_, 1) => format!("Of {traces} {which} 1 has findings."),
        (_, with) => format!("Of {traces} {which} {with} have findings."),
    })
}

fn push_more(text: &mut String, more: usize) {
    if more > 0 {
        let _ = writeln!(text, "  … {more} more");
    }
}

/// The request of a trace: its service, its name and how long it took.
fn request(diagnosis: &Diagnosis<'_>) -> String {
    let Some(first) = diagnosis.walk.steps.first() else {
        return String::new();
    };
    let root = diagnosis.trace.span(first.place);
    format!(
        "{} {}   {}",
        root.service(),
        root.name,
        format_ns(first.below_ns)
    )
}
