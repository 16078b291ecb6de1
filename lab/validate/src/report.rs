//! A [`Document`] as text, Markdown, JUnit XML, and as annotations of GitHub.

mod github;
mod junit;
mod markdown;
mod text;

use backends::{Difference, Verdict};
use plain::Plain;

use crate::document::{CaseResult, Document};

pub use github::{annotations, is_github, step_summary};
pub use junit::junit;
pub use markdown::{markdown, matrix_html, matrix_markdown};
pub use text::{last_line, text};

/// A difference in one line, such as `get /fidelity, value.0: span.attribute[int]: as text; sent 5, got "5"`.
fn line(difference: &Difference) -> String {
    let mut line = String::new();
    if let Some(span) = &difference.span {
        line += &format!("{span:?}, ");
    }
    if !difference.place.is_empty() {
        line += &format!("{}, ", Plain(&difference.place));
    }
    line += &difference.loss.to_string();
    match (difference.sent.is_empty(), difference.got.is_empty()) {
        (true, true) => {}
        (false, true) => line += &format!("; sent {}", Plain(&difference.sent)),
        (true, false) => line += &format!("; got {}", Plain(&difference.got)),
        (false, false) => {
            line += &format!(
                "; sent {}, got {}",
                Plain(&difference.sent),
                Plain(&difference.got)
            );
        }
    }
    line
}

/// Results of the same case over several protocols that say the same.
struct Same<'a> {
    result: &'a CaseResult,
    over: Vec<&'static str>,
}

/// The results, each case once if all protocols agree.
fn merged(document: &Document) -> Vec<Same<'_>> {
    let mut merged: Vec<Same<'_>> = Vec::new();
    for result in &document.cases {
        let over = result.over.map(|over| over.as_str());
        let same = merged.iter_mut().find(|same| {
            same.result.case == result.case
                && same.result.verdict == result.verdict
                && same.result.losses == result.losses
        });
        match same {
            Some(same) => same.over.extend(over),
            None => merged.push(Same {
                result,
                over: over.into_iter().collect(),
            }),
        }
    }
    merged
}

/// The protocols in brackets, unless it is all of the document's.
fn over(same: &Same<'_>, document: &Document) -> String {
    let all: std::collections::BTreeSet<_> =
        document.cases.iter().filter_map(|case| case.over).collect();
    match same.over.len() == all.len() || same.over.is_empty() {
        true => String::new(),
        false => format!(" over {}", same.over.join(", ")),
    }
}

/// Whether a verdict is one to look at.
fn is_bad(verdict: Verdict) -> bool {
    matches!(verdict, Verdict::Fail | Verdict::Regression)
}
