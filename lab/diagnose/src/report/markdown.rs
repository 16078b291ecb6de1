//! For a pull request or an incident's page.

use std::fmt::Write;

use crate::{Diagnosis, finding::words, report::parts};

/// A diagnosis in Markdown.
pub fn markdown(diagnosis: &Diagnosis<'_>) -> String {
    let mut text = String::new();
    let trace = &diagnosis.trace;
    let _ = writeln!(text, "## Trace `{}`\n", trace.id());
    for missing in &diagnosis.missing {
        let _ = writeln!(text, "*Incomplete: {missing}.*\n");
    }
    if !diagnosis.walk.steps.is_empty() {
        text.push_str("| the walk | service | ms | own ms |\n| --- | --- | ---: | ---: |\n");
    }
    for step in &diagnosis.walk.steps {
        let span = trace.span(step.place);
        let alike = if step.alike > 1 {
            format!(" ×{}", step.alike)
        } else {
            String::new()
        };
        let _ = writeln!(
            text,
            "| {}{alike} | {} | {:.1} | {:.1} |",
            cell(&span.name),
            cell(span.service()),
            step.below_ns as f64 / 1e6,
            step.own_ns as f64 / 1e6
        );
    }
    if let Some(path) = diagnosis.path() {
        let mut parts = parts(path);
        let total: u64 = parts.iter().map(|part| part.ns).sum();
        parts.sort_by_key(|part| std::cmp::Reverse(part.ns));
        text.push_str(
            "\n| critical path | service | own ms | share |\n| --- | --- | ---: | ---: |\n",
        );
        for part in &parts {
            let span = trace.span(part.place);
            let _ = writeln!(
                text,
                "| {} | {} | {:.1} | {:.1} % |",
                cell(&span.name),
                cell(span.service()),
                part.ns as f64 / 1e6,
                part.ns as f64 / total.max(1) as f64 * 100.0
            );
        }
    }
    if let Some(story) = &diagnosis.story {
        text.push_str("\n**The error**\n\n");
        for chapter in &story.chapters {
            let _ = writeln!(
                text,
                "1. {} {}: {}",
                cell(&chapter.service),
                cell(&chapter.name),
                cell(&chapter.made_of_it)
            );
        }
    }
    text.push_str("\n**Findings**\n\n");
    if diagnosis.findings.is_empty() {
        text.push_str("None.\n");
    }
    for finding in &diagnosis.findings {
        let cost = u64::try_from(finding.cost.as_nanos()).unwrap_or(u64::MAX);
        let cost = if cost > 0 {
            format!(", costs {}", words(cost))
        } else {
            String::new()
        };
        let _ = writeln!(
            text,
            "- **{}** ({}{cost}): {} *{}.*",
            finding.rule.name, finding.rule.severity, finding.evidence, finding.rule.remedy
        );
    }
    text
}

/// A text that Markdown takes for no more than a text.
fn cell(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\r' => plain.push(' '),
            '|' | '<' | '*' | '_' | '`' | '[' | '\\' => plain.extend(['\\', c]),
            c => plain.push(c),
        }
    }
    plain
}
