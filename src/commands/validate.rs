//! `tracelab validate`: does a tracing backend give back what it was given?

mod args;
mod matrix;

use std::{path::PathBuf, sync::Arc, time::Duration};

use ::validate::{Document, Part, Progress, Protocol, RunError, Settings, StartCommand, report};
use anyhow::Context;
use backends::{Kind, Profile, Prometheus, Verdict, cases};
use plain::Plain;
use schedule::parse_duration;

use self::args::{PartArg, ProtocolArg, ValidateFormat};
use crate::{
    backend_args::{Backend, BackendArgs},
    exit::{Outcome, WrongInput},
    screen, stop,
};

/// Validate a tracing backend: send known traces, read them back, and say what survived.
///
/// Each case is a small trace with one feature of OTLP. It is sent over each protocol and read back through the backend's
/// own API. The verdict follows from a profile, which is what the backend is known to lose: pass; unsupported (the profile
/// has the loss); fail (no profile speaks of it); regression (the profile promises it); fixed (the profile has a loss that
/// is gone). The exit code is 1 for a failure or a regression, with --strict also for what is fixed.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tracelab validate --backend jaeger --url http://127.0.0.1:16686
  tracelab validate --backend sink --start 'tracelab sink --grpc {grpc} --http {http} --page {read}'
  tracelab validate --backend zipkin --url http://zipkin:9411 --otlp grpc://collector:4317
  tracelab validate --backend tempo --url http://tempo:3200 --header 'X-Scope-OrgID: team' --profile tempo.yaml
  tracelab validate --backend jaeger --write-profile ours.yaml
  tracelab validate --matrix --column sink --column jaeger --html matrix.html")]
pub(crate) struct Args {
    #[command(flatten)]
    backend: BackendArgs,

    /// Start the backend with this command, and end it. {grpc}, {http} and {read} stand for the addresses where it is to
    /// listen, {dir} for a folder; the variables BACKEND_OTLP_GRPC, BACKEND_OTLP_HTTP, BACKEND_READ and BACKEND_DIR say
    /// the same. Only then it is killed and started again, to see what is left.
    #[arg(long, value_name = "COMMAND", requires = "backend")]
    start: Option<String>,

    /// What the backend is known to lose: the name of a profile that comes with tracelab, a file, or none. By default the
    /// one of the kind.
    #[arg(long, value_name = "NAME|FILE", conflicts_with = "matrix")]
    profile: Option<String>,

    /// Write what is lost now into this file, as a profile. What a profile that is there says by hand is kept.
    #[arg(long, value_name = "FILE", conflicts_with = "matrix")]
    write_profile: Option<PathBuf>,

    /// Fail if a loss of the profile is gone.
    #[arg(long)]
    strict: bool,

    /// Only these parts; may be given more than once.
    #[arg(long = "part", value_enum, value_name = "PART")]
    parts: Vec<PartArg>,

    /// Only cases with this in their name; may be given more than once.
    #[arg(long = "case", value_name = "NAME")]
    cases: Vec<String>,

    /// Only these protocols; all that the backend takes without it.
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        value_name = "LIST",
        conflicts_with = "matrix"
    )]
    over: Vec<ProtocolArg>,

    /// The longest wait for a trace, such as 30s.
    #[arg(long, value_name = "TIME", default_value = "15s", value_parser = parse_duration)]
    patience: Duration,

    /// Where metrics are read that a Collector or the backend makes from spans: the address of a Prometheus.
    #[arg(long, value_name = "URL", conflicts_with = "matrix")]
    prometheus: Option<reqwest::Url>,

    /// Traces a second of the part load.
    #[arg(long, value_name = "N", default_value_t = 100.0, value_parser = rate)]
    rate: f64,

    /// How long the part load takes.
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = parse_duration)]
    load: Duration,

    /// The seed of the ids. Each run has another one by default: a backend may have the traces of the last run.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,

    /// Print the cases, and why each is sent.
    #[arg(long, conflicts_with_all = ["backend", "matrix"])]
    list_cases: bool,

    /// Validate the systems of this file, one after the other, and print a table of cases and systems.
    #[arg(
        long,
        value_name = "FILE",
        num_args = 0..=1,
        default_missing_value = "scripts/columns.yaml",
        conflicts_with = "backend"
    )]
    matrix: Option<PathBuf>,

    /// Only these systems of the matrix; may be given more than once.
    #[arg(long = "column", value_name = "NAME", requires = "matrix")]
    columns: Vec<String>,

    /// Write the matrix as one HTML file.
    #[arg(long, value_name = "FILE", requires = "matrix")]
    html: Option<PathBuf>,

    /// Write the result as JUnit XML into this file, too.
    #[arg(long, value_name = "FILE", conflicts_with = "matrix")]
    junit: Option<PathBuf>,

    /// The format of the result.
    #[arg(long, value_enum, default_value_t, conflicts_with = "matrix")]
    format: ValidateFormat,

    /// Set by GitHub Actions: then failures are annotations, too.
    #[arg(long, env = "GITHUB_ACTIONS", hide = true)]
    github_actions: Option<String>,

    /// Set by GitHub Actions: then the result is in the summary of the step, too.
    #[arg(long, env = "GITHUB_STEP_SUMMARY", hide = true)]
    step_summary: Option<PathBuf>,
}

