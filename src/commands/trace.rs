//! `tracelab trace`: shows a trace of a running lab or of a file.

use ::trace::Trace;
use anyhow::Context;

use crate::{commands::export, exit::Outcome, screen, traces::TraceArgs};

/// Show a trace as a waterfall.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tracelab trace 4bf92f3577b34da6a3ce929d0e0e4736
  tracelab trace recorded.otlp.json
  tracelab trace 4bf92f3577b34da6a3ce929d0e0e4736 --format otlp > order.otlp.json
  curl -s http://127.0.0.1:8080/api/traces/ID | tracelab trace --file - --format json")]
pub(crate) struct Args {
    #[command(flatten)]
    from: TraceArgs,

    /// What is printed.
    #[arg(long, value_enum, default_value_t)]
    format: TraceFormat,
}

/// What is printed of a trace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum TraceFormat {
    /// The waterfall, for people.
    #[default]
    Text,
    /// The waterfall as one JSON document.
    Json,
    /// The spans as OTLP/JSON, which every command reads: as tracelab export writes them.
    Otlp,
}

pub(crate) async fn main(args: Args) -> anyhow::Result<Outcome> {
    let traces = args.from.traces().await?;
    traces.each_fits()?;
    if args.format == TraceFormat::Json {
        screen::print(r#"{"traces":["#)?;
    }
    for (number, trace) in traces.each().enumerate() {
        let trace = trace?;
        let is_first = number == 0;
        let text = match args.format {
            TraceFormat::Text if is_first => waterfall(&trace),
            TraceFormat::Text => format!("\n{}", waterfall(&trace)),
            TraceFormat::Json if is_first => waterfall::to_json(&trace).to_string(),
            TraceFormat::Json => format!(",{}", waterfall::to_json(&trace)),
            TraceFormat::Otlp => {
                screen::unless_gone(export::line(&trace, &mut std::io::stdout().lock()))
                    .context("standard output cannot be written")?;
                continue;
            }
        };
        screen::print(text)?;
    }
    if args.format == TraceFormat::Json {
        screen::print("]}\n")?;
    }
    Ok(Outcome::Passed)
}

fn waterfall(trace: &Trace) -> String {
    waterfall::render(trace, &screen::style())
}
