//! Reads the traces that are arguments of a command: ids of a running lab, files, standard input.

use std::{
    collections::HashSet,
    io::Read,
    path::{Path, PathBuf},
};

use ::trace::{Span, SpanId, Trace, TraceId, tree};

use crate::{exit::WrongInput, lab::LabArgs};

/// The source of a trace.
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

// === impl TraceArgs ===

impl TraceArgs {
    /// Reads the trace of the lab, or all traces of the file.
    pub(crate) async fn traces(&self) -> anyhow::Result<Vec<Trace>> {
        let spans = match (&self.id, &self.file) {
            (Some(id), _) => self.lab.spans(*id).await?,
            (None, Some(path)) => from_file(path)?,
            (None, None) => Vec::new(),
        };
        Ok(tree::group(spans))
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

fn is_nearly_an_id(name: &str) -> bool {
    let hexadecimal = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    hexadecimal && !Path::new(name).exists()
}

/// Reads all spans of a trace file; - is standard input.
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
    let read = formats::read(&bytes).map_err(|error| WrongInput(format!("{name}: {error}")))?;
    for note in &read.notes {
        eprintln!("note: {name}: {note}");
    }
    Ok(read.spans)
}
