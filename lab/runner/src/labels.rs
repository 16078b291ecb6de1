//! Reads the traces that a run left in a folder, with the known labels of what is wrong with each.
//!
//! ```text
//! DIR/SCENARIO/PHASE/*.otlp.json        a file a request, as `run --out DIR --traces all` leaves them
//! DIR/SCENARIO/PHASE.otlp.jsonl.zst     the same packed: a line a request
//! DIR/elsewhere/NAME.otlp.jsonl.zst     traces of other programs, a line a request; what is wrong with
//! DIR/elsewhere/labels.json             them: {"NAME": {"expected": [FINDING…], "allowed": [FINDING…]}}
//! ```

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use diagnose::evaluate::Labelled;
use plain::Plain;
use scenario::{FindingWant, Scenario};
use serde::Deserialize;
use thiserror::Error;
use trace::{Trace, tree};

use crate::phase::Phase;

/// Why a folder cannot be evaluated.
#[derive(Debug, Error)]
pub enum LabelsError {
    /// A file or folder cannot be read.
    #[error("{}: cannot be read: {source}", Plain(path.display()))]
    Unreadable {
        /// The file or folder.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// A file in the folder is not a trace file.
    #[error("{}: {}", Plain(path.display()), Plain(source))]
    NoTraces {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: formats::ReadError,
    },
    /// Not all spans of a file can be read: what is missing would count as not found.
    #[error("{}: {}", Plain(path.display()), Plain(note))]
    Incomplete {
        /// The file.
        path: PathBuf,
        /// What was left out of it.
        note: formats::Note,
    },
    /// The labels of traces from other programs cannot be used.
    #[error("{}: {}", Plain(path.display()), Plain(why))]
    Labels {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The folder has no traces that could be evaluated.
    #[error(
        "{}: no traces of scenarios in it; `tracelab run --all --out DIR --traces all` leaves some, in \
         DIR/SCENARIO/PHASE/*.otlp.json",
        Plain(.0.display())
    )]
    Nothing(PathBuf),
}

/// Requests that were made together, and other traces of the same system.
pub type Group = (Vec<Labelled>, Vec<Trace>);

/// The labels of traces from another program.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Label {
    expected: Vec<String>,
    #[serde(default)]
    allowed: Vec<String>,
}

/// Reads a folder of labelled traces: one group for each scenario and phase, and one for each file of other
/// programs. A folder whose name is not the name of a scenario is skipped.
pub fn labelled(folder: &Path) -> Result<Vec<Group>, LabelsError> {
    fs::read_dir(folder).map_err(unreadable(folder))?;
    let mut groups = Vec::new();
    for name in scenario::embedded::names() {
        let scenario =
            scenario::embedded(name).expect("the scenarios that come with tracelab can be read");
        groups.extend(of_scenario(&scenario, &folder.join(name))?);
    }
    groups.extend(from_elsewhere(&folder.join("elsewhere"))?);
    match groups.is_empty() {
        true => Err(LabelsError::Nothing(folder.to_owned())),
        false => Ok(groups),
    }
}

fn of_scenario(scenario: &Scenario, folder: &Path) -> Result<Vec<Group>, LabelsError> {
    let mut phases: Vec<Vec<Labelled>> = Vec::new();
    for phase in Phase::ALL {
        let mut requests = read_folder(&folder.join(phase.as_str()))?;
        requests.extend(read_packed(
            &folder.join(format!("{phase}.otlp.jsonl.zst")),
        )?);
        let label = label(scenario, phase);
        let origin = format!("{}/{phase}", scenario.name);
        phases.push(
            requests
                .into_iter()
                .map(|traces| label.of(&origin, traces))
                .collect(),
        );
    }
    let beside = |phase: usize| {
        let others = phases
            .iter()
            .enumerate()
            .filter(|(other, _)| *other != phase);
        let requests = others.flat_map(|(_, requests)| requests);
        requests
            .flat_map(|labelled| labelled.traces.iter().cloned())
            .collect()
    };
    let with_requests = phases
        .iter()
        .enumerate()
        .filter(|(_, requests)| !requests.is_empty());
    Ok(with_requests
        .map(|(phase, requests)| (requests.clone(), beside(phase)))
        .collect())
}

