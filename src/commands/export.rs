//! `tracelab export TRACE…`: writes traces as OTLP.

use std::{
    fs::File,
    io::{self, Write},
    path::{Path, PathBuf},
};

use ::trace::{Fidelity, Trace, otlp};
use anyhow::Context;
use plain::Plain;
use tempfile::NamedTempFile;

use crate::{exit::Outcome, lab::LabArgs, memory_arg::ReadingArg, screen, traces};

/// Write traces as OTLP, which every command reads, and any OTLP backend.
///
/// A TRACE is the id of a trace of a running lab, or a file (OTLP as JSON or protobuf, Tempo's JSON, Jaeger's or
/// Zipkin's, also packed; - is standard input). Each trace is one line of OTLP/JSON, as the Collector's file
/// exporter writes it.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tracelab export 4bf92f3577b34da6a3ce929d0e0e4736 --out order.otlp.json
  tracelab export jaeger.json tempo.json > traces.otlp.jsonl
  tracelab export zipkin.json --format proto --out traces.pb")]
pub(crate) struct Args {
    /// Ids of traces, and files of traces.
    #[arg(required = true, value_name = "TRACE")]
    traces: Vec<String>,

    /// The file to write, in place of standard output. A file of that name is replaced.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    /// The encoding of OTLP.
    #[arg(long, value_enum, default_value_t)]
    format: Encoding,

    #[command(flatten)]
    lab: LabArgs,

    #[command(flatten)]
    memory: ReadingArg,
}

/// An encoding of OTLP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum Encoding {
    /// OTLP/JSON, a line for each trace.
    #[default]
    Json,
    /// One protobuf message of all traces, as an exporter sends it.
    Proto,
}

pub(crate) async fn main(args: Args) -> anyhow::Result<Outcome> {
    let traces = traces::read(&args.traces, &args.lab, &args.memory).await?;
    traces.each_fits()?;
    let (mut written, mut as_text) = (0, 0);
    let name = match &args.out {
        Some(path) => Plain(path.display()).to_string(),
        None => "standard output".to_owned(),
    };
    let mut out =
        Out::open(args.out.as_deref()).with_context(|| format!("{name} cannot be written"))?;
    for trace in traces.each() {
        let trace = trace?;
        let done = match args.format {
            Encoding::Json => line(&trace, &mut out),
            // Messages of protobuf one behind the other are one message.
            Encoding::Proto => trace
                .spans()
                .chunks(AT_ONCE)
                .try_for_each(|spans| out.write_all(&otlp::to_protobuf(spans))),
        };
        match done {
            // The reader wants no more.
            Err(error) if args.out.is_none() && error.kind() == io::ErrorKind::BrokenPipe => {
                return Ok(Outcome::Passed);
            }
            done => done.with_context(|| format!("{name} cannot be written"))?,
        }
        written += 1;
        as_text += usize::from(is_text(&trace));
    }
    let flushed = out.end();
    let flushed = match &args.out {
        Some(_) => flushed,
        None => screen::unless_gone(flushed),
    };
    flushed.with_context(|| format!("{name} cannot be written"))?;
    if as_text > 0 {
        eprintln!(
            "note: the source has lower-case names and every value as text; so has what is written of {as_text} \
             of {written} traces"
        );
    }
    Ok(Outcome::Passed)
}

/// Where traces are written.
enum Out {
    Standard(io::StdoutLock<'static>),
    /// What is written where it is, such as a pipe.
    InPlace(File),
    /// A new file beside the one that it becomes at the end: until then that stays as it is.
    Beside(NamedTempFile, PathBuf),
}

// === impl Out ===

impl Out {
    fn open(path: Option<&Path>) -> io::Result<Out> {
        let Some(path) = path else {
            return Ok(Out::Standard(io::stdout().lock()));
        };
        // A link stays one: what it leads to is replaced.
        let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let there = std::fs::metadata(&path);
        if there.as_ref().is_ok_and(|there| !there.is_file()) {
            return File::options().write(true).open(&path).map(Out::InPlace);
        }
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        // As a file that is made by any other program, and not for its owner alone.
        let all = std::os::unix::fs::PermissionsExt::from_mode(0o666);
        let beside = tempfile::Builder::new()
            .permissions(all)
            .tempfile_in(folder);
        let Ok(file) = beside else {
            // A folder where no other file may be made.
            return File::create(&path).map(Out::InPlace);
        };
        if let Ok(there) = there {
            // What may not be written is not replaced, and what is replaced keeps who may read it.
            File::options().write(true).open(&path)?;
            file.as_file().set_permissions(there.permissions())?;
        }
        Ok(Out::Beside(file, path))
    }

    /// Writes what is left, and gives the file its name.
    fn end(self) -> io::Result<()> {
        match self {
            Out::Standard(mut out) => out.flush(),
            Out::InPlace(mut out) => out.flush(),
            Out::Beside(mut file, path) => {
                file.flush()?;
                file.persist(path).map(drop).map_err(|error| error.error)
            }
        }
    }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Out::Standard(out) => out.write(bytes),
            Out::InPlace(out) => out.write(bytes),
            Out::Beside(out, _) => out.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Out::Standard(out) => out.flush(),
            Out::InPlace(out) => out.flush(),
            Out::Beside(out, _) => out.flush(),
        }
    }
}

/// The number of spans that are encoded at once.
const AT_ONCE: usize = 10_000;

/// Writes a trace as a line of OTLP/JSON.
pub(crate) fn line(trace: &Trace, to: &mut dyn Write) -> io::Result<()> {
    otlp::write_json(trace.spans(), to)?;
    to.write_all(b"\n")
}

fn is_text(trace: &Trace) -> bool {
    let mut spans = trace.spans().iter();
    spans.any(|span| span.fidelity == Fidelity::Text)
}
