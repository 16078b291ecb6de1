//! Generates the tables of the book that repeat facts of the code, and tests that the book is up to date.
//!
//! A table is between `<!-- table: NAME -->` and `<!-- end -->` in its chapter. `scripts/book` writes it.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::{collections::BTreeMap, path::Path};

use clap::CommandFactory;
use faults::{CATALOGUE, Fault, HIDINGS, Need, Parameter, Range, Reach};

use crate::Cli;

/// A table: its name, the file of its chapter in `docs/src`, and its text.
type Table = (&'static str, &'static str, fn() -> String);

const TABLES: [Table; 7] = [
    ("faults", "faults.md", fault_table),
    ("hidden faults", "faults.md", hidden_faults),
    ("findings", "findings.md", finding_table),
    ("explained findings", "findings.md", explained_table),
    ("findings about time", "findings.md", about_time),
    ("commands", "commands.md", command_table),
    ("variables", "commands.md", variable_table),
];

#[test]
fn the_tables_of_the_book_are_what_the_code_says() {
    #[expect(
        clippy::disallowed_methods,
        reason = "a test has no other configuration"
    )]
    let update = std::env::var("UPDATE_BOOK").is_ok_and(|value| value == "1");
    let mut wrong = Vec::new();
    for (name, chapter, table) in TABLES {
        let path = Path::new("docs/src").join(chapter);
        let text = std::fs::read_to_string(&path).unwrap();
        let right = with_table(&text, name, &table())
            .unwrap_or_else(|| panic!("{} has no table {name}", path.display()));
        if text != right {
            match update {
                true => std::fs::write(&path, right).unwrap(),
                false => wrong.push(format!("{}: the table {name}", path.display())),
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "not what the code says:\n{}\nscripts/book writes them",
        wrong.join("\n")
    );
}

#[test]
fn a_table_is_replaced_and_nothing_else() {
    let text =
        "a\n<!-- table: x -->\nold\n<!-- end -->\nb\n<!-- table: y -->\nkept\n<!-- end -->\n";
    let right = text.replace("old", "\nnew\n");
    assert_eq!(with_table(text, "x", "new\n").unwrap(), right);
    assert_eq!(with_table(text, "z", "new\n"), None);
    assert_eq!(with_table("<!-- table: x -->\n", "x", "new\n"), None);
}

/// Replaces the table between the marks of `name` in a chapter; `None` if the marks are missing.
fn with_table(chapter: &str, name: &str, table: &str) -> Option<String> {
    let (before, rest) = chapter.split_once(&format!("<!-- table: {name} -->\n"))?;
    let end = rest.find("<!-- end -->\n")?;
    // An empty line ends a comment for Markdown.
    Some(format!(
        "{before}<!-- table: {name} -->\n\n{table}\n{}",
        &rest[end..]
    ))
}

fn row(cells: &[&str]) -> String {
    let cells: Vec<String> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
    format!("| {} |\n", cells.join(" | ")).replace("|  |", "| |")
}

fn table(heads: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut text = row(heads);
    text.push_str(&row(&vec!["---"; heads.len()]));
    for cells in rows {
        let cells: Vec<&str> = cells.iter().map(String::as_str).collect();
        text.push_str(&row(&cells));
    }
    text
}

// === Faults ===

fn fault_table() -> String {
    let rows = CATALOGUE.iter().map(|fault| {
        let parameters: Vec<String> = fault.parameters.iter().map(parameter).collect();
        vec![
            format!("`{}`{}", fault.name, notes(fault)),
            fault.service.to_owned(),
            fault.summary.to_owned(),
            parameters.join("; "),
        ]
    });
    let heads = ["fault", "in", "what it does", "parameters: range, default"];
    table(&heads, rows)
}

/// The footnotes of a fault. Their texts are in the chapter.
fn notes(fault: &Fault) -> String {
    let everyone = (fault.reach == Reach::Everyone).then_some(" ¹");
    let postgresql = (fault.needs == Some(Need::Postgresql)).then_some(" ²");
    [everyone, postgresql].into_iter().flatten().collect()
}

fn parameter(parameter: &Parameter) -> String {
    let range = match parameter.range {
        Range::Integer(least, most) => format!("{least} to {most}"),
        Range::Number(least, most) => format!("{least} to {most}"),
        Range::Words(words) => words.join(" or "),
    };
    match parameter.default {
        Some(default) => format!("`{}` {range}, {default}", parameter.name),
        None => format!("`{}` ³ {range}, none", parameter.name),
    }
}

fn hidden_faults() -> String {
    HIDINGS
        .iter()
        .map(|hiding| {
            let hides = hiding.hides.iter().map(|fault| format!("`{}`", fault.name));
            let hides = hides.collect::<Vec<_>>().join(", ");
            format!("- `{}` hides {hides}: {}.\n", hiding.fault.name, hiding.why)
        })
        .collect()
}

// === Findings ===

fn finding_table() -> String {
    let rows = diagnose::catalogue().map(|rule| {
        let severity = match rule.severity {
            diagnose::Severity::Critical => "critical",
            diagnose::Severity::Warning => "warning",
            diagnose::Severity::Info => "info",
        };
        vec![
            format!("[`{0}`](#{0})", rule.name),
            severity.to_owned(),
            rule.summary.to_owned(),
            rule.source.to_owned(),
        ]
    });
    table(&["finding", "severity", "what it means", "source"], rows)
}

/// The rules that explain others, in the order of the catalogue.
fn explained_table() -> String {
    let explaining = diagnose::catalogue()
        .filter(|rule| !rule.explains.nearby.is_empty() || !rule.explains.in_request.is_empty());
    let rows = explaining.map(|rule| {
        vec![
            format!("`{}`", rule.name),
            names(rule.explains.nearby.iter().copied()),
            names(rule.explains.in_request.iter().copied()),
        ]
    });
    let heads = ["finding", "explains near it", "and in the same request"];
    table(&heads, rows)
}

fn about_time() -> String {
    let rules = diagnose::catalogue().filter(|rule| rule.about_time);
    format!("- {}\n", names(rules))
}

fn names(rules: impl Iterator<Item = &'static diagnose::Rule>) -> String {
    let names: Vec<String> = rules.map(|rule| format!("`{}`", rule.name)).collect();
    names.join(", ")
}

// === Commands and variables ===

fn command_table() -> String {
    let cli = Cli::command();
    let rows = commands(&cli).into_iter().map(|(path, command)| {
        let about = command.get_about().map(ToString::to_string);
        vec![format!("`tracelab {path}`"), about.unwrap_or_default()]
    });
    table(&["command", "what it does"], rows)
}

fn variable_table() -> String {
    let cli = Cli::command();
    // One row for each variable and meaning: `AMQP_URL` means the same for all programs that read it.
    let mut rows: BTreeMap<(String, String, String), Vec<String>> = BTreeMap::new();
    for (path, command) in commands(&cli) {
        for argument in command.get_arguments() {
            let Some(variable) = argument.get_env() else {
                continue;
            };
            let long = argument.get_long().unwrap();
            let help = argument.get_help().unwrap().to_string();
            let variable = format!("`{}`", variable.to_str().unwrap());
            let users = rows.entry((variable, format!("`--{long}`"), help));
            users.or_default().push(format!("`{path}`"));
        }
    }
    let rows = rows
        .into_iter()
        .map(|((variable, option, help), users)| vec![variable, option, help, users.join(", ")]);
    table(
        &["variable", "in place of", "what it says", "read by"],
        rows,
    )
}

/// The commands that have no subcommands, with their paths below `tracelab`, in the order of the help.
fn commands(parent: &clap::Command) -> Vec<(String, &clap::Command)> {
    let mut all = Vec::new();
    for command in parent.get_subcommands() {
        let name = command.get_name();
        match command.has_subcommands() {
            true => all.extend(
                commands(command)
                    .into_iter()
                    .map(|(path, command)| (format!("{name} {path}"), command)),
            ),
            false => all.push((name.to_owned(), command)),
        }
    }
    all
}
