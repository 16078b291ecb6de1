//! `tracelab scenario`: lists, shows, checks and creates scenario files.

use std::{
    fmt::Write as _,
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::Context;
use plain::{Message, Plain};
use reqwest::Url;
use serde_json::json;

use crate::{
    exit::{Outcome, WrongInput},
    screen::{self, Format},
};

/// List, show, check and begin scenario files.
#[derive(Debug, clap::Subcommand)]
#[command(after_help = "\
Examples:
  tracelab scenario list
  tracelab scenario show n-plus-one > my-scenario.yaml
  tracelab scenario new my-scenario --fault slow-provider
  tracelab scenario lint my-scenario.yaml
  tracelab scenario schema > scenario.schema.json")]
pub(crate) enum Scenario {
    /// List the scenarios that come with tracelab.
    List(ListArgs),
    /// Print the file of a scenario.
    Show(ShowArgs),
    /// Check scenario files without running them: exit code 2 if anything is wrong with them.
    Lint(LintArgs),
    /// Print the JSON Schema of a scenario file, for editors.
    Schema,
    /// Begin a scenario of your own: writes NAME.yaml.
    New(NewArgs),
}

#[derive(Debug, clap::Args)]
pub(crate) struct ListArgs {
    /// The format of the list.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ShowArgs {
    /// The name of a scenario that comes with tracelab, or the path of a file.
    scenario: String,
}

#[derive(Debug, clap::Args)]
pub(crate) struct LintArgs {
    /// Paths of files, or names of scenarios that come with tracelab.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<String>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct NewArgs {
    /// The name of the scenario: lower-case letters, digits and dashes.
    name: String,

    /// The fault that the scenario is about.
    #[arg(long, value_name = "FAULT", conflicts_with = "target")]
    fault: Option<String>,

    /// The address of a service of your own that the scenario is about, instead of the shop.
    #[arg(long, value_name = "URL")]
    target: Option<Url>,
}

pub(crate) async fn main(scenario: Scenario) -> anyhow::Result<Outcome> {
    match scenario {
        Scenario::List(args) => screen::print(list(args.format)?)?,
        Scenario::Show(args) => {
            screen::print(Message(scenario::find_text(&args.scenario)?).to_string())?
        }
        Scenario::Schema => screen::print(scenario::schema())?,
        Scenario::Lint(args) => lint(&args.files)?,
        Scenario::New(args) => new(&args)?,
    }
    Ok(Outcome::Passed)
}

fn list(format: Format) -> anyhow::Result<String> {
    let mut text = String::new();
    let mut scenarios = Vec::new();
    for name in scenario::embedded::names() {
        let scenario = scenario::embedded(name)?;
        let faults: Vec<&str> = scenario
            .faults
            .iter()
            .map(|setting| setting.fault().name)
            .collect();
        let _ = writeln!(text, "{name:<20} {}", scenario.title);
        scenarios.push(json!({ "name": name, "title": scenario.title, "faults": faults }));
    }
    Ok(match format {
        Format::Text => text,
        Format::Json => format!("{}\n", json!({ "scenarios": scenarios })),
    })
}

fn lint(files: &[String]) -> anyhow::Result<()> {
    let mut said = Vec::new();
    for file in files {
        let errors = scenario::lint(file, &scenario::find_text(file)?);
        match errors.is_empty() {
            true => screen::print(format!("{}: ok\n", Plain(file)))?,
            false => said.extend(errors.iter().map(ToString::to_string)),
        }
    }
    match said.is_empty() {
        true => Ok(()),
        false => Err(WrongInput(said.join("\n")).into()),
    }
}

fn new(args: &NewArgs) -> anyhow::Result<()> {
    let fault = args.fault.as_deref().map(faults::find).transpose()?;
    let target = args.target.as_ref().map(Url::as_str);
    let text = scenario::skeleton(&args.name, fault, target);
    let path = PathBuf::from(format!("{}.yaml", args.name));
    // Only the name can be wrong in this text.
    scenario::parse(&path.display().to_string(), &text)?;
    write_new(&path, &text)?;
    screen::print(format!(
        "{path} is written; edit it, then: tracelab run ./{path}\n",
        path = Plain(path.display())
    ))
}

fn write_new(path: &Path, text: &str) -> anyhow::Result<()> {
    let file = std::fs::File::create_new(path).map_err(|error| {
        WrongInput(format!(
            "{}: cannot be written: {error}",
            Plain(path.display())
        ))
    });
    file?
        .write_all(text.as_bytes())
        .with_context(|| format!("{}: cannot be written", Plain(path.display())))
}
