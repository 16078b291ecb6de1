//! Reads the traces that are arguments of a command: ids of a running lab, files, standard input.

use std::{
    collections::HashSet,
    io::Read,
    path::{Path, PathBuf},
};

use ::trace::{Span, SpanId, Trace, TraceId, tree};

use plain::Plain;

use crate::{exit::WrongInput, lab::LabArgs};

/// The source of a trace.
#[derive(Debug, clap::Args)]
pub(crate) struct TraceArgs {
    /// The id of a trace (32 hexadecimal digits) of a running lab, or of the file; or a trace file.
    #[arg(required_unless_present = "file", value_name = "TRACE")]
    trace: Option<String>,

    /// A trace file: OTLP (JSON or protobuf), Tempo's JSON, Jaeger's or Zipkin's, also packed; - is standard input.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,

    #[command(flatten)]
    lab: LabArgs,
}

// === impl TraceArgs ===

impl TraceArgs {
    /// Reads the trace of the lab, or all traces of the file, or the one that was named.
    pub(crate) async fn traces(&self) -> anyhow::Result<Vec<Trace>> {
        match (&self.trace, &self.file) {
            (Some(name), None) => read(std::slice::from_ref(name), &self.lab).await,
            (None, Some(path)) => Ok(tree::group(from_file(path)?)),
            (Some(id), Some(path)) => {
                let traces = tree::group(from_file(path)?);
                let ids = ids(&traces);
                let is_it = |trace: &Trace| id.parse() == Ok(trace.id());
                match traces.into_iter().find(is_it) {
                    Some(trace) => Ok(vec![trace]),
                    None => Err(WrongInput(format!(
                        "{}: no trace {} in it; it has {ids}",
                        Plain(path.display()),
                        Plain(id)
                    ))
                    .into()),
                }
            }
            (None, None) => Ok(Vec::new()),
        }
    }
}

/// The ids of traces for a message: the first ones, and the number of the others.
pub(crate) fn ids(traces: &[Trace]) -> String {
    const SHOWN: usize = 5;
    let shown = traces.iter().take(SHOWN);
    let shown: Vec<String> = shown.map(|trace| trace.id().to_string()).collect();
    match traces.len() {
        0 => "no trace".to_owned(),
        count if count > SHOWN => format!("{} and {} more", shown.join(", "), count - SHOWN),
        _ => shown.join(", "),
    }
}

/// Reads the traces that ids and files name. A trace that occurs in several files, such as a batch that
/// belongs to several requests, is read once.
pub(crate) async fn read(names: &[String], lab: &LabArgs) -> anyhow::Result<Vec<Trace>> {
    let mut spans: Vec<Span> = Vec::new();
    let mut read_before: HashSet<(TraceId, SpanId, u64, u64)> = HashSet::new();
    let identity = |span: &Span| (span.trace_id, span.span_id, span.start_ns, span.end_ns);
    for name in names {
        let mut read = match name.parse::<TraceId>() {
            Ok(id) if !Path::new(name).exists() => lab.spans(id).await?,
            Err(_) if is_nearly_an_id(name) => {
                return Err(WrongInput(format!(
                    "{name} is no file, and no trace id: that has 32 hexadecimal digits"
                ))
                .into());
            }
            _ => from_file(Path::new(name))?,
        };
        read.retain(|span| !read_before.contains(&identity(span)));
        read_before.extend(read.iter().map(identity));
        spans.extend(read);
    }
    let traces = tree::group(spans);
    match traces.is_empty() {
        true => Err(WrongInput("there is no span in what was named".to_owned()).into()),
        false => Ok(traces),
    }
}

/// Whether names are all ids of traces in a lab, and none a file.
pub(crate) fn are_ids(names: &[String]) -> bool {
    let is_id = |name: &String| name.parse::<TraceId>().is_ok() && !Path::new(name).exists();
    names.iter().all(is_id)
}

fn is_nearly_an_id(name: &str) -> bool {
    let hexadecimal = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    hexadecimal && !Path::new(name).exists()
}

/// Reads all spans of a trace file; - is standard input.
pub(crate) fn from_file(path: &Path) -> anyhow::Result<Vec<Span>> {
    let name = match path.as_os_str() == "-" {
        true => "standard input".to_owned(),
        false => Plain(path.display()).to_string(),
    };
    let mut bytes = Vec::new();
    let read = match path.as_os_str() == "-" {
        true => std::io::stdin().read_to_end(&mut bytes).map(drop),
        false => std::fs::read(path).map(|read| bytes = read),
    };
    read.map_err(|error| WrongInput(format!("{name} cannot be read: {error}")))?;
    let read =
        formats::read(&bytes).map_err(|error| WrongInput(format!("{name}: {}", Plain(error))))?;
    for note in &read.notes {
        stderr::say(format_args!("note: {name}: {}", Plain(note)));
    }
    Ok(read.spans)
}
