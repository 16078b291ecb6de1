//! What GitHub Actions shows: an annotation for each failure, and the summary of the step.

use std::{fs::OpenOptions, io::Write as _, path::Path};

use super::{is_bad, line, markdown, merged, over};
use crate::document::Document;

/// The most annotations of a step: GitHub shows ten of each kind.
const MOST: usize = 10;

/// Whether this process runs in GitHub Actions, by the value of `GITHUB_ACTIONS`.
pub fn is_github(github_actions: Option<&str>) -> bool {
    github_actions == Some("true")
}

/// A line for each failure, in the form of a workflow command.
pub fn annotations(document: &Document) -> String {
    let merged = merged(document);
    let bad = merged
        .iter()
        .filter(|same| is_bad(same.result.verdict))
        .take(MOST);
    let lines = bad.map(|same| {
        let first = same
            .result
            .differences
            .first()
            .map(line)
            .unwrap_or_default();
        let title = format!(
            "{} {}{}",
            document.backend,
            same.result.case,
            over(same, document)
        );
        format!(
            "::error title={}::{}: {}\n",
            property(&title),
            same.result.verdict,
            data(&first)
        )
    });
    lines.collect()
}

/// Appends the result to the file that `GITHUB_STEP_SUMMARY` names.
///
/// # Errors
///
/// When the file cannot be written.
pub fn step_summary(document: &Document, file: &Path) -> std::io::Result<()> {
    let mut file = OpenOptions::new().append(true).create(true).open(file)?;
    file.write_all(markdown(document).as_bytes())
}

/// A text in the place of a message ("Workflow commands for GitHub Actions", toolkit's `command.ts`).
fn data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

/// A text in the place of a property.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