pub(crate) async fn main(args: Args) -> anyhow::Result<Outcome> {
    if args.list_cases {
        return list();
    }
    if let Some(file) = &args.matrix {
        return matrix::main(&args, file).await;
    }
    let Some(kind) = args.backend.backend.clone() else {
        return Err(WrongInput(format!(
            "--backend names the kind of backend: {}, or 'command:PROGRAM …'",
            Kind::NAMES.join(", ")
        ))
        .into());
    };
    let start = args.start.as_deref().map(StartCommand::parse).transpose();
    let start = start.map_err(|error| WrongInput(format!("--start: {error}")))?;
    let (profile_name, profile) = args.profile(args.profile.as_deref(), kind.profile())?;
    args.profile_before()?;
    for path in args.junit.iter().chain(&args.write_profile) {
        screen::can_be_written(path)?;
    }
    let stop = stop::on_signals()?;
    let backend = tokio::select! {
        opened = args.backend.open(kind, start.as_ref()) => opened?,
        () = stop.token().cancelled() => return Ok(Outcome::Interrupted),
    };
    let over: Vec<Protocol> = args.over.iter().map(|over| Protocol::from(*over)).collect();
    let document = args
        .validate(backend, profile_name, profile, &over, stop.token().clone())
        .await?;
    args.finish(&document)
}

impl Args {
    /// The profile of this name or file, or the default.
    fn profile(
        &self,
        named: Option<&str>,
        default: &str,
    ) -> anyhow::Result<(String, Option<Profile>)> {
        match named {
            Some("none") => Ok((String::new(), None)),
            None => Ok((default.to_owned(), Profile::shipped(default))),
            Some(name) => {
                if let Some(profile) = Profile::shipped(name) {
                    return Ok((name.to_owned(), Some(profile)));
                }
                let shown = Plain(name).to_string();
                let text = std::fs::read_to_string(name).map_err(|error| {
                    WrongInput(format!(
                        "--profile: {shown} is no file that can be read ({error}), and no profile of tracelab: {}",
                        Profile::names().collect::<Vec<_>>().join(", ")
                    ))
                })?;
                let profile = Profile::parse(&shown, &text, &all_cases());
                let profile =
                    profile.map_err(|error| WrongInput(format!("--profile: {}", Plain(error))))?;
                Ok((shown, Some(profile)))
            }
        }
    }

    async fn validate(
        &self,
        mut backend: Backend,
        profile_name: String,
        profile: Option<Profile>,
        over: &[Protocol],
        stop: tokio_util::sync::CancellationToken,
    ) -> anyhow::Result<Document> {
        let parts = match self.parts.is_empty() {
            false => self.parts.iter().map(|part| Part::from(*part)).collect(),
            // The names of cases are those of the suite.
            true if !self.cases.is_empty() => vec![Part::Fidelity],
            true => {
                let tried = |part: &Part| *part != Part::Metrics || self.prometheus.is_some();
                Part::ALL.into_iter().filter(tried).collect()
            }
        };
        let prometheus = match &self.prometheus {
            None => None,
            Some(url) => {
                let prometheus = Prometheus::new(url.clone(), &backend.access);
                let prometheus = prometheus.map_err(|error| WrongInput(error.to_string()))?;
                prometheus.check().await?;
                Some(prometheus)
            }
        };
        let settings = Settings {
            prometheus,
            senders: backend.senders(over)?,
            reader: Arc::clone(&backend.reader),
            url: backend.url.clone(),
            otlp: backend.targets.iter().map(ToString::to_string).collect(),
            profile,
            profile_name,
            parts,
            only: self.cases.clone(),
            seed: self.seed.unwrap_or_else(new_seed),
            patience: self.patience,
            rate: self.rate,
            load: self.load,
            started: backend.started.take(),
        };
        let bar = screen::progress_bar("{msg:<14} {wide_bar} {pos}/{len}");
        let shown = bar.clone();
        let progress = move |progress: Progress| {
            let Progress { what, done, of } = progress;
            shown.set_message(what);
            shown.set_length(of as u64);
            shown.set_position(done as u64);
        };
        let result = ::validate::run(settings, &progress, stop).await;
        bar.finish_and_clear();
        result.map_err(|error| match error {
            RunError::NoCase(_) => WrongInput(format!("--case: {error}")).into(),
            error => error.into(),
        })
    }

