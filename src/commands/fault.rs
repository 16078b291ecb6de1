//! `tracelab fault`: the catalogue of faults, and the faults that are switched on for everyone.

use std::fmt::Write;

use faults::{CATALOGUE, Faults, Setting};
use serde_json::{Value as Json, json};

use crate::{
    exit::Outcome,
    lab::LabArgs,
    screen::{self, Format},
};

/// List faults, and switch them on and off for everyone who uses a running lab.
///
/// A fault is a misbehaviour with a real mechanism. For one order alone, see `tracelab order --fault`.
#[derive(Debug, clap::Subcommand)]
#[command(after_help = "\
Examples:
  tracelab fault list
  tracelab fault set 'slow-provider;latency_ms=800' n-plus-one
  tracelab fault clear slow-provider
  tracelab fault clear")]
pub(crate) enum Fault {
    /// List all faults with their parameters, and say which are on if a lab is running.
    List(ListArgs),
    /// Switch faults on for everyone. Requests that bring a fault of their own get only that.
    Set(SetArgs),
    /// Switch faults off: those that are named, or all.
    Clear(ClearArgs),
}

#[derive(Debug, clap::Args)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    lab: LabArgs,

    /// The format of the list.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Debug, clap::Args)]
pub(crate) struct SetArgs {
    /// NAME or NAME;PARAMETER=VALUE, such as 'slow-provider;latency_ms=800'.
    #[arg(required = true, value_name = "FAULT")]
    faults: Vec<Setting>,

    #[command(flatten)]
    lab: LabArgs,

    /// The format of the list of faults that are on afterwards.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ClearArgs {
    /// The faults to switch off; all faults if none is named.
    #[arg(value_name = "NAME")]
    names: Vec<String>,

    #[command(flatten)]
    lab: LabArgs,

    /// The format of the list of faults that are still on.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(crate) async fn main(fault: Fault) -> anyhow::Result<Outcome> {
    let text = match fault {
        Fault::List(args) => {
            // The catalogue needs no lab.
            let on = args.lab.faults().await.ok();
            list(on.as_ref(), args.format)
        }
        Fault::Set(args) => {
            let wanted = Faults::of(args.faults)?;
            let mut on = args.lab.faults().await?;
            wanted
                .iter()
                .for_each(|setting| on.replace(setting.clone()));
            shown(&args.lab.set_faults(&on).await?, args.format)
        }
        Fault::Clear(args) => {
            let mut on = Faults::NONE;
            if !args.names.is_empty() {
                on = args.lab.faults().await?;
                for name in &args.names {
                    on.remove(faults::find(name)?);
                }
            }
            shown(&args.lab.set_faults(&on).await?, args.format)
        }
    };
    screen::print(&text)?;
    Ok(Outcome::Passed)
}

/// Renders the faults that are on.
fn shown(on: &Faults, format: Format) -> String {
    if format == Format::Json {
        return format!("{}\n", on.to_json());
    }
    if on.is_empty() {
        return "no fault is on\n".to_owned();
    }
    on.iter()
        .map(|setting| format!("on: {setting}\n"))
        .collect()
}

fn list(on: Option<&Faults>, format: Format) -> String {
    if format == Format::Json {
        let faults: Vec<Json> = CATALOGUE.iter().map(|fault| in_json(fault, on)).collect();
        return format!("{}\n", json!({ "faults": faults }));
    }
    let mut text = String::new();
    for fault in CATALOGUE {
        let is_on = match on.and_then(|on| on.get(fault)) {
            Some(setting) => format!("  (on: {setting})"),
            None => String::new(),
        };
        let _ = writeln!(
            text,
            "{:<20} {:<10} {}{is_on}",
            fault.name, fault.service, fault.summary
        );
        if let Some(need) = fault.needs {
            let _ = writeln!(text, "{:31} needs {need}", "");
        }
        for parameter in fault.parameters {
            let _ = writeln!(
                text,
                "{:31} {}: {}; {}, {}",
                "",
                parameter.name,
                parameter.summary,
                parameter.range,
                match parameter.default {
                    Some(default) => format!("{default} by default"),
                    None => "not set by default".to_owned(),
                }
            );
        }
    }
    text
}

fn in_json(fault: &'static faults::Fault, on: Option<&Faults>) -> Json {
    let parameters: Vec<Json> = fault
        .parameters
        .iter()
        .map(|parameter| {
            json!({
                "name": parameter.name,
                "summary": parameter.summary,
                "range": parameter.range.to_string(),
                "default": parameter.default.map(|default| default.to_string()),
            })
        })
        .collect();
    json!({
        "name": fault.name,
        "service": fault.service,
        "summary": fault.summary,
        "needs": fault.needs.map(|need| need.to_string()),
        "parameters": parameters,
        "on": on.map(|on| on.get(fault).is_some()),
    })
}
