//! The result as Markdown, for a pull request, and the matrix as Markdown and HTML.

use std::{collections::BTreeSet, fmt::Write as _};

use backends::{Loss, Verdict, cases};
use plain::{Markdown, html};

use super::{last_line, line, merged, over};
use crate::{
    document::{CaseResult, Document},
    matrix::Matrix,
};

/// The result as Markdown.
pub fn markdown(document: &Document) -> String {
    let mut out = String::new();
    // Text takes all that is written to it.
    let _ = write(document, &mut out);
    out
}

fn write(document: &Document, out: &mut String) -> std::fmt::Result {
    writeln!(out, "### {}\n", Markdown(&document.identity))?;
    writeln!(out, "{}\n", Markdown(last_line(document)))?;
    for note in &document.notes {
        writeln!(out, "- {}", Markdown(note))?;
    }
    let merged = merged(document);
    let bad: Vec<_> = merged
        .iter()
        .filter(|same| same.result.verdict != Verdict::Pass)
        .collect();
    if !bad.is_empty() {
        writeln!(
            out,
            "\n| case | verdict | what came back in another way |\n| --- | --- | --- |"
        )?;
    }
    for same in bad {
        let first = same.result.differences.first().map(line);
        let first = first
            .or_else(|| same.result.notes.first().cloned())
            .unwrap_or_default();
        writeln!(
            out,
            "| {}{} | {} | {} |",
            same.result.case,
            over(same, document),
            same.result.verdict,
            Markdown(first)
        )?;
    }
    Ok(())
}

/// The case of the plainest span there is.
const PLAINEST: &str = "one-span";

/// What the plainest span loses. It is told in its own row, and not in each.
fn always_lost(document: &Document) -> BTreeSet<Loss> {
    let plainest = document
        .cases
        .iter()
        .filter(|result| result.case == PLAINEST);
    plainest
        .flat_map(|result| result.losses.iter().copied())
        .collect()
}

/// The sign of a cell.
fn cell(document: Option<&Document>, case: &str) -> &'static str {
    let Some(document) = document else {
        return "not run";
    };
    let results: Vec<&CaseResult> = document
        .cases
        .iter()
        .filter(|result| result.case == case)
        .collect();
    if results.is_empty() || results.iter().any(|result| is_untried(result)) {
        return "–";
    }
    let always = match case {
        PLAINEST => BTreeSet::new(),
        _ => always_lost(document),
    };
    let is_whole = |result: &&CaseResult| result.losses.iter().all(|loss| always.contains(loss));
    match results.iter().all(is_whole) {
        true => "yes",
        false => "no",
    }
}

fn is_untried(result: &CaseResult) -> bool {
    result.verdict == Verdict::Unsupported && result.losses.is_empty()
}

/// The cases in the order of a table: those of the suite, then the others.
fn rows(matrix: &Matrix) -> Vec<(String, String)> {
    let mut rows: Vec<(String, String)> = cases()
        .map(|case| (case.group.as_str().to_owned(), case.name.to_owned()))
        .collect();
    for (_, document) in &matrix.columns {
        for result in document.iter().flat_map(|document| &document.cases) {
            if !rows.iter().any(|(_, case)| *case == result.case) {
                rows.push((result.group.clone(), result.case.clone()));
            }
        }
    }
    rows
}

/// What was lost, as a title of a cell.
fn losses(document: Option<&Document>, case: &str) -> String {
    let results = document.into_iter().flat_map(|document| &document.cases);
    let mut losses: Vec<String> = results
        .filter(|result| result.case == case)
        .flat_map(|result| {
            result
                .losses
                .iter()
                .map(ToString::to_string)
                .chain(result.notes.clone())
        })
        .collect();
    losses.sort();
    losses.dedup();
    losses.join("; ")
}

/// The matrix as Markdown: a table for each group of cases.
pub fn matrix_markdown(matrix: &Matrix) -> String {
    let mut out = String::new();
    // Text takes all that is written to it.
    let _ = write_matrix(matrix, &mut out);
    out
}

