//! [`run`]: a whole validation.

use std::{
    sync::Arc,
    time::{Instant, SystemTime},
};

use backends::{Profile, ReadError};
use thiserror::Error;
use tokio_util::sync::CancellationToken;

use crate::{
    context::{Context, Part, Progress, Settings},
    document::{Document, SCHEMA, Summary},
    fidelity, freshness, limits, load, metrics, restart, search,
    settle::Waiting,
};

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
    let mut started = settings.started.take();
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
        version: identity.version.clone(),
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
                let result = restart::run(&context, started.as_mut()).await;
                document.cases.push(result);
            }
        }
    }
    if let Some(started) = started {
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