    fn finish(&self, document: &Document) -> anyhow::Result<Outcome> {
        if report::is_github(self.github_actions.as_deref()) {
            stderr::write(report::annotations(document).into_bytes());
            if let Some(file) = &self.step_summary {
                report::step_summary(document, file)
                    .context("the summary of the step cannot be written")?;
            }
        }
        screen::print_result(match self.format {
            ValidateFormat::Text => report::text(document, screen::style().colour),
            ValidateFormat::Json => serde_json::to_string(document)? + "\n",
            ValidateFormat::Junit => report::junit(document),
            ValidateFormat::Markdown => report::markdown(document),
        })?;
        // The result is printed, whatever happens to the files.
        if let Some(path) = &self.junit {
            write(path, &report::junit(document))?;
        }
        if !document.complete {
            return Ok(Outcome::Interrupted);
        }
        if let Some(path) = &self.write_profile {
            self.write_profile(document, path)?;
            return Ok(Outcome::Passed);
        }
        Ok(outcome(document, self.strict))
    }

    /// The profile that `--write-profile` replaces; `None` if there is none.
    fn profile_before(&self) -> anyhow::Result<Option<Profile>> {
        let Some(path) = self.write_profile.as_ref().filter(|path| path.exists()) else {
            return Ok(None);
        };
        let name = Plain(path.display()).to_string();
        let wrong = |why: String| {
            WrongInput(format!(
                "--write-profile: {name} is there and is no profile, whose words could be kept: {why}; name another file"
            ))
        };
        let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
        let before = Profile::parse(&name, &text, &[]);
        Ok(Some(
            before.map_err(|error| wrong(Plain(error).to_string()))?,
        ))
    }

    /// Writes what was lost as a profile.
    fn write_profile(&self, document: &Document, path: &std::path::Path) -> anyhow::Result<()> {
        let before = self.profile_before()?;
        let mut results = std::collections::BTreeMap::<String, Vec<_>>::new();
        for case in &document.cases {
            // What was not tried is no promise, and no loss.
            if case.losses.is_empty() && case.verdict == Verdict::Unsupported {
                continue;
            }
            let over = case
                .over
                .map(|over| over.as_str().to_owned())
                .unwrap_or_default();
            results
                .entry(case.case.clone())
                .or_default()
                .push((over, case.losses.clone()));
        }
        let head = Profile {
            backend: document.backend.clone(),
            // An API that does not say it: what was written by hand stays.
            version: document
                .version
                .clone()
                .or_else(|| before.as_ref().map(|before| before.version.clone()))
                .unwrap_or_default(),
            measured: jiff::Zoned::now().date().to_string(),
            storage: before
                .as_ref()
                .map(|before| before.storage.clone())
                .unwrap_or_default(),
            about: before
                .as_ref()
                .map(|before| before.about.clone())
                .unwrap_or_default(),
            ..Profile::default()
        };
        let profile = head.measured(&results, before.as_ref());
        write(path, &profile.to_yaml())?;
        let (kept, lost) = (profile.keeps.len(), profile.losses.len());
        stderr::say(format_args!(
            "wrote {}: {kept} cases are kept, {lost} are not",
            Plain(path.display())
        ));
        Ok(())
    }
}

fn outcome(document: &Document, strict: bool) -> Outcome {
    let is_fixed = document.cases.iter().any(|case| !case.gone.is_empty());
    match document.worst() {
        Verdict::Fail | Verdict::Regression => Outcome::Failed,
        _ if strict && is_fixed => Outcome::Failed,
        _ => Outcome::Passed,
    }
}

fn list() -> anyhow::Result<Outcome> {
    let lines: String = cases()
        .map(|case| {
            format!(
                "{:<9} {:<34} {}\n",
                case.group.as_str(),
                case.name,
                case.why
            )
        })
        .collect();
    screen::print_result(lines)?;
    Ok(Outcome::Passed)
}

/// The names that a profile may use.
fn all_cases() -> Vec<&'static str> {
    cases()
        .map(|case| case.name)
        .chain(::validate::other_cases())
        .collect()
}

fn new_seed() -> u64 {
    // What no run has used before on this machine.
    let now = jiff::Timestamp::now().as_microsecond();
    u64::try_from(now).unwrap_or(1) % 1_000_000_007
}

fn write(path: &std::path::Path, text: &str) -> anyhow::Result<()> {
    std::fs::write(path, text)
        .with_context(|| format!("{} cannot be written", Plain(path.display())))
}

fn rate(text: &str) -> Result<f64, WrongInput> {
    match text.parse::<f64>() {
        Ok(rate) if rate > 0.0 && rate <= 10_000.0 => Ok(rate),
        _ => Err(WrongInput(
            "a number of traces a second is from above 0 to 10000".to_owned(),
        )),
    }
}
