//! `tracelab bench record` and `tracelab bench merge`: what benchmarks do with files.

use std::path::PathBuf;

use ::bench::{books, report};
use ::trace::otlp;
use anyhow::{Context, bail};
use plain::Plain;

use super::{args::BenchFormat, write};
use crate::{
    exit::{Outcome, WrongInput},
    lab::LabArgs,
    memory_arg::ReadingArg,
    screen::{self, Format},
    traces,
};

/// Write a trace as a shape for benchmarks: a recorded trace of which any number can be sent.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tracelab bench record 4bf92f3577b34da6a3ce929d0e0e4736 --out order.json
  tracelab bench record jaeger.json --out cart.json
  tracelab bench rate --shape cart.json:3,small")]
pub(crate) struct RecordArgs {
    /// The id of a trace of a running lab, or a file with one trace.
    #[arg(value_name = "TRACE")]
    trace: String,

    /// The file to write.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,

    #[command(flatten)]
    lab: LabArgs,

    #[command(flatten)]
    memory: ReadingArg,
}

/// Show results of benchmarks that were written with --out: one of them, or several side by side.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tracelab bench report rate.json
  tracelab bench report before.json after.json --format markdown
  tracelab bench report capacity.json --html capacity.html")]
pub(crate) struct ReportArgs {
    /// The files.
    #[arg(required = true, value_name = "FILE.json")]
    files: Vec<PathBuf>,

    /// Write a page with plots of one result into this file.
    #[arg(long, value_name = "FILE.html")]
    html: Option<PathBuf>,

    /// The format. Several results side by side are Markdown, which is readable as text.
    #[arg(long, value_enum, default_value_t)]
    format: BenchFormat,
}

/// Make the accounts of a run that was spread over generators and receivers.
///
/// The files are the books of generators (tracelab blast --books) and the ledgers of receivers (tracelab drain), in any
/// order.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tracelab bench merge workload.json sent.json received.ledger
  tracelab bench merge workload.json sent-0.json sent-1.json left.ledger right.ledger --format json")]
pub(crate) struct MergeArgs {
    /// The file of the workload.
    #[arg(value_name = "WORKLOAD")]
    workload: PathBuf,

    /// Books and ledgers.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    /// The format of the result.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(crate) async fn record(args: &RecordArgs) -> anyhow::Result<Outcome> {
    let name = Plain(&args.trace).to_string();
    let traces = traces::read(std::slice::from_ref(&args.trace), &args.lab, &args.memory).await?;
    let mut all = traces.each();
    let (Some(trace), None) = (all.next(), all.next()) else {
        bail!(WrongInput(format!(
            "{name} is not one trace, and a shape is one"
        )));
    };
    let trace = trace?;
    firehose::Template::new(trace.spans())
        .map_err(|error| WrongInput(format!("{name}: {error}")))?;
    let out = Plain(args.out.display()).to_string();
    std::fs::write(&args.out, otlp::to_json(trace.spans()) + "\n")
        .with_context(|| format!("{out} cannot be written"))?;
    Ok(Outcome::Passed)
}

pub(crate) fn report(args: &ReportArgs) -> anyhow::Result<Outcome> {
    let mut documents = Vec::new();
    for path in &args.files {
        let name = Plain(path.display()).to_string();
        let json = std::fs::read(path)
            .map_err(|error| WrongInput(format!("{name} cannot be read: {error}")))?;
        let document =
            report::read(&json).map_err(|error| WrongInput(format!("{name}: {error}")))?;
        documents.push((name, document));
    }
    if let Some(path) = &args.html {
        let [(_, document)] = &documents[..] else {
            bail!(WrongInput(
                "--html: a page is of one result, and not of several".to_owned()
            ));
        };
        write(path, report::html(document))?;
    }
    let json = |document| serde_json::to_string(document).context("the document");
    let text = match (&documents[..], args.format) {
        ([(_, document)], BenchFormat::Text) => report::text(document),
        ([(_, document)], BenchFormat::Markdown) => report::markdown(document),
        (several, BenchFormat::Text | BenchFormat::Markdown) => report::compare(several),
        (all, BenchFormat::Json) => {
            let lines: anyhow::Result<Vec<String>> =
                all.iter().map(|(_, document)| json(document)).collect();
            lines?.join("\n") + "\n"
        }
    };
    screen::print_result(text)?;
    Ok(Outcome::Passed)
}

pub(crate) fn merge(args: &MergeArgs) -> anyhow::Result<Outcome> {
    let merged = books::merge(&args.workload, &args.files);
    let merged = merged.map_err(|error| WrongInput(format!("{:#}", anyhow::Error::from(error))))?;
    let of = &merged.accounts;
    let fates = [
        ("planned", of.planned),
        ("never_sent", of.never_sent),
        ("refused", of.refused),
        ("delivered_once", of.delivered_once),
        ("duplicated", of.duplicated),
        ("corrupted", of.corrupted),
        ("lost", of.lost),
        ("in_flight", of.in_flight),
        ("sampled_out", of.sampled_out),
        ("accepted", of.accepted),
        ("foreign", merged.foreign),
    ];
    match args.format {
        Format::Json => {
            let accounts: serde_json::Map<String, serde_json::Value> = fates
                .iter()
                .map(|(name, spans)| ((*name).to_owned(), (*spans).into()))
                .collect();
            let document = serde_json::json!({
                "schema": 1,
                "kind": "bench-merge",
                "valid": of.are_closed(),
                "generators": merged.generators,
                "receivers": merged.receivers,
                "accounts": accounts,
            });
            screen::print_result(format!("{document}\n"))?;
        }
        Format::Text => {
            let mut text = format!(
                "{} generators, {} receivers\n",
                merged.generators, merged.receivers
            );
            for (name, spans) in fates {
                if spans > 0 || name == "planned" {
                    text.push_str(&format!("{spans:>14} {}\n", name.replace('_', " ")));
                }
            }
            screen::print_result(text)?;
        }
    }
    Ok(match of.are_closed() {
        true => Outcome::Passed,
        false => Outcome::Failed,
    })
}
