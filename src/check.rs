//! `tracelab check FILE…`: recorded traces against a scenario, without running anything.

use std::{fmt::Write as _, io::Write, path::PathBuf};

use anyhow::Context;
use diagnose::plural;
use expect::Verdict;
use runner::Checked;

use crate::{
    exit::Outcome,
    screen::{self, Format},
    trace::from_file,
};

/// Check recorded traces against what a scenario expects.
///
/// The files may be what `tracelab run --out` leaves, what the Collector's file exporter writes
/// (OTLP as JSON or protobuf), what Jaeger's page downloads, or Zipkin's JSON v2, also packed with gzip or
/// zstd. Traces that link to each other
/// or name the same order are looked at together; those that are of something else (another root) are
/// named and not checked.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tracelab check results/n-plus-one/faulty/*.otlp.json --expect n-plus-one
  tracelab check exported.json --expect ./my-scenario.yaml --format json
  curl -s http://jaeger:16686/api/traces/ID | tracelab check - --expect checkout")]
pub(crate) struct Args {
    /// Files of traces; - is standard input.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    /// The scenario: the name of one that comes with tracelab, or the path of a file.
    #[arg(long, value_name = "SCENARIO")]
    expect: String,

    /// Fail if something could not be evaluated.
    #[arg(long)]
    strict: bool,

    /// How the report is printed.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(crate) async fn main(args: Args) -> anyhow::Result<Outcome> {
    let scenario = scenario::find(&args.expect)?;
    let mut spans = Vec::new();
    for file in &args.files {
        spans.extend(from_file(file)?);
    }
    let checked = runner::check_spans(spans, &scenario);
    let text = match args.format {
        Format::Text => text(&scenario.name, &checked),
        Format::Json => format!(
            "{}\n",
            serde_json::json!({
                "verdict": checked.verdict(),
                "scenario": scenario.name,
                "traces": checked.reports,
                "others": checked
                    .others
                    .iter()
                    .map(|(root, count)| serde_json::json!({ "root": root, "traces": count }))
                    .collect::<Vec<_>>(),
            })
        ),
    };
    std::io::stdout()
        .write_all(text.as_bytes())
        .context("the report cannot be printed")?;
    Ok(match checked.verdict() {
        Verdict::Fail => Outcome::Failed,
        Verdict::Unsupported if args.strict => Outcome::Failed,
        Verdict::Pass | Verdict::Unsupported => Outcome::Passed,
    })
}

fn text(name: &str, checked: &Checked) -> String {
    let colour = screen::style().colour;
    let mut text = String::new();
    for report in &checked.reports {
        text.push_str(&report.text(name, "", colour));
    }
    let with = |verdict| {
        let reports = checked.reports.iter();
        reports.filter(|report| report.verdict == verdict).count()
    };
    let _ = writeln!(
        text,
        "{} checked: {} match, {} do not, {} unsupported",
        plural(checked.reports.len(), "trace"),
        with(Verdict::Pass),
        with(Verdict::Fail),
        with(Verdict::Unsupported)
    );
    for (root, count) in &checked.others {
        let _ = writeln!(
            text,
            "{count} not checked: {root} is none that the scenario asks for"
        );
    }
    text
}
