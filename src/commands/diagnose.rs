//! `tracelab diagnose`: where the time of a trace went, and what went wrong.

use std::path::{Path, PathBuf};

use ::diagnose::{Diagnosis, THRESHOLDS, evaluate, report};

use crate::{exit::Outcome, lab::LabArgs, screen, traces};

/// Explain traces: the walk from the root to where the time is spent, the critical path, the story of
/// an error, and what went wrong, with evidence.
///
/// A TRACE is the id of a trace of a running lab, a file (OTLP as JSON or protobuf, Jaeger JSON, Zipkin JSON
/// v2), or - for standard input. Traces that are named together are diagnosed together: some findings need
/// several traces, such as a lock that one trace holds and another waits for.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tracelab diagnose 4bf92f3577b34da6a3ce929d0e0e4736
  tracelab diagnose results/*/faulty/*.otlp.json --format json
  curl -s http://jaeger:16686/api/traces/ID | tracelab diagnose -
  tracelab run --all --out results --traces all && tracelab diagnose --evaluate results")]
pub(crate) struct Args {
    /// Ids of traces of a running lab, or files; - is standard input.
    #[arg(
        required_unless_present = "evaluate",
        conflicts_with = "evaluate",
        value_name = "TRACE"
    )]
    traces: Vec<String>,

    /// Diagnose the traces of this folder, which `tracelab run --out DIR --traces all` wrote, and report the
    /// quality of the rules: precision and recall of each, and every mistake.
    #[arg(long, value_name = "DIR")]
    evaluate: Option<PathBuf>,

    #[command(flatten)]
    lab: LabArgs,

    /// The format of the diagnosis.
    #[arg(long, value_enum, default_value_t)]
    format: DiagnosisFormat,
}

/// The formats of a diagnosis.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum DiagnosisFormat {
    /// For people.
    #[default]
    Text,
    /// A single JSON document.
    Json,
    /// Markdown, for a pull request or an incident report.
    Markdown,
}

pub(crate) async fn main(args: Args) -> anyhow::Result<Outcome> {
    if let Some(folder) = &args.evaluate {
        return evaluate_folder(folder, args.format);
    }
    let traces = traces::read(&args.traces, &args.lab).await?;
    let diagnoses = ::diagnose::diagnose(&traces, &[], &THRESHOLDS);
    screen::print(text(&diagnoses, args.format))?;
    Ok(Outcome::Passed)
}

fn text(diagnoses: &[Diagnosis<'_>], format: DiagnosisFormat) -> String {
    let style = report::Style {
        colour: screen::style().colour,
    };
    match format {
        DiagnosisFormat::Text => {
            let texts = diagnoses
                .iter()
                .map(|diagnosis| report::text(diagnosis, style));
            texts.collect::<Vec<_>>().join("\n")
        }
        DiagnosisFormat::Json => format!("{}\n", report::to_json(diagnoses)),
        DiagnosisFormat::Markdown => {
            let texts = diagnoses.iter().map(report::markdown);
            texts.collect::<Vec<_>>().join("\n")
        }
    }
}

fn evaluate_folder(folder: &Path, format: DiagnosisFormat) -> anyhow::Result<Outcome> {
    let groups = runner::labelled(folder)?;
    let evaluation = evaluate::evaluate(&groups, &THRESHOLDS);
    match format {
        DiagnosisFormat::Json => {
            screen::print(format!("{}\n", serde_json::to_string(&evaluation)?))?
        }
        DiagnosisFormat::Text | DiagnosisFormat::Markdown => {
            screen::print(evaluate::text(&evaluation))?
        }
    }
    Ok(match evaluation.is_perfect() {
        true => Outcome::Passed,
        false => Outcome::Failed,
    })
}