fn from_elsewhere(folder: &Path) -> Result<Vec<Group>, LabelsError> {
    let path = folder.join("labels.json");
    if !path.exists() {
        return Ok(Vec::new());
    }
    let text = fs::read_to_string(&path).map_err(unreadable(&path))?;
    let wrong = |why: String| LabelsError::Labels {
        path: path.clone(),
        why,
    };
    let labels: BTreeMap<String, Label> =
        serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
    let mut groups = Vec::new();
    for (name, label) in labels {
        let mut named = label.expected.iter().chain(&label.allowed);
        if let Some(unknown) = named.find(|name| diagnose::rule(name).is_none()) {
            return Err(wrong(format!("{name}: there is no finding {unknown:?}")));
        }
        let requests = read_packed(&folder.join(format!("{name}.otlp.jsonl.zst")))?;
        if requests.is_empty() {
            return Err(wrong(format!(
                "{name}.otlp.jsonl.zst is not there, or is empty"
            )));
        }
        let origin = format!("elsewhere/{name}");
        let group = requests
            .into_iter()
            .map(|traces| label.of(&origin, traces))
            .collect();
        groups.push((group, Vec::new()));
    }
    Ok(groups)
}

/// The label that a scenario gives to one of its phases.
fn label(scenario: &Scenario, phase: Phase) -> Label {
    let of =
        |variant: Option<&scenario::Variant>| variant.and_then(|variant| variant.findings.clone());
    let wants = match phase {
        Phase::Faulty => scenario.findings.clone(),
        Phase::Twin => of(scenario.twin.as_ref()),
        Phase::NearMiss => of(scenario.near_miss.as_ref()),
    };
    let wants = wants.unwrap_or_default();
    let named = |on_each: bool| {
        // A recording does not say what its lab offered.
        let is_on_each = |want: &FindingWant| want.share.is_none() && want.needs.is_empty();
        let chosen = wants.iter().filter(|want| is_on_each(want) == on_each);
        chosen
            .map(|want: &FindingWant| want.rule.name.to_owned())
            .collect()
    };
    Label {
        expected: named(true),
        allowed: named(false),
    }
}

/// The traces of each request of a folder: one file for each request.
fn read_folder(folder: &Path) -> Result<Vec<Vec<Trace>>, LabelsError> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut files: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable(folder))? {
        let path = entry.map_err(unreadable(folder))?.path();
        if path.to_string_lossy().ends_with(".otlp.json") {
            files.push(path);
        }
    }
    files.sort();
    let read = |path: &PathBuf| traces(path, &fs::read(path).map_err(unreadable(path))?);
    files.iter().map(read).collect()
}

/// The traces of each request of a packed file: one line for each request. Empty if the file does not exist.
fn read_packed(path: &Path) -> Result<Vec<Vec<Trace>>, LabelsError> {
    if !path.exists() {
        return Ok(Vec::new());
    }
    let packed = fs::read(path).map_err(unreadable(path))?;
    let lines = zstd::decode_all(packed.as_slice()).map_err(unreadable(path))?;
    let lines = lines
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty());
    lines.map(|line| traces(path, line)).collect()
}

fn traces(path: &Path, bytes: &[u8]) -> Result<Vec<Trace>, LabelsError> {
    let read = formats::read(bytes).map_err(|source| LabelsError::NoTraces {
        path: path.to_owned(),
        source,
    })?;
    match read.notes.into_iter().find(formats::Note::is_loss) {
        Some(note) => Err(LabelsError::Incomplete {
            path: path.to_owned(),
            note,
        }),
        None => Ok(tree::group(read.spans)),
    }
}

fn unreadable(path: &Path) -> impl FnOnce(io::Error) -> LabelsError {
    let path = path.to_owned();
    move |source| LabelsError::Unreadable { path, source }
}

// === impl Label ===

impl Label {
    fn of(&self, origin: &str, traces: Vec<Trace>) -> Labelled {
        Labelled {
            origin: origin.to_owned(),
            traces,
            expected: self.expected.clone(),
            allowed: self.allowed.clone(),
        }
    }
}
