//! A document as text for a terminal.

use std::fmt::Write as _;

use plain::Plain;

use super::sentences::sentences;
use crate::document::{Accounts, Document, Run};

/// The document as text for a terminal.
pub(super) fn text(document: &Document) -> String {
    let mut out = String::new();
    // Text takes all that is written to it.
    let _ = write_text(document, &mut out);
    out
}

fn write_text(document: &Document, out: &mut String) -> std::fmt::Result {
    let kind = Plain(&document.kind);
    match (document.valid, document.complete) {
        (true, true) => writeln!(out, "{kind}: valid")?,
        (true, false) => writeln!(out, "{kind}: INCOMPLETE, it was stopped before its end")?,
        (false, _) => {
            writeln!(
                out,
                "{kind}: INVALID, the figures say nothing about the SUT:"
            )?;
            for reason in &document.invalid_because {
                writeln!(out, "  - {}", Plain(reason))?;
            }
            if !document.complete {
                writeln!(out, "  - it was stopped before its end")?;
            }
        }
    }
    let at = &document.environment;
    let cores = match (at.sut_core, at.own_core) {
        (Some(sut), Some(own)) => format!("SUT on core {sut}, generator and sink on core {own}"),
        _ => "not pinned to cores".to_owned(),
    };
    writeln!(
        out,
        "\n{}, {} processors; {cores}",
        Plain(&at.processor),
        at.cores
    )?;
    if !at.optimized {
        writeln!(
            out,
            "this is not a release build: its own figures are worse than those of one"
        )?;
    }
    if let Some(able) = at.calibrated_spans_per_second {
        writeln!(
            out,
            "without a SUT this machine sends and receives {} spans/s",
            count(able)
        )?;
    }
    let of = &document.workload;
    let sizes: Vec<String> = of
        .spans_per_request
        .iter()
        .map(ToString::to_string)
        .collect();
    writeln!(
        out,
        "{}: {:.0} bytes a span, {} spans a request, {}, compression {}, {} connections x {} in flight, seed {}",
        Plain(&of.shapes),
        of.bytes_per_span,
        sizes.join(","),
        Plain(&of.protocol),
        Plain(&of.compression),
        of.connections,
        of.in_flight,
        of.seed
    )?;
    if let Some(capacity) = &document.capacity {
        capacity_text(capacity, out)?;
    }
    if let Some(ab) = &document.ab {
        ab_text(ab, out)?;
    } else if document.capacity.is_none() {
        for run in &document.runs {
            run_text(run, out)?;
        }
    }
    for sentence in sentences(document) {
        writeln!(out, "\n{sentence}")?;
    }
    if let Some(sampling) = &document.sampling {
        writeln!(out, "\nkept of {}:", Plain(&sampling.policy))?;
        for group in &sampling.groups {
            writeln!(
                out,
                "  {:<16} {:>10} of {:>10} traces ({:.2} %), {:.2} % wanted: {}",
                Plain(&group.group),
                count(group.kept as f64),
                count(group.traces as f64),
                100.0 * group.kept as f64 / group.traces.max(1) as f64,
                100.0 * group.wanted_share,
                if group.holds { "ok" } else { "WRONG" }
            )?;
        }
    }
    if !document.requirements.is_empty() {
        writeln!(out)?;
        for requirement in &document.requirements {
            writeln!(
                out,
                "{} {}: {}",
                if requirement.holds { "PASS" } else { "FAIL" },
                Plain(&requirement.text),
                Plain(&requirement.measured)
            )?;
        }
    }
    Ok(())
}

fn capacity_text(capacity: &crate::document::Capacity, out: &mut String) -> std::fmt::Result {
    writeln!(out, "\nlimits: {}", Plain(capacity.limits.join(", ")))?;
    writeln!(out, "  {:>14}   holds", "spans/s")?;
    for step in &capacity.steps {
        let holds = if step.holds { "yes" } else { "no" };
        let why = if step.why.is_empty() {
            String::new()
        } else {
            format!("   {}", Plain(&step.why))
        };
        writeln!(out, "  {:>14}   {holds}{why}", count(step.rate))?;
    }
    let confidence = Plain(&capacity.confidence);
    match (capacity.spans_per_second, capacity.fails_at) {
        (Some(rate), Some(fails)) => writeln!(
            out,
            "\ncapacity: {} spans/s ({} do not hold)\n{confidence}",
            count(rate),
            count(fails)
        ),
        (Some(rate), None) => writeln!(
            out,
            "\ncapacity: at least {} spans/s, the most that this machine can show\n{confidence}",
            count(rate)
        ),
        (None, _) => writeln!(out, "\ncapacity: none was found; {confidence}"),
    }
}

