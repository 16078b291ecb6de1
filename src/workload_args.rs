//! [`WorkloadArgs`]: what is sent, and how, in the commands that send spans.

use std::{collections::BTreeSet, num::NonZeroUsize, path::Path, time::Duration};

use ::trace::TraceId;
use anyhow::{Context, bail};
use firehose::{Packing, Run, SHAPES, Shape, Spread, Workload};
use plain::Plain;
use schedule::parse_duration;

use crate::{arguments::at_least_one, exit::WrongInput};

/// What is sent, and how.
#[derive(Debug, clap::Args)]
pub(crate) struct WorkloadArgs {
    /// The traces: a shape, or shapes with weights, such as order:8,wide:1. A shape is one of typical, small, order, wide,
    /// deep, heavy and n-plus-one, or a file with one trace, such as `tracelab bench record` writes.
    #[arg(
        long,
        value_name = "SHAPE[:WEIGHT]",
        value_delimiter = ',',
        default_value = "typical",
        help_heading = "Workload"
    )]
    shape: Vec<String>,

    /// How many spans a request has; with several numbers the first request has the first one, and so on. A trace may go
    /// on in the next request.
    #[arg(long, value_name = "N", value_delimiter = ',', default_value = "512",
        value_parser = at_least_one, help_heading = "Workload")]
    spans_per_request: Vec<NonZeroUsize>,

    /// In how many pieces a trace is sent, in as many requests.
    #[arg(long, value_name = "N", default_value = "1", value_parser = at_least_one, help_heading = "Workload")]
    pieces: NonZeroUsize,

    /// How many requests a piece comes after the one before it.
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = "Workload")]
    lateness: usize,

    /// The share of requests that are sent twice, such as 1% or 0.01.
    #[arg(long, value_name = "SHARE", default_value = "0", value_parser = share, help_heading = "Workload")]
    duplicates: f64,

    /// The share of traces with an error.
    #[arg(long, value_name = "SHARE", default_value = "0", value_parser = share, help_heading = "Workload")]
    errors: f64,

    /// The share of slow traces.
    #[arg(long, value_name = "SHARE", default_value = "0", value_parser = share, help_heading = "Workload")]
    slow: f64,

    /// How long a slow trace takes at least.
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = parse_duration, help_heading = "Workload")]
    slow_from: Duration,

    /// Chooses which traces and requests are special, and the order of the shapes.
    #[arg(long, value_name = "N", default_value_t = 1, help_heading = "Workload")]
    seed: u64,

    /// How the bodies of requests are compressed: none, gzip or zstd.
    #[arg(long, value_name = "NAME", default_value_t = Packing::None, help_heading = "Workload")]
    compression: Packing,

    /// How many connections are open.
    #[arg(long, value_name = "N", default_value = "4", value_parser = at_least_one, help_heading = "Workload")]
    connections: NonZeroUsize,

    /// How many requests each connection has in flight at most. HTTP/1.1 has one a connection, and so many connections.
    #[arg(long, value_name = "N", default_value = "8", value_parser = at_least_one, help_heading = "Workload")]
    in_flight: NonZeroUsize,

    /// How requests are spread over the time, at a rate.
    #[arg(long, value_enum, default_value_t, help_heading = "Workload")]
    arrivals: ArrivalsArg,

    /// Do not send refused requests again.
    #[arg(long, help_heading = "Workload")]
    no_retries: bool,
}

/// How requests are spread over the time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum ArrivalsArg {
    /// Equal times between requests.
    #[default]
    Constant,
    /// Random times between requests, as with independent clients.
    Poisson,
}

// === impl WorkloadArgs ===

impl WorkloadArgs {
    /// The workload, with this number of spans.
    pub(crate) fn workload(&self, spans: u64) -> anyhow::Result<Workload> {
        let shapes: anyhow::Result<Vec<Shape>> =
            self.shape.iter().map(|text| shape_of(text)).collect();
        Ok(Workload {
            run: Run::any().number(),
            seed: self.seed,
            shapes: shapes?,
            spans_per_request: self.spans_per_request.iter().map(|n| n.get()).collect(),
            pieces: self.pieces.get(),
            lateness: self.lateness,
            duplicates: self.duplicates,
            errors: self.errors,
            slow: self.slow,
            slow_ms: u64::try_from(self.slow_from.as_millis()).unwrap_or(u64::MAX),
            spans,
        })
    }

