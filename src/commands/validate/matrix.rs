//! `tracelab validate --matrix`: the systems of a file, one after the other.

use std::path::Path;

use ::validate::{Column, Document, Matrix, Protocol, StartCommand, report};
use backends::Kind;
use plain::Plain;
use tokio_util::sync::CancellationToken;

use clap::ValueEnum as _;

use super::{Args, args::ProtocolArg, outcome, write};
use crate::{
    backend_args::BackendArgs,
    exit::{Outcome, WrongInput},
    screen, stop,
};

pub(super) async fn main(args: &Args, file: &Path) -> anyhow::Result<Outcome> {
    let shown = Plain(file.display()).to_string();
    let text = std::fs::read_to_string(file).map_err(|error| {
        WrongInput(format!(
            "--matrix: {shown} cannot be read: {error}; the repository has scripts/columns.yaml"
        ))
    })?;
    let columns = Column::parse(&text)
        .map_err(|error| WrongInput(format!("--matrix: {shown}: {}", Plain(error))))?;
    for name in &args.columns {
        if !columns.iter().any(|column| column.name == *name) {
            let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
            return Err(WrongInput(format!(
                "--column: there is no {name:?} in {shown}; there are {}",
                names.join(", ")
            ))
            .into());
        }
    }
    if let Some(path) = &args.html {
        screen::can_be_written(path)?;
    }
    let stop = stop::on_signals()?;
    let mut matrix = Matrix::default();
    for mut column in columns {
        if !args.columns.is_empty() && !args.columns.contains(&column.name) {
            continue;
        }
        if stop.token().is_cancelled() {
            break;
        }
        stderr::say(format_args!("{}: starting", column.name));
        let document = match validate(args, &column, stop.token().clone()).await {
            Ok(document) => {
                stderr::say(format_args!(
                    "{}: {}",
                    column.name,
                    report::last_line(&document)
                ));
                Some(document)
            }
            // One that cannot be had does not keep the others from being run.
            Err(error) => {
                column.why_not = first_line(&format!("{error:#}"));
                stderr::say(format_args!(
                    "{}: not run: {}",
                    column.name,
                    Plain(&column.why_not)
                ));
                None
            }
        };
        matrix.columns.push((column, document));
    }
    screen::print_result(report::matrix_markdown(&matrix))?;
    if let Some(path) = &args.html {
        write(path, &report::matrix_html(&matrix))?;
    }
    if stop.token().is_cancelled() {
        return Ok(Outcome::Interrupted);
    }
    // A column that was asked for by name and could not be run is a failure of the environment.
    let missing: Vec<&str> = matrix
        .columns
        .iter()
        .filter(|(column, document)| document.is_none() && args.columns.contains(&column.name))
        .map(|(column, _)| column.name.as_str())
        .collect();
    anyhow::ensure!(missing.is_empty(), "not run: {}", missing.join(", "));
    let documents = matrix
        .columns
        .iter()
        .filter_map(|(_, document)| document.as_ref());
    let mut outcomes = documents.map(|document| outcome(document, args.strict));
    Ok(match outcomes.any(|outcome| outcome == Outcome::Failed) {
        true => Outcome::Failed,
        false => Outcome::Passed,
    })
}

async fn validate(
    args: &Args,
    column: &Column,
    stop: CancellationToken,
) -> anyhow::Result<Document> {
    let wrong = |what: String| WrongInput(format!("{}: {what}", column.name));
    let kind: Kind = column
        .backend
        .parse()
        .map_err(|error| wrong(format!("{error}")))?;
    let program = std::env::current_exe()?;
    let start = column
        .start
        .replace("{tracelab}", &program.to_string_lossy());
    let start = StartCommand::parse(&start).map_err(|error| wrong(error.to_string()))?;
    let (name, profile) = args.profile(column.profile.as_deref(), kind.profile())?;
    let over = column
        .over
        .iter()
        .map(|over| ProtocolArg::from_str(over, false).map(Protocol::from));
    let over: Vec<Protocol> = over.collect::<Result<_, _>>().map_err(wrong)?;
    let headers = column.headers.iter().map(|header| header.parse());
    let backend = BackendArgs {
        backend: Some(kind.clone()),
        url: column.url.clone(),
        otlp: Vec::new(),
        headers: headers
            .collect::<Result<_, _>>()
            .map_err(|error| wrong(format!("{error}")))?,
        ca: None,
    };
    let backend = tokio::select! {
        opened = backend.open(kind, Some(&start)) => opened?,
        () = stop.cancelled() => anyhow::bail!("stopped"),
    };
    args.validate(backend, name, profile, &over, stop).await
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}
