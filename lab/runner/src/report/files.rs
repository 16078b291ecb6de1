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
            write_ledger(&folder.join("ledger.jsonl"), &phase.cases)?;
            for case in phase.cases.iter().filter(|case| case.is_judged()) {
                if kept == Kept::All || case.verdict == Verdict::Fail {
                    write_trace(&folder, case)?;
                }
            }
        }
    }
    Ok(())
}

fn write_trace(folder: &Path, case: &Case) -> Result<(), FilesError> {
    let Some(trace) = &case.trace else {
        return Ok(());
    };
    let traces = std::iter::once(&**trace).chain(&case.related);
    let spans = traces.flat_map(|trace| trace.spans());
    let path = folder.join(format!("{}.otlp.json", trace.id()));
    write(&path, &format!("{}\n", otlp::to_json(spans)))
}

fn write_ledger(path: &Path, cases: &[Case]) -> Result<(), FilesError> {
    let mut ledger = Vec::new();
    for case in cases {
        serde_json::to_writer(&mut ledger, &case.line).expect("a line is numbers and texts");
        ledger.push(b'\n');
    }
    let failed = |source| FilesError {
        path: path.to_owned(),
        source,
    };
    let mut file = fs::File::create(path).map_err(failed)?;
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
