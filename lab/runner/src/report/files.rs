//! Writes the files that a run leaves in a folder: the report, and for each phase its ledger and its traces.
//!
//! ```text
//! DIR/report.json
//! DIR/report.md
//! DIR/SCENARIO/PHASE/ledger.jsonl
//! DIR/SCENARIO/PHASE/TRACE_ID.otlp.json     with the traces that have to do with it
//! ```

use std::{
    fs, io,
    io::Write,
    path::{Path, PathBuf},
};

use expect::Verdict;
use loadgen::Line;
use plain::Plain;
use thiserror::Error;
use trace::otlp;

use super::{Report, markdown};
use crate::{case::Case, outcome::Finished};

/// Which traces are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kept {
    /// The traces of failed requests.
    #[default]
    Failed,
    /// All judged traces.
    All,
}

/// Why the files cannot be written.
#[derive(Debug, Error)]
#[error("{}: cannot be written: {source}", Plain(path.display()))]
pub struct FilesError {
    /// The file or the folder.
    pub path: PathBuf,
    /// The error of the system.
    pub source: io::Error,
}

/// Writes the result of a run into a folder, which is created if it does not exist.
pub fn write_files(finished: &[Finished], folder: &Path, kept: Kept) -> Result<(), FilesError> {
    let report = serde_json::to_string_pretty(&Report::new(finished))
        .expect("a report is numbers and texts");
    make(folder)?;
    write(&folder.join("report.json"), &format!("{report}\n"))?;
    write(&folder.join("report.md"), &markdown(finished))?;
    for scenario in finished {
        for phase in &scenario.phases {
            let folder = folder
                .join(&scenario.scenario.name)
                .join(phase.report.phase.as_str());
            make(&folder)?;
            // The lines before this one were written while the load ran.
            let written = phase.written.unwrap_or(0);
            let lines = phase.cases[written..].iter().map(|case| &case.line);
            append_ledger(&folder, lines, phase.written.is_none())?;
            for case in phase.cases.iter().filter(|case| case.is_judged()) {
                if kept == Kept::All || case.verdict == Verdict::Fail {
                    write_trace(&folder, case)?;
                }
            }
        }
    }
    Ok(())
}

/// Writes the traces of a request into the folder of its phase, which is created if it does not exist.
///
/// # Errors
///
/// When the folder or the file cannot be written.
pub(crate) fn write_trace(folder: &Path, case: &Case) -> Result<(), FilesError> {
    let Some(trace) = &case.trace else {
        return Ok(());
    };
    make(folder)?;
    let traces = std::iter::once(&**trace).chain(&case.related);
    let spans = traces.flat_map(|trace| trace.spans());
    let path = folder.join(format!("{}.otlp.json", trace.id()));
    write(&path, &format!("{}\n", otlp::to_json(spans)))
}

/// Appends lines to the ledger in the folder of a phase, which is created if it does not exist. The first lines
/// replace a ledger of an earlier run.
///
/// # Errors
///
/// When the folder or the file cannot be written.
pub(crate) fn append_ledger<'l>(
    folder: &Path,
    lines: impl IntoIterator<Item = &'l Line>,
    is_first: bool,
) -> Result<(), FilesError> {
    make(folder)?;
    let mut ledger = Vec::new();
    for line in lines {
        serde_json::to_writer(&mut ledger, line).expect("a line is numbers and texts");
        ledger.push(b'\n');
    }
    let path = folder.join("ledger.jsonl");
    let failed = |source| FilesError {
        path: path.clone(),
        source,
    };
    let mut file = fs::OpenOptions::new()
        .create(true)
        .write(true)
        .append(!is_first)
        .truncate(is_first)
        .open(&path)
        .map_err(failed)?;
    file.write_all(&ledger).map_err(failed)
}

fn make(folder: &Path) -> Result<(), FilesError> {
    fs::create_dir_all(folder).map_err(|source| FilesError {
        path: folder.to_owned(),
        source,
    })
}

fn write(path: &Path, text: &str) -> Result<(), FilesError> {
    fs::write(path, text).map_err(|source| FilesError {
        path: path.to_owned(),
        source,
    })
}
