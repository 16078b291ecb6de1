//! The result for people, in a terminal.

use std::fmt::Write as _;

use backends::Verdict;
use plain::Plain;

use super::{is_bad, line, merged, over};
use crate::document::Document;

/// The most differences of a case that are printed.
const MOST: usize = 3;

/// The result as text.
pub fn text(document: &Document, colour: bool) -> String {
    let mut out = String::new();
    // Text takes all that is written to it.
    let _ = write(document, colour, &mut out);
    out
}

fn write(document: &Document, colour: bool, out: &mut String) -> std::fmt::Result {
    writeln!(out, "{} at {}", document.identity, Plain(&document.url))?;
    writeln!(
        out,
        "sent to {}; seed {}",
        document.otlp.join(" and "),
        document.seed
    )?;
    if let Some(profile) = &document.profile {
        writeln!(out, "profile {}", Plain(profile))?;
    }
    for note in &document.notes {
        writeln!(out, "note: {}", Plain(note))?;
    }
    writeln!(out)?;
    let merged = merged(document);
    let mut groups: Vec<&str> = merged
        .iter()
        .map(|same| same.result.group.as_str())
        .collect();
    groups.dedup();
    for group in groups {
        let of_group: Vec<_> = merged
            .iter()
            .filter(|same| same.result.group == group)
            .collect();
        let passed = of_group
            .iter()
            .filter(|same| same.result.verdict == Verdict::Pass)
            .count();
        let dots: String = of_group
            .iter()
            .map(|same| sign(same.result.verdict))
            .collect();
        writeln!(
            out,
            "{group:<10} {passed:>3} of {:<3} {dots}",
            of_group.len()
        )?;
    }
    for verdict in [
        Verdict::Regression,
        Verdict::Fail,
        Verdict::Fixed,
        Verdict::Unsupported,
    ] {
        let of_verdict: Vec<_> = merged
            .iter()
            .filter(|same| same.result.verdict == verdict)
            .collect();
        if of_verdict.is_empty() {
            continue;
        }
        writeln!(out, "\n{}", coloured(heading(verdict), verdict, colour))?;
        for same in of_verdict {
            let result = same.result;
            writeln!(out, "  {}{}", result.case, over(same, document))?;
            for loss in &result.gone {
                writeln!(out, "      gone: {loss}")?;
            }
            let most = if verdict == Verdict::Unsupported {
                1
            } else {
                MOST
            };
            for difference in result.differences.iter().take(most) {
                let of_api = match result.of_the_api.contains(&difference.loss) {
                    true => " (the API has no place for it)",
                    false => "",
                };
                writeln!(out, "      {}{of_api}", line(difference))?;
            }
            let more = result.differences.len().saturating_sub(most) + result.more_differences;
            if more > 0 {
                writeln!(out, "      and {more} more")?;
            }
            for note in result.notes.iter().take(MOST) {
                writeln!(out, "      {}", Plain(note))?;
            }
            if is_bad(verdict) {
                writeln!(out, "      why it is sent: {}", result.why)?;
            }
        }
    }
    if let Some(freshness) = &document.freshness {
        writeln!(
            out,
            "\nfreshness: readable {:.1} ms after the export (median of {}), p90 {:.1} ms, longest {:.1} ms",
            freshness.p50_ms, freshness.traces, freshness.p90_ms, freshness.max_ms
        )?;
    }
    for same in merged
        .iter()
        .filter(|same| same.result.verdict == Verdict::Pass)
    {
        if let ("load" | "restart", [note, ..]) =
            (same.result.group.as_str(), &same.result.notes[..])
        {
            writeln!(out, "{}: {}", same.result.group, Plain(note))?;
        }
    }
    for limit in &document.limits {
        write!(
            out,
            "limit: {}: {} {} came back",
            limit.what, limit.most, limit.unit
        )?;
        match limit.fails_at {
            None => writeln!(out, " (the most that is tried)")?,
            Some(at) => writeln!(
                out,
                ", {at} did not{}: {}",
                if limit.is_said { "" } else { ", in silence" },
                Plain(&limit.how)
            )?,
        }
    }
    if !document.complete {
        writeln!(out, "\nINCOMPLETE: it was stopped before its end")?;
    }
    writeln!(out, "\n{}", last_line(document))
}

/// What the last line says: the verdicts, and the losses that are gone.
pub fn last_line(document: &Document) -> String {
    let summary = document.summary;
    let mut words = vec![format!("{} of {} pass", summary.pass, summary.all())];
    for (count, word) in [
        (summary.unsupported, "unsupported"),
        (summary.fixed, "fixed"),
        (summary.fail, "fail"),
        (summary.regression, "regression"),
    ] {
        if count > 0 {
            words.push(format!("{count} {word}"));
        }
    }
    let mut line = format!("{} in {:.1} s", words.join(", "), document.seconds);
    let mut gone: Vec<&str> = document
        .cases
        .iter()
        .filter(|case| !case.gone.is_empty())
        .map(|case| case.case.as_str())
        .collect();
    gone.sort_unstable();
    gone.dedup();
    if !gone.is_empty() {
        line += &format!("; losses of the profile that are gone: {}", gone.join(", "));
    }
    line
}

fn sign(verdict: Verdict) -> char {
    match verdict {
        Verdict::Pass => '.',
        Verdict::Fixed => '+',
        Verdict::Unsupported => '-',
        Verdict::Fail => 'F',
        Verdict::Regression => 'R',
    }
}

fn heading(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "PASS",
        Verdict::Fixed => "FIXED: the profile has a loss that is gone",
        Verdict::Unsupported => "UNSUPPORTED: the profile has the loss, or it cannot be tried here",
        Verdict::Fail => "FAIL: no profile speaks of it",
        Verdict::Regression => "REGRESSION: the profile promises it",
    }
}

fn coloured(text: &str, verdict: Verdict, colour: bool) -> String {
    let code = match verdict {
        Verdict::Pass | Verdict::Fixed => 32,
        Verdict::Unsupported => 33,
        Verdict::Fail | Verdict::Regression => 31,
    };
    match colour {
        true => format!("\x1b[{code}m{text}\x1b[0m"),
        false => text.to_owned(),
    }
}
