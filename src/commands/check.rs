//! `tracelab check FILE…`: checks recorded traces against a scenario, without a lab.

use std::{
    io::{Seek, Write},
    path::PathBuf,
};

use expect::Verdict;
use serde_json::json;
use tempfile::SpooledTempFile;

use crate::{
    exit::Outcome,
    memory_arg::ReadingArg,
    screen::{self, Format},
    traces::from_files,
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

    #[command(flatten)]
    memory: ReadingArg,

    /// The format of the report.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// The reports are kept in memory up to this number of bytes, and then in a temporary file: the verdict stands before
/// them.
const IN_MEMORY: usize = 16 << 20;

pub(crate) async fn main(args: Args) -> anyhow::Result<Outcome> {
    let scenario = scenario::find_to_check(&args.expect)?;
    let traces = from_files(&args.files, &args.memory)?;
    traces.each_fits()?;
    let mut reports = SpooledTempFile::new(IN_MEMORY);
    let mut is_first = true;
    let checked = runner::check(traces.recording(), &scenario, &mut |report| {
        let colour = screen::style().colour;
        match args.format {
            Format::Text => {
                let text = report.text(&scenario.name, "", colour);
                reports.write_all(text.as_bytes())
            }
            Format::Json => {
                if !std::mem::take(&mut is_first) {
                    reports.write_all(b",")?;
                }
                Ok(serde_json::to_writer(&mut reports, &report)?)
            }
        }
    })?;
    reports.rewind()?;
    let verdict = checked.verdict();
    match args.format {
        Format::Text => {
            screen::copy(&mut reports)?;
            screen::print(checked.text())?;
        }
        Format::Json => {
            let (verdict, name) = (json!(verdict), json!(scenario.name));
            screen::print(format!(
                "{{\"verdict\":{verdict},\"scenario\":{name},\"traces\":["
            ))?;
            screen::copy(&mut reports)?;
            screen::print(format!("],\"others\":{}}}\n", checked.others_to_json()))?;
        }
    }
    Ok(match verdict {
        Verdict::Fail => Outcome::Failed,
        Verdict::Unsupported if args.strict => Outcome::Failed,
        Verdict::Pass | Verdict::Unsupported => Outcome::Passed,
    })
}