fn write_matrix(matrix: &Matrix, out: &mut String) -> std::fmt::Result {
    writeln!(
        out,
        "| system | what answered | cases that came back whole | seconds |\n| --- | --- | --- | --- |"
    )?;
    for (column, document) in &matrix.columns {
        match document {
            Some(document) => {
                let names: BTreeSet<&str> = document
                    .cases
                    .iter()
                    .map(|result| result.case.as_str())
                    .collect();
                let signs = names.iter().map(|case| cell(Some(document), case));
                let whole = signs.filter(|sign| *sign == "yes").count();
                writeln!(
                    out,
                    "| {} | {} | {whole} of {} | {:.0} |",
                    column.name,
                    Markdown(&document.identity),
                    names.len(),
                    document.seconds
                )?;
            }
            None => writeln!(
                out,
                "| {} | *not run*: {} | | |",
                column.name,
                Markdown(&column.why_not)
            )?,
        }
    }
    let mut last = String::new();
    for (group, case) in rows(matrix) {
        if group != last {
            write!(out, "\n**{group}**\n\n| case |")?;
            matrix
                .columns
                .iter()
                .try_for_each(|(column, _)| write!(out, " {} |", column.name))?;
            write!(out, "\n| --- |")?;
            matrix
                .columns
                .iter()
                .try_for_each(|_| write!(out, " --- |"))?;
            writeln!(out)?;
            last = group;
        }
        write!(out, "| [{case}](#{case}) |")?;
        for (_, document) in &matrix.columns {
            write!(out, " {} |", cell(document.as_ref(), &case))?;
        }
        writeln!(out)?;
    }
    writeln!(out, "\n## The cases\n")?;
    for case in cases() {
        writeln!(out, "- <a id=\"{0}\"></a>`{0}`: {1}", case.name, case.why)?;
    }
    Ok(())
}

const STYLE: &str = "body{font:14px/1.4 system-ui,sans-serif;margin:2rem;color:#1c2330;background:#fff}\
table{border-collapse:collapse}th,td{padding:.2rem .6rem;border-bottom:1px solid #d8dde6;text-align:left;vertical-align:top}\
thead th{position:sticky;top:0;background:#fff}.yes{color:#17693a}.no{color:#a4262c;font-weight:600}.none{color:#6b7483}\
@media(prefers-color-scheme:dark){body,thead th{background:#14181f;color:#e3e7ee}th,td{border-color:#333b48}\
.yes{color:#6fce98}.no{color:#ff8d8d}.none{color:#98a2b3}}";

/// The matrix as one HTML file: each cell has what was lost as its title.
pub fn matrix_html(matrix: &Matrix) -> String {
    let mut out = String::new();
    // Text takes all that is written to it.
    let _ = write_html(matrix, &mut out);
    out
}

fn write_html(matrix: &Matrix, out: &mut String) -> std::fmt::Result {
    write!(
        out,
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"/><meta name=\"viewport\" content=\"width=device-width\"/>\
         <title>What tracing backends give back</title><style>{STYLE}</style></head><body>\
         <h1>What tracing backends give back</h1><p>yes: it came back as it was sent, but for what the row one-span loses, too; no: it did not, and the title of the \
         cell says how; –: not tried there.</p><table><thead><tr><th>case</th>"
    )?;
    for (column, document) in &matrix.columns {
        let title = document
            .as_ref()
            .map_or(column.why_not.clone(), |document| document.identity.clone());
        write!(
            out,
            "<th title=\"{}\">{}</th>",
            html(&title),
            html(&column.name)
        )?;
    }
    write!(out, "</tr></thead><tbody>")?;
    for (_, case) in rows(matrix) {
        let why = cases()
            .find(|one| one.name == case)
            .map(|one| one.why)
            .unwrap_or_default();
        write!(
            out,
            "<tr id=\"{0}\"><th scope=\"row\" title=\"{1}\">{0}</th>",
            html(&case),
            html(why)
        )?;
        for (_, document) in &matrix.columns {
            let cell = cell(document.as_ref(), &case);
            let class = match cell {
                "yes" => "yes",
                "no" => "no",
                _ => "none",
            };
            write!(
                out,
                "<td class=\"{class}\" title=\"{}\">{cell}</td>",
                html(&losses(document.as_ref(), &case))
            )?;
        }
        write!(out, "</tr>")?;
    }
    write!(out, "</tbody></table></body></html>")
}
