//! `tracelab trace`: shows a trace of a running lab or of a file.

use ::trace::Trace;

use crate::{
    exit::Outcome,
    screen::{self, Format},
    traces::TraceArgs,
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
    screen::print(&text)?;
    Ok(Outcome::Passed)
}

fn waterfall(trace: &Trace) -> String {
    waterfall::render(trace, &screen::style())
}
