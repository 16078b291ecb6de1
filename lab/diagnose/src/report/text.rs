//! The diagnosis as text for people.

use std::fmt::Write;

use plain::{Plain, plain};
use trace::CriticalPath;

use super::{SHOWN_APART, cost, sections};
use crate::{
    Diagnosis, Finding, Severity, Story,
    format::{format_ns, plural},
    hash::HashMap,
};

/// The style of the text.
#[derive(Clone, Copy, Debug, Default)]
pub struct Style {
    /// Whether colours are used.
    pub colour: bool,
}

/// The highest number of spans of a critical path that are shown; the others are one line.
const SHOWN: usize = 12;

/// Renders a diagnosis: the walk, the critical path, the error, the findings.
pub fn text(diagnosis: &Diagnosis<'_>, style: Style) -> String {
    let mut text = String::new();
    let trace = &diagnosis.trace;
    let total = diagnosis.walk.steps.first().map_or(0, |step| step.below_ns);
    let spans = plural(trace.spans().len(), "span");
    let _ = write!(text, "trace {}   {spans}", trace.id());
    if let Some(root) = diagnosis
        .walk
        .steps
        .first()
        .map(|step| trace.span(step.place))
    {
        let _ = write!(
            text,
            "   {} {}   {}",
            Plain(root.service()),
            Plain(&root.name),
            format_ns(total)
        );
    }
    if let Some(end_to_end) = diagnosis.end_to_end_ns() {
        let _ = write!(
            text,
            "   {} until the last message was processed",
            format_ns(end_to_end)
        );
    }
    text.push('\n');
    for missing in &diagnosis.missing {
        let _ = writeln!(text, "incomplete: {}", Plain(missing));
    }
    push_walk(&mut text, diagnosis);
    if let Some(path) = diagnosis.path() {
        push_path(
            &mut text,
            diagnosis,
            path,
            "The critical path: whose own time was waited for",
        );
    }
    for (apart, path) in diagnosis.apart().take(SHOWN_APART) {
        push_path(&mut text, diagnosis, path, &diagnosis.title(apart, path));
    }
    match diagnosis.apart().skip(SHOWN_APART).count() {
        0 => {}
        more => {
            let _ = writeln!(text, "\n… {} more", plural(more, "path"));
        }
    }
    if let Some(story) = &diagnosis.story {
        push_story(&mut text, story);
    }
    push_findings(&mut text, &diagnosis.findings, style);
    text
}

/// The number of steps of a long walk that are shown at its beginning and at its end.
const SHOWN_STEPS: usize = 20;

/// The two ends of a long walk, each step with its place; and the number of steps that are left out.
fn ends<T>(steps: &[T]) -> (Vec<(usize, &T)>, usize) {
    let all = steps.iter().enumerate();
    let left_out = steps.len().saturating_sub(2 * SHOWN_STEPS);
    let is_shown = |at: usize| at < SHOWN_STEPS || at >= SHOWN_STEPS + left_out;
    let shown = all.filter(|(at, _)| is_shown(*at)).enumerate();
    (shown.map(|(at, (_, step))| (at, step)).collect(), left_out)
}

fn push_walk(text: &mut String, diagnosis: &Diagnosis<'_>) {
    let Some(first) = diagnosis.walk.steps.first() else {
        return;
    };
    text.push_str("\nThe walk, from the root to where the time is spent\n");
    let (steps, left_out) = ends(&diagnosis.walk.steps);
    for (depth, step) in steps {
        if left_out > 0 && depth == SHOWN_STEPS {
            let _ = writeln!(text, "  … {left_out} more …");
        }
        let span = diagnosis.trace.span(step.place);
        let share = step.below_ns as f64 / first.below_ns.max(1) as f64 * 100.0;
        let alike = match step.alike {
            1 => String::new(),
            alike => format!(" ×{alike}"),
        };
        let name = format!(
            "{:indent$}{}{alike}",
            "",
            plain(&span.name),
            indent = 2 * depth.min(SHOWN_STEPS)
        );
        let _ = writeln!(
            text,
            "  {name:<44} {:<10} {:>9} {share:>4.0} %   own {}",
            Plain(span.service()),
            format_ns(step.below_ns),
            format_ns(step.own_ns)
        );
    }
}