fn ab_text(ab: &crate::document::Ab, out: &mut String) -> std::fmt::Result {
    writeln!(out, "\nA: {}\nB: {}\n", Plain(&ab.a), Plain(&ab.b))?;
    writeln!(
        out,
        "  {:<20} {:>7}   {:.0} % interval",
        "B / A",
        "ratio",
        ab.confidence * 100.0
    )?;
    let mut row = |name: &str, ratio: f64, low: f64, high: f64| {
        let name = Plain(name);
        writeln!(out, "  {name:<20} {ratio:>7.3}   {low:.3} to {high:.3}")
    };
    row(&ab.metric, ab.ratio, ab.low, ab.high)?;
    for other in &ab.others {
        row(&other.metric, other.ratio, other.low, other.high)?;
    }
    writeln!(
        out,
        "\n{} ({}, of which {} is better; {} blocks)",
        Plain(&ab.verdict),
        Plain(&ab.metric),
        Plain(&ab.better),
        ab.pairs.len()
    )
}

fn run_text(run: &Run, out: &mut String) -> std::fmt::Result {
    writeln!(out, "\n{}: {}", Plain(&run.label), Plain(&run.sut))?;
    writeln!(
        out,
        "  {} spans/s, in {} and {} until all had come",
        count(run.spans_per_second),
        ms_text(run.load_ms),
        ms_text(run.drain_ms)
    )?;
    if let Some(latency) = &run.latency_ms {
        writeln!(
            out,
            "  latency from the {}: p50 {}, p90 {}, p99 {}, p99.9 {}, max {}",
            Plain(&run.latency_from),
            ms_text(latency.p50),
            ms_text(latency.p90),
            ms_text(latency.p99),
            ms_text(latency.p999),
            ms_text(latency.max)
        )?;
    }
    let part = |name: &str, used: &crate::document::Used, out: &mut String| {
        writeln!(
            out,
            "  {name:<10} {:>7} ns of CPU a span, {:>5.1} % of a core, {:>6} MiB at most, {} threads",
            count(used.cpu_ns_per_span),
            used.cpu_share * 100.0,
            mib(used.peak_bytes as f64),
            used.threads
        )?;
        match used.throttled {
            0 => Ok(()),
            times => writeln!(out, "  {name:<10} held back by its quota {times} times"),
        }
    };
    if let Some(used) = &run.sut_used {
        part("SUT", used, out)?;
    }
    part("generator", &run.generator, out)?;
    if let Some(used) = &run.sink {
        part("sink", used, out)?;
    }
    fates(&run.accounts, out)?;
    for note in &run.notes {
        writeln!(out, "  note: {}", Plain(note))?;
    }
    if !run.sut_said.is_empty() {
        writeln!(out, "  the SUT said last:")?;
        for line in &run.sut_said {
            writeln!(out, "    {}", Plain(line))?;
        }
    }
    Ok(())
}

/// The fates that a document has, with their names.
pub(super) fn all_fates(of: &Accounts) -> [(&'static str, u64); 9] {
    [
        ("delivered once", of.delivered_once),
        ("duplicated", of.duplicated),
        ("corrupted", of.corrupted),
        ("accepted, delivery not seen", of.accepted),
        ("sampled out", of.sampled_out),
        ("lost", of.lost),
        ("refused", of.refused),
        ("in flight at the end", of.in_flight),
        ("never sent", of.never_sent),
    ]
}

fn fates(of: &Accounts, out: &mut String) -> std::fmt::Result {
    writeln!(out, "  {:>14} spans planned", count(of.planned as f64))?;
    for (name, spans) in all_fates(of) {
        if spans > 0 {
            let share = 100.0 * spans as f64 / of.planned.max(1) as f64;
            writeln!(
                out,
                "  {:>14} {name} ({})",
                count(spans as f64),
                percent(share)
            )?;
        }
    }
    if of.foreign > 0 {
        writeln!(
            out,
            "  {:>14} came that were not sent",
            count(of.foreign as f64)
        )?;
    }
    Ok(())
}

pub(super) fn percent(share: f64) -> String {
    match share {
        100.0 => "100 %".to_owned(),
        ..0.001 => format!("{share:.1e} %"),
        _ => format!("{share:.3} %"),
    }
}

pub(super) fn mib(bytes: f64) -> String {
    format!("{:.1}", bytes / 1_048_576.0)
}

pub(super) fn ms_text(ms: f64) -> String {
    match ms {
        ..10.0 => format!("{ms:.2} ms"),
        10.0..1_000.0 => format!("{ms:.1} ms"),
        _ => format!("{:.2} s", ms / 1e3),
    }
}

/// A whole number with commas between thousands.
pub(super) fn count(number: f64) -> String {
    let digits = format!("{:.0}", number.abs());
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    match number < 0.0 && digits != "0" {
        true => format!("-{out}"),
        false => out,
    }
}
