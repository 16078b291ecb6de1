//! `tracelab diagnose`: where the time of a trace went, and what went wrong.

use std::path::{Path, PathBuf};

use ::diagnose::{Diagnosis, Source, Summary, THRESHOLDS, diagnose_in_parts, evaluate, report};
use ::trace::Trace;
use formats::{Recorded, Recording};

use crate::{
    exit::{Outcome, WrongInput},
    lab::LabArgs,
    memory_arg::ReadingArg,
    neighbours, screen,
    traces::{self, Traces},
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

    #[command(flatten)]
    memory: ReadingArg,

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
    if args.traces.is_empty() {
        let traces = neighbours::newest(&args.lab).await?;
        if traces.is_empty() {
            let problem = "the lab has no trace yet: place an order first";
            return Err(WrongInput(problem.to_owned()).into());
        }
        return together(&[], traces, args.format);
    }
    let named = traces::read(&args.traces, &args.lab, &args.memory).await?;
    named.each_fits()?;
    if traces::are_ids(&args.traces) {
        let asked: Vec<Trace> = named.each().collect::<anyhow::Result<_>>()?;
        let others = neighbours::of(&asked, &args.lab).await?;
        return together(&asked, others, args.format);
    }
    of_files(&named, args.format)
}

/// Diagnoses traces of a lab: those that were asked for, and others with them.
fn together(
    asked: &[Trace],
    others: Vec<Trace>,
    format: DiagnosisFormat,
) -> anyhow::Result<Outcome> {
    let all: Vec<Trace> = asked.iter().cloned().chain(others).collect();
    let diagnoses = ::diagnose::diagnose(&all, &[], &THRESHOLDS);
    let (asked, others) = diagnoses.split_at(asked.len());
    screen::print(text(asked, others, format))?;
    Ok(Outcome::Passed)
}

/// Diagnoses the traces of files, which may not fit into memory together.
fn of_files(named: &Traces, format: DiagnosisFormat) -> anyhow::Result<Outcome> {
    let style = report::Style {
        colour: screen::style().colour,
    };
    let mut is_first = true;
    let mut each = |diagnosis: &Diagnosis<'_>| {
        let is_first = std::mem::take(&mut is_first);
        let between = match format {
            DiagnosisFormat::Json if is_first => r#"{"traces":["#,
            DiagnosisFormat::Json => ",",
            _ if is_first => "",
            _ => "\n",
        };
        let one = match format {
            DiagnosisFormat::Text => report::text(diagnosis, style),
            DiagnosisFormat::Json => report::one_to_json(diagnosis).to_string(),
            DiagnosisFormat::Markdown => report::markdown(diagnosis),
        };
        screen::print(format!("{between}{one}"))
    };
    let source = Named::new(named);
    let parts = diagnose_in_parts(&source, named.room(), &THRESHOLDS, &mut each)?;
    if format == DiagnosisFormat::Json {
        screen::print("]}\n")?;
    }
    if parts > 1 {
        stderr::say(format_args!(
            "note: the {} traces do not fit into memory together (--memory): they were diagnosed in {parts} parts, each \
             with the traces of the same time and the same orders and messages",
            named.len()
        ));
    }
    Ok(Outcome::Passed)
}

/// The traces of files, as the diagnosis reads them.
struct Named<'t> {
    recording: &'t Recording,
    summaries: Vec<Summary>,
}

// === impl Named ===

impl Named<'_> {
    fn new(named: &Traces) -> Named<'_> {
        let recording = named.recording();
        let summary = |trace: &Recorded| Summary {
            id: trace.id,
            start_ns: trace.start_ns,
            end_ns: trace.end_ns,
            memory: trace.memory,
        };
        Named {
            recording,
            summaries: recording.traces().iter().map(summary).collect(),
        }
    }
}

impl Source for Named<'_> {
    type Error = anyhow::Error;

    fn traces(&self) -> &[Summary] {
        &self.summaries
    }

    fn read(&self, at: usize) -> anyhow::Result<Trace> {
        Ok(self.recording.trace(&self.recording.traces()[at])?)
    }
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
