//! `tracelab check FILE…`: checks recorded traces against a scenario, without a lab.

use std::path::PathBuf;

use expect::Verdict;

use crate::{
    exit::Outcome,
    screen::{self, Format},
    traces::from_file,
};

/// Check recorded traces against what a scenario expects.
///
/// The files may be what `tracelab run --out` or `tracelab export` writes, what the Collector's file exporter
/// writes (OTLP as JSON or protobuf), what Jaeger's page downloads, an answer of Tempo, or Zipkin's JSON v2, also
/// packed with gzip or zstd. Traces that link to each other or name the same order are checked together. Traces
/// with another root than the scenario expects are listed and not checked. The traces may be of any system, and
/// the scenario may be nothing but what `tracelab expect from` writes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tracelab check results/n-plus-one/faulty/*.otlp.json --expect n-plus-one
  tracelab check exported.json --expect ./my-scenario.yaml --format json
  tracelab expect from --file one.json > expect.yaml && tracelab check all.json --expect expect.yaml
  curl -s http://jaeger:16686/api/traces/ID | tracelab check - --expect checkout")]
pub(crate) struct Args {
    /// Files of traces; - is standard input.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    /// The scenario: the name of one that comes with tracelab, or the path of a file, which needs no target,
    /// journey or load.
    #[arg(long, value_name = "SCENARIO")]
    expect: String,

    /// Fail if a part of the scenario could not be evaluated.
    #[arg(long)]
    strict: bool,

    /// The format of the report.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(crate) async fn main(args: Args) -> anyhow::Result<Outcome> {
    let scenario = scenario::find_to_check(&args.expect)?;
    let mut spans = Vec::new();
    for file in &args.files {
        spans.extend(from_file(file)?);
    }
    let checked = runner::check_spans(spans, &scenario);
    let text = match args.format {
        Format::Text => checked.text(screen::style().colour),
        Format::Json => format!("{}\n", checked.to_json()),
    };
    screen::print(&text)?;
    Ok(match checked.verdict() {
        Verdict::Fail => Outcome::Failed,
        Verdict::Unsupported if args.strict => Outcome::Failed,
        Verdict::Pass | Verdict::Unsupported => Outcome::Passed,
    })
}