fn push_path(text: &mut String, diagnosis: &Diagnosis<'_>, path: &CriticalPath, title: &str) {
    let sections = sections(path);
    let total: u64 = sections.iter().map(|section| section.ns).sum();
    if total == 0 {
        return;
    }
    // Sections with the same name are one line.
    let mut lines: Vec<(&str, &str, u64, usize)> = Vec::new();
    let mut known: HashMap<(&str, &str), usize> = HashMap::default();
    for section in &sections {
        let span = diagnosis.trace.span(section.place);
        let (service, name) = (span.service(), span.name.as_str());
        let at = *known.entry((service, name)).or_insert_with(|| {
            lines.push((service, name, 0, 0));
            lines.len() - 1
        });
        let (_, _, ns, count) = &mut lines[at];
        *ns += section.ns;
        *count += 1;
    }
    lines.sort_by_key(|(_, _, ns, _)| std::cmp::Reverse(*ns));
    let _ = writeln!(text, "\n{}", Plain(title));
    let line = |ns: u64, service: &str, name: &str| {
        let share = ns as f64 / total as f64 * 100.0;
        format!(
            "  {:>9} {share:>5.1} %  {:<10} {}",
            format_ns(ns),
            Plain(service),
            Plain(name)
        )
    };
    for (service, name, ns, count) in lines.iter().take(SHOWN) {
        let name = match count {
            1 => (*name).to_owned(),
            count => format!("{name} ×{count}"),
        };
        let _ = writeln!(text, "{}", line(*ns, service, &name));
    }
    if lines.len() > SHOWN {
        let rest = &lines[SHOWN..];
        let sum = rest.iter().map(|(_, _, ns, _)| ns).sum();
        let _ = writeln!(text, "{}", line(sum, "", &format!("… {} more", rest.len())));
    }
    let _ = writeln!(text, "  {:>9} 100.0 %", format_ns(total));
}

fn push_story(text: &mut String, story: &Story) {
    text.push_str("\nThe error, from where it came up to who asked\n");
    let (chapters, left_out) = ends(&story.chapters);
    for (at, chapter) in chapters {
        if left_out > 0 && at == SHOWN_STEPS {
            let _ = writeln!(text, "  … {left_out} more …");
        }
        let _ = writeln!(
            text,
            "  {} {}: {}",
            Plain(&chapter.service),
            Plain(&chapter.name),
            Plain(&chapter.made_of_it)
        );
        if !chapter.context.is_empty() {
            let context: Vec<String> = chapter
                .context
                .iter()
                .map(|(key, value)| format!("{}={}", Plain(key), Plain(value)))
                .collect();
            let _ = writeln!(text, "    {}", context.join("  "));
        }
    }
}

fn push_findings(text: &mut String, findings: &[Finding], style: Style) {
    if findings.is_empty() {
        text.push_str("\nNo findings.\n");
        return;
    }
    let _ = writeln!(text, "\nFindings: {}", findings.len());
    for finding in findings {
        let severity = painted(finding.severity, style.colour);
        let cost = cost(finding).map_or_else(String::new, |cost| format!("   {cost}"));
        let _ = writeln!(text, "  {severity} {}{cost}", finding.rule.name);
        let _ = writeln!(text, "    {}", Plain(&finding.evidence));
        let _ = match finding.remedy {
            Some(remedy) => writeln!(text, "    To mend it: {remedy}."),
            None => writeln!(text, "    Nothing waited for it."),
        };
        let _ = writeln!(text, "    {}", finding.docs());
    }
}

pub(super) fn painted(severity: Severity, colour: bool) -> String {
    let code = match severity {
        Severity::Critical => "31",
        Severity::Warning => "33",
        Severity::Info => "36",
    };
    match colour {
        true => format!("\u{1b}[{code}m{severity}\u{1b}[0m"),
        false => severity.to_string(),
    }
}
