//! `tracelab diagnose`: where the time of a trace went, and what went wrong.

use std::path::{Path, PathBuf};

use ::diagnose::{Diagnosis, THRESHOLDS, evaluate, report};

use crate::{
    exit::{Outcome, WrongInput},
    lab::LabArgs,
    neighbours, screen, traces,
};

/// Explain traces: the walk from the root to where the time is spent, the critical path, the story of
/// an error, and what went wrong, with evidence.
///
/// A TRACE is the id of a trace of a running lab, a file (OTLP as JSON or protobuf, Tempo's JSON, Jaeger's or
/// Zipkin's, also packed), or - for standard input. Traces that are named together are diagnosed together: some findings need
/// several traces, such as a lock that one trace holds and another waits for. Where ids are named, the lab's
/// other traces of the same time, order or message are diagnosed with them. Without a TRACE the newest traces of
/// the lab are diagnosed.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tracelab diagnose
  tracelab diagnose 4bf92f3577b34da6a3ce929d0e0e4736
  tracelab diagnose results/*/faulty/*.otlp.json --format json
  curl -s http://jaeger:16686/api/traces/ID | tracelab diagnose -
  tracelab run --all --out results --traces all && tracelab diagnose --evaluate results")]
pub(crate) struct Args {
    /// Ids of traces of a running lab, or files; - is standard input. Default: the newest traces of the lab.
    #[arg(conflicts_with = "evaluate", value_name = "TRACE")]
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
    let mut traces = match args.traces.is_empty() {
        true => Vec::new(),
        false => traces::read(&args.traces, &args.lab).await?,
    };
    let asked = traces.len();
    match args.traces.is_empty() {
        true => traces = neighbours::newest(&args.lab).await?,
        false if traces::are_ids(&args.traces) => {
            traces.extend(neighbours::of(&traces, &args.lab).await?);
        }
        false => {}
    }
    if traces.is_empty() {
        return Err(WrongInput("the lab has no trace yet: place an order first".to_owned()).into());
    }
    let diagnoses = ::diagnose::diagnose(&traces, &[], &THRESHOLDS);
    let (asked, others) = diagnoses.split_at(asked);
    screen::print(text(asked, others, args.format))?;
    Ok(Outcome::Passed)
}

/// The diagnoses of the traces that were asked for, and of the others what was found in them.
fn text(asked: &[Diagnosis<'_>], others: &[Diagnosis<'_>], format: DiagnosisFormat) -> String {
    let style = report::Style {
        colour: screen::style().colour,
    };
    let which = match asked.is_empty() {
        true => "that the lab has lately",
        false => "around it",
    };
    match format {
        DiagnosisFormat::Text => {
            let texts = asked
                .iter()
                .map(|diagnosis| report::text(diagnosis, style))
                .chain(report::neighbours_text(others, which, style));
            texts.collect::<Vec<_>>().join("\n")
        }
        DiagnosisFormat::Json => {
            let document = match asked.is_empty() {
                true => report::to_json(others, &[]),
                false => report::to_json(asked, others),
            };
            format!("{document}\n")
        }
        DiagnosisFormat::Markdown => {
            let texts = asked.iter().map(report::markdown);
            let texts = texts.chain(report::neighbours_markdown(others, which));
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
