//! [`Settings`], and the [`Context`] that the parts of a validation share.

use std::{sync::Arc, time::Duration};

use backends::{Difference, Loss, Profile, Prometheus, Reader, Verdict};

use crate::{
    document::CaseResult,
    send::{Protocol, Sender},
    settle::Waiting,
    started::Started,
};

/// A part of a validation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// The cases of the fidelity suite.
    Fidelity,
    /// From sending to readable.
    Freshness,
    /// Complete under load.
    Load,
    /// Searches.
    Search,
    /// The largest that comes back whole.
    Limits,
    /// Metrics that are made from spans.
    Metrics,
    /// What a kill -9 leaves.
    Restart,
}

/// How a backend is validated.
#[derive(Debug)]
pub struct Settings {
    /// How it is read.
    pub reader: Arc<dyn Reader>,
    /// Where it is read, for the report.
    pub url: String,
    /// A sender for each protocol.
    pub senders: Vec<Sender>,
    /// Where traces are sent, for the report.
    pub otlp: Vec<String>,
    /// What it is known to lose.
    pub profile: Option<Profile>,
    /// The name of the profile.
    pub profile_name: String,
    /// The parts that are run.
    pub parts: Vec<Part>,
    /// Only cases whose name has one of these in it; all without any.
    pub only: Vec<String>,
    /// The seed of the ids.
    pub seed: u64,
    /// The longest wait for a trace.
    pub patience: Duration,
    /// Traces a second of the load.
    pub rate: f64,
    /// How long the load takes.
    pub load: Duration,
    /// Where metrics that are made from spans are read; without it they are not tried.
    pub prometheus: Option<Prometheus>,
    /// The backend, if it was started here.
    pub started: Option<Started>,
}

/// How far it has come.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// What is done now, in words.
    pub what: &'static str,
    /// The results of it so far.
    pub done: usize,
    /// All its results.
    pub of: usize,
}

/// What the parts share.
pub(crate) struct Context<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) reader: &'a dyn Reader,
    pub(crate) waiting: Waiting,
    pub(crate) now_ns: u64,
    pub(crate) progress: &'a (dyn Fn(Progress) + Send + Sync),
}

/// The most differences of a case that a document has.
const MOST_DIFFERENCES: usize = 20;

// === impl Part ===

impl Part {
    /// All, in the order in which they are run.
    pub const ALL: [Part; 7] = [
        Part::Fidelity,
        Part::Freshness,
        Part::Load,
        Part::Search,
        Part::Limits,
        Part::Metrics,
        Part::Restart,
    ];
}

// === impl Context ===

impl Context<'_> {
    /// The known losses of a case.
    pub(crate) fn known(&self, case: &str, over: &str) -> Vec<Loss> {
        let profile = self.settings.profile.as_ref();
        profile
            .and_then(|profile| profile.of_case(case, over))
            .unwrap_or_default()
    }

    /// Judges what came back of a case.
    pub(crate) fn result(
        &self,
        case: CaseOf<'_>,
        differences: Vec<Difference>,
        seconds: f64,
    ) -> CaseResult {
        let empty = Profile::default();
        let profile = self.settings.profile.as_ref().unwrap_or(&empty);
        let over = case
            .over
            .map(|protocol| protocol.as_str())
            .unwrap_or_default();
        let judged = profile.judge(case.name, over, &differences);
        let representation = self.reader.representation();
        CaseResult {
            case: case.name.to_owned(),
            group: case.group.to_owned(),
            why: case.why.to_owned(),
            over: case.over,
            verdict: judged.verdict,
            more_differences: differences.len().saturating_sub(MOST_DIFFERENCES),
            differences: differences.into_iter().take(MOST_DIFFERENCES).collect(),
            of_the_api: judged
                .seen
                .iter()
                .copied()
                .filter(|loss| representation.lacks(loss))
                .collect(),
            new: judged.new,
            gone: judged.gone,
            losses: judged.seen,
            notes: Vec::new(),
            seconds,
        }
    }

    /// The result of a case that cannot be tried here.
    pub(crate) fn untried(&self, case: CaseOf<'_>, why: String) -> CaseResult {
        CaseResult {
            verdict: Verdict::Unsupported,
            gone: Vec::new(),
            notes: vec![why],
            ..self.result(case, Vec::new(), 0.0)
        }
    }

    /// Whether what [`sender`](Context::sender) sends are the bytes that a backend may keep.
    pub(crate) fn is_exact(&self) -> bool {
        self.sender().protocol() != Protocol::Json
    }

    /// A sender, of OTLP/gRPC if there is one.
    pub(crate) fn sender(&self) -> &Sender {
        &self.settings.senders[0]
    }
}

/// Which case it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CaseOf<'a> {
    pub(crate) name: &'a str,
    pub(crate) group: &'a str,
    pub(crate) why: &'a str,
    pub(crate) over: Option<Protocol>,
}
