//! The diagnosis as Markdown, for a pull request or an incident report.

use std::fmt::Write;

use plain::Markdown;
use trace::CriticalPath;

use super::{SHOWN_APART, cost, sections};
use crate::{
    Diagnosis,
    format::{format_ns, plural},
};

/// Renders a diagnosis in Markdown.
pub fn markdown(diagnosis: &Diagnosis<'_>) -> String {
    let mut text = String::new();
    let trace = &diagnosis.trace;
    let _ = writeln!(text, "## Trace `{}`\n", trace.id());
    push_gist(&mut text, diagnosis);
    for missing in &diagnosis.missing {
        let _ = writeln!(text, "*Incomplete: {}.*\n", cell(missing));
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
        push_path(&mut text, diagnosis, path, "critical path");
    }
    for (apart, path) in diagnosis.apart().take(SHOWN_APART) {
        let title = cell(&diagnosis.title(apart, path));
        push_path(&mut text, diagnosis, path, &title);
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
            for (key, value) in &chapter.context {
                let _ = writeln!(text, "   - {}: {}", cell(key), cell(value));
            }
        }
    }
    text.push_str("\n**Findings**\n\n");
    if diagnosis.findings.is_empty() {
        text.push_str("None.\n");
    }
    for finding in &diagnosis.findings {
        let cost = cost(finding).map_or_else(String::new, |cost| format!(", {cost}"));
        let _ = writeln!(
            text,
            "- **{}** ({}{cost}): {} *{}.* [More]({})",
            finding.rule.name,
            finding.severity,
            cell(&finding.evidence),
            finding.rule.remedy,
            finding.docs()
        );
    }
    text
}

/// Writes the size of the trace, its request, and its duration.
fn push_gist(text: &mut String, diagnosis: &Diagnosis<'_>) {
    text.push_str(&plural(diagnosis.trace.spans().len(), "span"));
    if let Some(first) = diagnosis.walk.steps.first() {
        let root = diagnosis.trace.span(first.place);
        let (service, name) = (cell(root.service()), cell(&root.name));
        let _ = write!(text, ", {service} {name}, {}", format_ns(first.below_ns));
    }
    if let Some(end_to_end) = diagnosis.end_to_end_ns() {
        let end_to_end = format_ns(end_to_end);
        let _ = write!(text, ", {end_to_end} until the last message was processed");
    }
    text.push_str("\n\n");
}

fn push_path(text: &mut String, diagnosis: &Diagnosis<'_>, path: &CriticalPath, title: &str) {
    let mut sections = sections(path);
    let total: u64 = sections.iter().map(|section| section.ns).sum();
    if total == 0 {
        return;
    }
    sections.sort_by_key(|section| std::cmp::Reverse(section.ns));
    let _ = writeln!(
        text,
        "\n| {title} | service | own ms | share |\n| --- | --- | ---: | ---: |"
    );
    for section in &sections {
        let span = diagnosis.trace.span(section.place);
        let _ = writeln!(
            text,
            "| {} | {} | {:.1} | {:.1} % |",
            cell(&span.name),
            cell(span.service()),
            section.ns as f64 / 1e6,
            section.ns as f64 / total as f64 * 100.0
        );
    }
}

/// The text in a line of Markdown, which interprets nothing of it.
pub(super) fn cell(text: &str) -> String {
    Markdown(text).to_string()
}
