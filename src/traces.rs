//! Reads the traces that are arguments of a command: ids of a running lab, files, standard input.

use std::path::{Path, PathBuf};

use ::trace::{Trace, TraceId};
use formats::{Limits, Recorded, Recorder, Recording};
use plain::Plain;

use crate::{exit::WrongInput, lab::LabArgs, memory_arg::ReadingArg};

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

    #[command(flatten)]
    memory: ReadingArg,
}

// === impl TraceArgs ===

impl TraceArgs {
    /// Reads the trace of the lab, or all traces of the file, or the one that was named.
    pub(crate) async fn traces(&self) -> anyhow::Result<Traces> {
        match (&self.trace, &self.file) {
            (Some(name), None) => read(std::slice::from_ref(name), &self.lab, &self.memory).await,
            (None, Some(path)) => from_files(std::slice::from_ref(path), &self.memory),
            (Some(id), Some(path)) => {
                let mut traces = from_files(std::slice::from_ref(path), &self.memory)?;
                let is_it = |trace: &Recorded| id.parse() == Ok(trace.id);
                match traces.recording.traces().iter().position(is_it) {
                    Some(place) => {
                        traces.only = Some(place);
                        Ok(traces)
                    }
                    None => Err(WrongInput(format!(
                        "{}: no trace {} in it; it has {}",
                        Plain(path.display()),
                        Plain(id),
                        traces.ids()
                    ))
                    .into()),
                }
            }
            (None, None) => Reading::begin(&self.memory)?.end(),
        }
    }
}

/// Traces that were found, and are read one at a time.
#[derive(Debug)]
pub(crate) struct Traces {
    recording: Recording,
    /// The place of the only one that was named.
    only: Option<usize>,
    /// The bytes of memory for those that are read.
    room: usize,
    /// The bytes of memory for what is known of all.
    index: usize,
}

// === impl Traces ===

impl Traces {
    /// All of them, also where one was named.
    pub(crate) fn recording(&self) -> &Recording {
        &self.recording
    }

    /// The bytes of memory for traces that are read.
    pub(crate) fn room(&self) -> usize {
        self.room
    }

    fn found(&self) -> &[Recorded] {
        match self.only {
            Some(place) => std::slice::from_ref(&self.recording.traces()[place]),
            None => self.recording.traces(),
        }
    }

    /// Their number.
    pub(crate) fn len(&self) -> usize {
        self.found().len()
    }

    /// Reads them, the earliest first.
    pub(crate) fn each(&self) -> impl Iterator<Item = anyhow::Result<Trace>> + '_ {
        self.found().iter().map(|trace| self.read(trace))
    }

    fn read(&self, trace: &Recorded) -> anyhow::Result<Trace> {
        self.fits(trace)?;
        Ok(self.recording.trace(trace)?)
    }

    /// Whether each fits into memory alone.
    pub(crate) fn each_fits(&self) -> Result<(), WrongInput> {
        self.found().iter().try_for_each(|trace| self.fits(trace))
    }

    /// Refuses a trace that does not fit into memory.
    fn fits(&self, trace: &Recorded) -> Result<(), WrongInput> {
        if trace.memory <= self.room {
            return Ok(());
        }
        let would_do = ReadingArg::that_leaves(2 * trace.memory + self.index);
        Err(WrongInput(format!(
            "trace {} has {} spans, which take {} MiB when they are read; there are {} MiB for one trace; \
             --memory {would_do} would do",
            trace.id,
            trace.spans,
            trace.memory >> 20,
            self.room >> 20
        )))
    }

    /// Their ids for a message: the first ones, and the number of the others.
    pub(crate) fn ids(&self) -> String {
        const SHOWN: usize = 5;
        let shown = self.found().iter().take(SHOWN);
        let shown: Vec<String> = shown.map(|trace| trace.id.to_string()).collect();
        match self.len() {
            0 => "no trace".to_owned(),
            count if count > SHOWN => format!("{} and {} more", shown.join(", "), count - SHOWN),
            _ => shown.join(", "),
        }
    }
}

/// What is being read.
struct Reading {
    recorder: Recorder,
    memory: usize,
}

// === impl Reading ===

impl Reading {
    fn begin(memory: &ReadingArg) -> Result<Reading, WrongInput> {
        let memory = memory.bytes()?;
        Ok(Reading {
            recorder: Recorder::new(Limits {
                memory,
                ..Limits::default()
            }),
            memory,
        })
    }

    /// Reads a file; - is standard input.
    fn file(&mut self, path: &Path) -> anyhow::Result<()> {
        let is_standard_input = path.as_os_str() == "-";
        let name = match is_standard_input {
            true => "standard input".to_owned(),
            false => Plain(path.display()).to_string(),
        };
        let read = match is_standard_input {
            true => self.recorder.add(std::io::stdin().lock()),
            false => {
                let file = std::fs::File::open(path);
                let file =
                    file.map_err(|error| WrongInput(format!("{name} cannot be read: {error}")))?;
                self.recorder.add(file)
            }
        };
        let notes = read.map_err(|error| match error {
            formats::ReadError::Source(error) => {
                WrongInput(format!("{name} cannot be read: {error}"))
            }
            formats::ReadError::Record(error @ formats::RecordError::Full { .. }) => {
                WrongInput(format!("{name}: {error}; --memory gives more"))
            }
            error => WrongInput(format!("{name}: {}", Plain(error))),
        })?;
        for note in notes {
            stderr::say(format_args!("note: {name}: {}", Plain(note)));
        }
        Ok(())
    }

    fn end(self) -> anyhow::Result<Traces> {
        let recording = self.recorder.finish()?;
        // The decoded spans, and as much again for what is found out about them.
        let index = recording.index_bytes();
        Ok(Traces {
            recording,
            only: None,
            room: self.memory.saturating_sub(index) / 2,
            index,
        })
    }
}

/// Reads the traces that ids and files name. A trace that occurs in several files, such as a batch that
/// belongs to several requests, is read once.
pub(crate) async fn read(
    names: &[String],
    lab: &LabArgs,
    memory: &ReadingArg,
) -> anyhow::Result<Traces> {
    let mut reading = Reading::begin(memory)?;
    for name in names {
        match name.parse::<TraceId>() {
            Ok(id) if !Path::new(name).exists() => {
                reading.recorder.add_spans(&lab.spans(id).await?)?;
            }
            Err(_) if is_nearly_an_id(name) => {
                return Err(WrongInput(format!(
                    "{name} is no file, and no trace id: that has 32 hexadecimal digits"
                ))
                .into());
            }
            _ => reading.file(Path::new(name))?,
        }
    }
    let traces = reading.end()?;
    match traces.len() {
        0 => Err(WrongInput("there is no span in what was named".to_owned()).into()),
        _ => Ok(traces),
    }
}

/// Reads all traces of files; - is standard input.
pub(crate) fn from_files(paths: &[PathBuf], memory: &ReadingArg) -> anyhow::Result<Traces> {
    let mut reading = Reading::begin(memory)?;
    for path in paths {
        reading.file(path)?;
    }
    reading.end()
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
