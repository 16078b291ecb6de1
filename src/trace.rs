//! `tracelab trace`: shows a trace, of a running lab or of a file.

use std::{
    io::{Read, Write},
    path::{Path, PathBuf},
};

use ::trace::{Span, Trace, TraceId, tree};
use anyhow::Context;

use crate::{
    exit::{Outcome, WrongInput},
    lab::LabArgs,
    screen::{self, Format},
};

/// Show a trace as a waterfall.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tracelab trace 4bf92f3577b34da6a3ce929d0e0e4736
  tracelab trace --file recorded.otlp.json
  curl -s http://127.0.0.1:8080/api/traces/ID | tracelab trace --file - --format json")]
pub(crate) struct Args {
    #[command(flatten)]
    from: TraceArgs,

    /// What is printed: the waterfall, or one JSON document.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Where a trace is.
#[derive(Debug, clap::Args)]
pub(crate) struct TraceArgs {
    /// The id of a trace of a running lab: 32 hexadecimal digits.
    #[arg(
        required_unless_present = "file",
        conflicts_with = "file",
        value_name = "ID"
    )]
    id: Option<TraceId>,

    /// A trace file: OTLP (JSON or protobuf), Jaeger's JSON or Zipkin's, also packed; - is standard input.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,

    #[command(flatten)]
    lab: LabArgs,
}

pub(crate) async fn main(args: Args) -> anyhow::Result<Outcome> {
    let traces = args.from.traces().await?;
    let text = match args.format {
        Format::Text => {
            let waterfalls: Vec<String> = traces.iter().map(waterfall).collect();
            waterfalls.join("\n")
        }
        Format::Json => {
            let traces: Vec<_> = traces.iter().map(waterfall::to_json).collect();
            format!("{}\n", serde_json::json!({ "traces": traces }))
        }
    };
    std::io::stdout()
        .write_all(text.as_bytes())
        .context("standard output cannot be written")?;
    Ok(Outcome::Passed)
}

fn waterfall(trace: &Trace) -> String {
    waterfall::render(trace, &screen::style())
}

// === impl TraceArgs ===

impl TraceArgs {
    /// The one of the lab, or all of the file.
    pub(crate) async fn traces(&self) -> anyhow::Result<Vec<Trace>> {
        let spans = match (&self.id, &self.file) {
            (Some(id), _) => self.lab.spans(*id).await?,
            (None, Some(path)) => from_file(path)?,
            (None, None) => Vec::new(),
        };
        Ok(tree::group(spans))
    }
}

/// All spans of a trace file; - is standard input.
pub(crate) fn from_file(path: &Path) -> anyhow::Result<Vec<Span>> {
    let name = if path.as_os_str() == "-" {
        "standard input".into()
    } else {
        path.to_string_lossy()
    };
    let mut bytes = Vec::new();
    let read = match path.as_os_str() == "-" {
        true => std::io::stdin().read_to_end(&mut bytes).map(drop),
        false => std::fs::read(path).map(|read| bytes = read),
    };
    read.map_err(|error| WrongInput(format!("{name} cannot be read: {error}")))?;
    let spans = formats::read(&bytes).map_err(|error| WrongInput(format!("{name}: {error}")))?;
    Ok(spans)
}
