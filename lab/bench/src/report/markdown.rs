//! A document as Markdown.

use std::fmt::Write as _;

use super::{
    sentences::sentences,
    text::{all_fates, count, mib, ms_text, percent},
};
use crate::document::{Document, Run};

pub(super) fn markdown(document: &Document) -> String {
    let mut out = String::new();
    // Text takes all that is written to it.
    let _ = write(document, &mut out);
    out
}

fn write(document: &Document, out: &mut String) -> std::fmt::Result {
    let state = match (document.valid, document.complete) {
        (true, true) => "valid",
        (true, false) => "**INCOMPLETE**",
        (false, true) => "**INVALID**",
        (false, false) => "**INVALID, INCOMPLETE**",
    };
    writeln!(out, "# {}: {state}\n", safe(&document.kind))?;
    for reason in &document.invalid_because {
        writeln!(out, "- INVALID: {}", safe(reason))?;
    }
    if !document.invalid_because.is_empty() {
        writeln!(out)?;
    }
    code([&document.command], out)?;
    writeln!(out)?;
    let at = &document.environment;
    writeln!(
        out,
        "{}, {} processors, {}; {}",
        safe(&at.processor),
        at.cores,
        safe(&at.system),
        match (at.sut_core, at.own_core) {
            (Some(sut), Some(own)) => format!("SUT on core {sut}, the rest on core {own}"),
            _ => "not pinned".to_owned(),
        }
    )?;
    if let Some(capacity) = &document.capacity {
        writeln!(out, "\n| spans/s | holds | why not |\n| ---: | --- | --- |")?;
        for step in &capacity.steps {
            let holds = if step.holds { "yes" } else { "no" };
            writeln!(
                out,
                "| {} | {holds} | {} |",
                count(step.rate),
                safe(&step.why)
            )?;
        }
        match capacity.spans_per_second {
            Some(rate) => writeln!(
                out,
                "\nCapacity: **{} spans/s**; {}",
                count(rate),
                safe(&capacity.confidence)
            )?,
            None => writeln!(out, "\nCapacity: none was found")?,
        }
    }
    if let Some(ab) = &document.ab {
        writeln!(
            out,
            "\nA: `{}`  \nB: `{}`\n",
            one_line(&ab.a),
            one_line(&ab.b)
        )?;
        writeln!(
            out,
            "| B / A | ratio | {:.0} % interval |\n| --- | ---: | --- |",
            ab.confidence * 100.0
        )?;
        writeln!(
            out,
            "| {} | {:.3} | {:.3} to {:.3} |",
            safe(&ab.metric),
            ab.ratio,
            ab.low,
            ab.high
        )?;
        for other in &ab.others {
            writeln!(
                out,
                "| {} | {:.3} | {:.3} to {:.3} |",
                safe(&other.metric),
                other.ratio,
                other.low,
                other.high
            )?;
        }
        writeln!(out, "\n**{}**", safe(&ab.verdict))?;
    }
    if let Some(sampling) = &document.sampling {
        writeln!(
            out,
            "\n| traces | sent | kept | wanted | |\n| --- | ---: | ---: | ---: | --- |"
        )?;
        for group in &sampling.groups {
            writeln!(
                out,
                "| {} | {} | {} | {:.1} % | {} |",
                safe(&group.group),
                count(group.traces as f64),
                count(group.kept as f64),
                group.wanted_share * 100.0,
                if group.holds { "ok" } else { "**WRONG**" }
            )?;
        }
    }
    for sentence in sentences(document) {
        writeln!(out, "\n{}", safe(&sentence))?;
    }
    runs(&document.runs, out)?;
    if !document.requirements.is_empty() {
        writeln!(out, "\n| requirement | | measured |\n| --- | --- | --- |")?;
        for requirement in &document.requirements {
            writeln!(
                out,
                "| {} | {} | {} |",
                safe(&requirement.text),
                if requirement.holds {
                    "pass"
                } else {
                    "**FAIL**"
                },
                safe(&requirement.measured)
            )?;
        }
    }
    Ok(())
}

fn runs(runs: &[Run], out: &mut String) -> std::fmt::Result {
    writeln!(
        out,
        "\n| load | spans/s | p50 | p99 | CPU a span | memory | fate of spans |\n| --- | ---: | ---: | ---: | ---: | ---: | --- |"
    )?;
    for run in runs {
        writeln!(out, "| {} |", row(run))?;
    }
    for run in runs {
        for note in &run.notes {
            writeln!(out, "\n{}: {}", safe(&run.label), safe(note))?;
        }
        if !run.sut_said.is_empty() {
            writeln!(out, "\n{}: the SUT said last\n", safe(&run.label))?;
            code(&run.sut_said, out)?;
        }
    }
    Ok(())
}

/// Lines as they are.
fn code<'a>(lines: impl IntoIterator<Item = &'a String>, out: &mut String) -> std::fmt::Result {
    writeln!(out, "```text")?;
    for line in lines {
        writeln!(out, "{}", one_line(line))?;
    }
    writeln!(out, "```")
}

/// The cells of a run, without its borders.
pub(super) fn row(run: &Run) -> String {
    let latency = |of: fn(&crate::document::Latency) -> f64| {
        run.latency_ms
            .as_ref()
            .map_or("–".to_owned(), |latency| ms_text(of(latency)))
    };
    let used = run.sut_used.as_ref();
    let mark = if run.valid { "" } else { " (INVALID)" };
    [
        safe(&run.label) + mark,
        count(run.spans_per_second),
        latency(|of| of.p50),
        latency(|of| of.p99),
        used.map_or("–".to_owned(), |used| {
            format!("{} ns", count(used.cpu_ns_per_span))
        }),
        used.map_or("–".to_owned(), |used| {
            format!("{} MiB", mib(used.peak_bytes as f64))
        }),
        fates(run),
    ]
    .join(" | ")
}

fn fates(run: &Run) -> String {
    let planned = run.accounts.planned.max(1) as f64;
    let fates: Vec<String> = all_fates(&run.accounts)
        .into_iter()
        .filter(|(_, spans)| *spans > 0)
        .map(|(name, spans)| format!("{name} {}", percent(100.0 * spans as f64 / planned)))
        .collect();
    fates.join(", ")
}

/// Text of others, so that it changes nothing around it.
pub(super) fn safe(text: &str) -> String {
    plain::Markdown(text).to_string()
}

fn one_line(text: &str) -> String {
    plain::Plain(text).to_string().replace('`', "'")
}
