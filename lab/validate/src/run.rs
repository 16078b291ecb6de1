//! [`run`]: a whole validation.

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use backends::{Difference, Loss, Profile, Prometheus, ReadError, Reader, Verdict};
use thiserror::Error;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use crate::{
    document::{CaseResult, Document, SCHEMA, Summary},
    fidelity, freshness, limits, load, metrics, restart, search,
    send::Sender,
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

/// What happens meanwhile.
#[derive(Clone, Debug)]
pub enum Progress {
    /// What is done now, and how many of how many results there are.
    At {
        /// In words.
        what: &'static str,
        /// The results so far.
        done: usize,
        /// All.
        of: usize,
    },
}

/// Why there is no result.
#[derive(Debug, Error)]
pub enum RunError {
    /// The backend cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// No case has such a name.
    #[error("no case has {0:?} in its name; tracelab validate --list-cases prints them")]
    NoCase(String),
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

/// Validates a backend.
///
/// # Errors
///
/// [`RunError`]: the backend cannot be read at all. Everything else is a verdict.
pub async fn run(
    mut settings: Settings,
    progress: &(dyn Fn(Progress) + Send + Sync),
    stop: CancellationToken,
) -> Result<Document, RunError> {
    let began = Instant::now();
    for name in &settings.only {
        if !backends::cases().any(|case| case.name.contains(name.as_str())) {
            return Err(RunError::NoCase(name.clone()));
        }
    }
    let reader = Arc::clone(&settings.reader);
    let identity = reader.identify().await?;
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    let now_ns = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
    let started = Mutex::new(settings.started.take());
    let context = Context {
        settings: &settings,
        reader: &*reader,
        waiting: Waiting {
            patience: settings.patience,
            stop: stop.clone(),
        },
        now_ns,
        progress,
    };
    let mut document = Document {
        schema: SCHEMA,
        backend: reader.kind().to_owned(),
        identity: identity.to_string(),
        url: settings.url.clone(),
        otlp: settings.otlp.clone(),
        profile: settings
            .profile
            .as_ref()
            .map(|profile| in_words(&settings.profile_name, profile)),
        seed: settings.seed,
        began: jiff::Timestamp::now().to_string(),
        seconds: 0.0,
        complete: true,
        notes: notes(&settings, &identity),
        api_lacks: reader
            .representation()
            .says
            .iter()
            .map(ToString::to_string)
            .collect(),
        summary: Summary::default(),
        cases: Vec::new(),
        freshness: None,
        limits: Vec::new(),
    };
    for part in &settings.parts {
        if stop.is_cancelled() {
            break;
        }
        match part {
            Part::Fidelity => document.cases.extend(fidelity::run(&context).await),
            Part::Freshness => {
                let (result, freshness) = freshness::run(&context).await;
                document.cases.push(result);
                document.freshness = freshness;
            }
            Part::Load => document.cases.push(load::run(&context).await),
            Part::Search => document.cases.extend(search::run(&context).await),
            Part::Limits => {
                let (results, limits) = limits::run(&context).await;
                document.cases.extend(results);
                document.limits = limits;
            }
            Part::Metrics => {
                let prometheus = settings.prometheus.as_ref();
                document
                    .cases
                    .push(metrics::run(&context, prometheus).await);
            }
            Part::Restart => {
                let result = restart::run(&context, &mut *started.lock().await).await;
                document.cases.push(result);
            }
        }
    }
    if let Some(started) = started.into_inner() {
        started.stop().await;
    }
    document.complete = !stop.is_cancelled();
    document.summary = Summary::of(&document.cases);
    document.seconds = began.elapsed().as_secs_f64();
    Ok(document)
}

fn in_words(name: &str, profile: &Profile) -> String {
    let mut words = name.to_owned();
    for (what, value) in [
        ("storage", &profile.storage),
        ("version", &profile.version),
        ("measured", &profile.measured),
    ] {
        if !value.is_empty() {
            words += &format!(", {what} {value}");
        }
    }
    words
}

fn notes(settings: &Settings, identity: &backends::Identity) -> Vec<String> {
    let mut notes = Vec::new();
    match &settings.profile {
        None => notes.push(
            "no profile: each loss is a failure; --write-profile FILE writes one of what is seen now".to_owned(),
        ),
        Some(profile) => {
            if let (Some(is), measured) = (&identity.version, &profile.version)
                && !measured.is_empty()
                && is != measured
            {
                notes.push(format!(
                    "the profile was measured with version {measured}, and this is {is}: a regression or a fix may be \
                     one of that version"
                ));
            }
        }
    }
    notes
}

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

/// The names of the cases that are none of the fidelity suite.
pub fn other_cases() -> impl Iterator<Item = &'static str> {
    fidelity::shop_cases()
        .chain([
            freshness::CASE.name,
            load::CASE.name,
            metrics::CASE.name,
            restart::CASE.name,
        ])
        .chain(search::NAMES)
        .chain(limits::names())
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
        let mut losses: Vec<Loss> = differences
            .iter()
            .map(|difference| difference.loss)
            .collect();
        losses.sort();
        losses.dedup();
        CaseResult {
            case: case.name.to_owned(),
            group: case.group.to_owned(),
            why: case.why.to_owned(),
            over: case.over,
            verdict: judged.verdict,
            more_differences: differences.len().saturating_sub(MOST_DIFFERENCES),
            differences: differences.into_iter().take(MOST_DIFFERENCES).collect(),
            of_the_api: losses
                .iter()
                .copied()
                .filter(|loss| representation.lacks(loss))
                .collect(),
            new: judged.new,
            gone: judged.gone,
            losses,
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
        self.sender().protocol() != crate::send::Protocol::Json
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
    pub(crate) over: Option<crate::send::Protocol>,
}