    pub(crate) fn packing(&self) -> Packing {
        self.compression
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.get()
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.get()
    }

    pub(crate) fn retries(&self) -> bool {
        !self.no_retries
    }

    pub(crate) fn spread(&self) -> Spread {
        match self.arrivals {
            ArrivalsArg::Constant => Spread::Even,
            ArrivalsArg::Poisson => Spread::Poisson,
        }
    }
}

/// Reads `NAME` or `NAME:WEIGHT`, where the name is a built-in shape or a file.
fn shape_of(text: &str) -> anyhow::Result<Shape> {
    let (name, weight) = match text.rsplit_once(':') {
        Some((name, weight)) if weight.chars().all(|c| c.is_ascii_digit()) => {
            let weight = weight.parse().map_err(|_| {
                WrongInput(format!(
                    "--shape: {:?} is no weight, which is a number from 1 on",
                    Plain(weight).to_string()
                ))
            })?;
            (name, weight)
        }
        _ => (text, 1),
    };
    let shape = match Shape::built_in(name) {
        Some(shape) => shape,
        None => recorded(name)?,
    };
    Ok(Shape { weight, ..shape })
}

/// Reads a file with one trace.
fn recorded(file: &str) -> anyhow::Result<Shape> {
    let name = Plain(file).to_string();
    let bytes = std::fs::read(file).map_err(|error| {
        let known = SHAPES.map(|(name, _)| name).join(", ");
        WrongInput(format!(
            "--shape: {name} is none of the shapes {known}, nor a file that can be read: {error}"
        ))
    })?;
    let read =
        formats::read(&bytes).map_err(|error| WrongInput(format!("--shape: {name}: {error}")))?;
    let ids: BTreeSet<TraceId> = read.spans.iter().map(|span| span.trace_id).collect();
    if ids.len() != 1 {
        bail!(WrongInput(format!(
            "--shape: {name} has {} traces, and a shape is one trace; `tracelab bench record` writes one",
            ids.len()
        )));
    }
    let stem = Path::new(file).file_stem().unwrap_or_default();
    Ok(Shape {
        name: stem.to_string_lossy().into_owned(),
        weight: 1,
        spans: read.spans,
    })
}

/// Reads a share: `1%` or `0.01`.
pub(crate) fn share(text: &str) -> Result<f64, String> {
    let (number, of) = match text.strip_suffix('%') {
        Some(number) => (number.trim(), 100.0),
        None => (text, 1.0),
    };
    let share = number.parse::<f64>().ok().map(|number| number / of);
    share
        .filter(|share| (0.0..=1.0).contains(share))
        .ok_or_else(|| "a share is a number from 0 to 1, or from 0% to 100%".to_owned())
}

/// Reads spans a second: `50000`, `50000/s`, `50k/s` or `1.5M/s`.
pub(crate) fn spans_per_second(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix("/s").unwrap_or(text);
    let (number, factor) = match number.strip_suffix(['k', 'M']) {
        Some(rest) if number.ends_with('k') => (rest, 1e3),
        Some(rest) => (rest, 1e6),
        None => (number, 1.0),
    };
    let rate = number.parse::<f64>().ok().map(|number| number * factor);
    rate.filter(|rate| *rate >= 1.0 && *rate <= 1e9)
        .ok_or_else(|| {
            "a rate is a number of spans a second, from 1 on, such as 50000/s, 50k/s or 1.5M/s"
                .to_owned()
        })
}

/// Reads the file of a workload.
pub(crate) fn read_workload(path: &Path) -> anyhow::Result<Workload> {
    let name = Plain(path.display()).to_string();
    let bytes = std::fs::read(path).with_context(|| format!("{name} cannot be read"))?;
    let workload = serde_json::from_slice(&bytes);
    Ok(workload.map_err(|error| WrongInput(format!("{name} is no workload: {error}")))?)
}
