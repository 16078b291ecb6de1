//! The README and the book are true: their examples run here.
//!
//! Every block fenced as `console` is run: a line that starts with `$` is a command, and the lines after it
//! are its output. In an output `…` stands for any text within a line, and a line that is only `…` for any
//! lines. `[exit code N]` after an output means that the command fails. The commands of a file run in a new
//! folder, one after the other, beside a running lab; the addresses in them are the defaults.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use tokio::{process::Command, time::timeout};

use crate::{
    collector::there_is_a_collector,
    support::{PATIENCE, Up, binary},
};

struct Example {
    place: String,
    command: String,
    output: Vec<String>,
    needs_a_collector: bool,
}

#[tokio::test]
async fn every_command_that_is_shown_does_what_is_shown() {
    // Tests run in the folder of their package.
    let root = std::path::absolute(".").unwrap();
    let mut files = chapters(&root.join("docs/src"));
    files.extend([root.join("README.md"), root.join("CONTRIBUTING.md")]);
    files.sort();
    let mut examples: Vec<Example> = files
        .iter()
        .flat_map(|file| examples(&root, file))
        .collect();
    if !there_is_a_collector() {
        examples.retain(|example| !example.needs_a_collector);
    }
    assert!(
        examples.len() >= 5,
        "only {} examples were found",
        examples.len()
    );

    let up = Up::start_with(&["--pace", "textbook"]).await;
    let folder = tempfile::TempDir::new().unwrap();
    let set_ups = "collector-config";
    std::os::unix::fs::symlink(root.join(set_ups), folder.path().join(set_ups)).unwrap();
    let mut wrong = Vec::new();
    for example in &examples {
        let got = execute(&up, folder.path(), &example.command).await;
        let lines: Vec<&str> = got.lines().map(str::trim_end).collect();
        if !matches(&example.output, &lines) {
            let Example {
                place,
                command,
                output,
                ..
            } = example;
            wrong.push(format!(
                "{place}: $ {command}\n--- shown\n{}\n--- got\n{got}",
                output.join("\n")
            ));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} examples are not true:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

async fn execute(up: &Up, folder: &Path, command: &str) -> String {
    let address = |url: &str| url.split("://").nth(1).unwrap().to_owned();
    let addresses = [
        ("127.0.0.1:8080", address(up.page())),
        ("127.0.0.1:8081", address(up.url("checkout"))),
    ];
    let mut script = command.to_owned();
    for (shown, real) in &addresses {
        script = script.replace(shown, real);
    }
    let path = format!(
        "{}:{}",
        binary().parent().unwrap().display(),
        std::env::var("PATH").unwrap()
    );
    let output = Command::new("bash")
        .args(["-c", &script])
        .current_dir(folder)
        .env("PATH", path)
        .env("TRACELAB_LAB", up.page())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = timeout(PATIENCE * 2, output)
        .await
        .expect("it does not end")
        .unwrap();
    let mut text = String::from_utf8(output.stdout).unwrap();
    text.push_str(&String::from_utf8(output.stderr).unwrap());
    for (shown, real) in &addresses {
        text = text.replace(real, shown);
    }
    if let Some(code) = output.status.code().filter(|&code| code != 0) {
        text.push_str(&format!("[exit code {code}]\n"));
    }
    text
}

/// The files of the book, including subfolders.
fn chapters(source: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(source).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => files.extend(chapters(&path)),
            false => files.push(path),
        }
    }
    files
}

/// The examples of a file, in its order.
fn examples(root: &Path, file: &Path) -> Vec<Example> {
    let text = std::fs::read_to_string(file).unwrap();
    let mut examples: Vec<Example> = Vec::new();
    let (mut inside, mut needs_a_collector) = (false, false);
    for (number, line) in (1..).zip(text.lines()) {
        if line.starts_with("```") {
            needs_a_collector = line == "```console,collector";
            inside = line == "```console" || needs_a_collector;
        } else if inside {
            match line.strip_prefix("$ ") {
                Some(command) => examples.push(Example {
                    place: format!("{}:{number}", file.strip_prefix(root).unwrap().display()),
                    command: command.to_owned(),
                    output: Vec::new(),
                    needs_a_collector,
                }),
                None => {
                    let example = examples.last_mut().expect("a block starts with a command");
                    example.output.push(line.trim_end().to_owned());
                }
            }
        }
    }
    examples
}

/// Whether an output matches the shown one.
fn matches(shown: &[String], got: &[&str]) -> bool {
    match shown.split_first() {
        None => got.iter().all(|line| line.is_empty()),
        Some((first, rest)) if first == "…" => {
            (0..=got.len()).any(|skipped| matches(rest, &got[skipped..]))
        }
        Some((first, rest)) => match got.split_first() {
            Some((line, others)) => line_matches(first, line) && matches(rest, others),
            None => false,
        },
    }
}

fn line_matches(shown: &str, got: &str) -> bool {
    let mut parts = shown.split('…');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = got.strip_prefix(first) else {
        return false;
    };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else {
        return rest.is_empty();
    };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[test]
fn the_book_has_every_chapter_and_no_other() {
    let source = Path::new("docs/src");
    let summary = std::fs::read_to_string(source.join("SUMMARY.md")).unwrap();
    let mut listed: Vec<String> = summary
        .lines()
        .filter_map(|line| line.rsplit_once('(')?.1.strip_suffix(')'))
        .map(str::to_owned)
        .collect();
    let mut present: Vec<String> = chapters(source)
        .iter()
        .map(|file| file.strip_prefix(source).unwrap().to_str().unwrap())
        .filter(|name| *name != "SUMMARY.md")
        .map(str::to_owned)
        .collect();
    listed.sort();
    present.sort();
    assert_eq!(listed, present);
}

#[test]
fn every_rule_has_a_section_where_its_findings_say_that_it_is() {
    let chapter = Path::new("docs/src/findings.md");
    let text = std::fs::read_to_string(chapter).unwrap();
    let names: Vec<&str> = diagnose::catalogue().map(|rule| rule.name).collect();
    let sections: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("## "))
        .filter(|heading| !heading.contains(' '))
        .collect();
    assert_eq!(sections, names);
}

#[test]
fn an_ellipsis_stands_for_any_text() {
    assert!(line_matches("took … ms", "took 12 ms"));
    assert!(!line_matches("took … ms", "took 12 s"));
    assert!(line_matches("…", "anything"));
    assert!(!line_matches("exact", "exactly"));
    let shown = ["a".to_owned(), "…".to_owned(), "z".to_owned()];
    assert!(matches(&shown, &["a", "b", "c", "z"]));
    assert!(matches(&shown, &["a", "z"]));
    assert!(!matches(&shown, &["a", "b"]));
}
