//! [`CollectorEffect`]: the effect of a Collector on the traces that pass through it.

use std::{collections::HashSet, time::Duration};

use schedule::parse_duration;
use serde_json::Value;

use crate::{variable, yaml};

/// The effect of a set-up on the traces that pass through it, read from its file.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CollectorEffect {
    /// The longest time for which batches may hold a span, over the whole way.
    pub delay: Duration,
    /// The longest time from the first span of a trace to the sampling decision.
    pub decides_after: Duration,
    /// The sampling rules; `None`: all traces are kept.
    pub sampling: Option<Sampling>,
    /// The room of a tail sampler; `None` without one, and for one that makes its senders wait when it is full.
    pub room: Option<Room>,
}

/// The room of a tail sampler for traces. When it is full, the oldest undecided traces are lost, those with errors
/// too, and no log line says so. (With `block_on_overflow` the senders wait, and nothing is lost.)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// The highest number of traces that it holds (`num_traces`).
    pub traces: usize,
    /// Whether decided traces free their place at once (`decision_cache`). Otherwise they count, too.
    pub frees_decided: bool,
}

/// The sampling rules of a set-up that drops traces.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling {
    /// Whether every trace with an error is kept.
    pub keeps_errors: bool,
    /// Whether every trace that took at least this time is kept.
    pub keeps_slower_than: Option<Duration>,
    /// The share of the other traces that is kept, from 0 to 1; `None` if the file states it in a form that
    /// is not understood here.
    pub share: Option<f64>,
}

// The Collector's defaults for values that a file does not set.
const BATCH: Duration = Duration::from_millis(200);
const DECISION_WAIT: Duration = Duration::from_secs(30);
const GROUP_WAIT: Duration = Duration::from_secs(1);
const NUM_TRACES: usize = 50_000;

// === impl CollectorEffect ===

impl CollectorEffect {
    /// All traces pass, without delay.
    pub const NONE: CollectorEffect = CollectorEffect {
        delay: Duration::ZERO,
        decides_after: Duration::ZERO,
        sampling: None,
        room: None,
    };

    /// The sampling rules for traces that start at these times (sorted, in nanoseconds). If the tail sampler has no
    /// room for all that are open at the same time, any trace may be missing.
    pub fn sampling_of(&self, starts: &[u64]) -> Option<Sampling> {
        let is_too_small = self.room.is_some_and(|room| {
            let open_ns = u64::try_from((self.decides_after + self.delay).as_nanos());
            let open_ns = open_ns.unwrap_or(u64::MAX);
            let at_once = |(at, start): (usize, &u64)| {
                let open = &starts[at..];
                open.partition_point(|other| *other <= start.saturating_add(open_ns))
            };
            let most = match room.frees_decided {
                true => starts.iter().enumerate().map(at_once).max().unwrap_or(0),
                false => starts.len(),
            };
            most > room.traces
        });
        match is_too_small {
            true => Some(Sampling::UNKNOWN),
            false => self.sampling,
        }
    }

    /// The effect of one Collector followed by another.
    pub(crate) fn then(self, next: CollectorEffect) -> CollectorEffect {
        CollectorEffect {
            delay: self.delay + next.delay,
            decides_after: self.decides_after + next.decides_after,
            sampling: match (self.sampling, next.sampling) {
                (Some(one), Some(other)) => Some(one.then(other)),
                (one, other) => one.or(other),
            },
            room: match (self.room, next.room) {
                (Some(one), Some(other)) => Some(Room {
                    traces: one.traces.min(other.traces),
                    frees_decided: one.frees_decided && other.frees_decided,
                }),
                (one, other) => one.or(other),
            },
        }
    }
}

// === impl Sampling ===

impl Sampling {
    /// Any trace may be missing.
    const UNKNOWN: Sampling = Sampling {
        keeps_errors: false,
        keeps_slower_than: None,
        share: None,
    };

    fn then(self, next: Sampling) -> Sampling {
        Sampling {
            keeps_errors: self.keeps_errors && next.keeps_errors,
            keeps_slower_than: self
                .keeps_slower_than
                .zip(next.keeps_slower_than)
                .map(|(one, other)| one.max(other)),
            share: self.share.zip(next.share).map(|(one, other)| one * other),
        }
    }
}

/// The effect of a set-up file on the traces that arrive where the services send them.
pub(crate) fn of_text(text: &str) -> CollectorEffect {
    let Some(file) = yaml::parse(text) else {
        return CollectorEffect::NONE;
    };
    let mut effect = CollectorEffect::NONE;
    for pipeline in fed(&file) {
        let mut threshold = Threshold::Absent;
        let processors = list(&pipeline["processors"]);
        let whole = processors.fold(CollectorEffect::NONE, |effect, name| {
            effect.then(through(name, &file["processors"][name], &mut threshold))
        });
        effect = CollectorEffect {
            delay: effect.delay.max(whole.delay),
            decides_after: effect.decides_after.max(whole.decides_after),
            sampling: effect.sampling.or(whole.sampling),
            room: effect.room.or(whole.room),
        };
    }
    effect
}

/// The pipelines of traces that are fed, directly or through connectors, by the receivers that the services
/// send to.
fn fed(file: &Value) -> Vec<&Value> {
    let mut sources: HashSet<&str> = pairs(&file["receivers"])
        .filter(|(_, receiver)| {
            let said = receiver.to_string();
            said.contains(variable::OTLP_GRPC) || said.contains(variable::OTLP_HTTP)
        })
        .map(|(name, _)| name)
        .collect();
    let mut waiting: Vec<&Value> = pairs(&file["service"]["pipelines"])
        .filter(|(name, _)| kind(name) == "traces")
        .map(|(_, pipeline)| pipeline)
        .collect();
    let mut fed = Vec::new();
    loop {
        let (now, others): (Vec<_>, Vec<_>) = waiting
            .into_iter()
            .partition(|pipeline| list(&pipeline["receivers"]).any(|name| sources.contains(name)));
        if now.is_empty() {
            return fed;
        }
        for pipeline in &now {
            sources.extend(list(&pipeline["exporters"]));
        }
        fed.extend(now);
        waiting = others;
    }
}

/// The sampling threshold that spans carry in their trace state (`ot=th`), written by a sampler before.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Threshold {
    Absent,
    /// The share of traces that it stands for, from 0 to 1; `None` if the file does not say it.
    Of(Option<f64>),
}

fn through(name: &str, settings: &Value, threshold: &mut Threshold) -> CollectorEffect {
    let time = |key: &str, default| duration(&settings[key]).unwrap_or(default);
    match kind(name) {
        "batch" => CollectorEffect {
            delay: time("timeout", BATCH),
            ..CollectorEffect::NONE
        },
        "groupbytrace" => CollectorEffect {
            delay: time("wait_duration", GROUP_WAIT),
            ..CollectorEffect::NONE
        },
        "tail_sampling" => CollectorEffect {
            decides_after: time("decision_wait", DECISION_WAIT),
            sampling: tail_sampling(settings),
            room: room(settings),
            ..CollectorEffect::NONE
        },
        "probabilistic_sampler" => {
            let share = share_of_sampler(settings, threshold);
            CollectorEffect {
                sampling: (share != Some(1.0)).then_some(Sampling {
                    share,
                    ..Sampling::UNKNOWN
                }),
                ..CollectorEffect::NONE
            }
        }
        "filter" => CollectorEffect {
            sampling: Some(Sampling::UNKNOWN),
            ..CollectorEffect::NONE
        },
        _ => CollectorEffect::NONE,
    }
}

/// The share that a probabilistic sampler keeps of the spans that reach it, and the threshold that it writes.
///
/// Measured with the Collector 0.161.0: `hash_seed`, the default, writes none, and keeps no span that carries one;
/// `equalizing` keeps the smaller of both shares; `proportional` keeps its share of spans that carry none.
fn share_of_sampler(settings: &Value, threshold: &mut Threshold) -> Option<f64> {
    let share = percentage(&settings["sampling_percentage"]);
    let (kept, written) = match (settings["mode"].as_str().unwrap_or("hash_seed"), *threshold) {
        ("hash_seed", Threshold::Absent) => (share, Threshold::Absent),
        ("hash_seed", Threshold::Of(_)) => (Some(0.0), *threshold),
        ("equalizing" | "proportional", Threshold::Absent) => (share, Threshold::Of(share)),
        ("equalizing", Threshold::Of(Some(before))) => {
            let smaller = share.map(|share| share.min(before));
            let kept = smaller.map(|smaller| smaller / before.max(f64::MIN_POSITIVE));
            (kept, Threshold::Of(smaller))
        }
        _ => (None, Threshold::Of(None)),
    };
    *threshold = written;
    kept
}

/// The room of a tail sampler; `None` if a full one makes its senders wait, and loses nothing.
fn room(settings: &Value) -> Option<Room> {
    let waits = settings["block_on_overflow"].as_str().map(expand);
    if waits.is_some_and(|waits| waits == "true") {
        return None;
    }
    let number = settings["num_traces"].as_str().map(expand);
    let cache = &settings["decision_cache"];
    let has = |key: &str| number_of(&cache[key]).is_some_and(|size| size > 0);
    Some(Room {
        traces: number
            .and_then(|number| number.parse().ok())
            .unwrap_or(NUM_TRACES),
        frees_decided: has("sampled_cache_size") && has("non_sampled_cache_size"),
    })
}

fn number_of(value: &Value) -> Option<u64> {
    expand(value.as_str()?).parse().ok()
}

/// The rules of tail sampling. A trace is kept if any policy keeps it. A policy that is not understood here
/// may keep more traces; if it may also drop traces, nothing is known. A policy `drop` wins wherever it stands,
/// and so does a limit for the size of a trace.
fn tail_sampling(settings: &Value) -> Option<Sampling> {
    let mut sampling = Sampling {
        share: Some(0.0),
        ..Sampling::UNKNOWN
    };
    let policies = settings["policies"].as_array()?;
    let has_limit = number_of(&settings["maximum_trace_size_bytes"]).is_some_and(|size| size > 0);
    if has_limit || policies.iter().any(|policy| policy["type"] == "drop") {
        return Some(Sampling::UNKNOWN);
    }
    // The shares of the policies, by the salt of their hash: with one salt all of them keep the same traces.
    let mut shares: Vec<(&str, f64)> = Vec::new();
    for policy in policies {
        let settings = |name: &str| &policy[name];
        match policy["type"].as_str()? {
            "always_sample" => return None,
            "status_code" => {
                let mut codes = list(&settings("status_code")["status_codes"]);
                sampling.keeps_errors |= codes.any(|code| code == "ERROR");
            }
            "latency" if settings("latency")["upper_threshold_ms"].is_null() => {
                let text = expand(settings("latency")["threshold_ms"].as_str()?);
                let threshold = Duration::from_millis(text.parse().ok()?);
                let least = sampling.keeps_slower_than.unwrap_or(threshold);
                sampling.keeps_slower_than = Some(least.min(threshold));
            }
            "probabilistic" => {
                let settings = settings("probabilistic");
                let salt = settings["hash_salt"].as_str().unwrap_or_default();
                match percentage(&settings["sampling_percentage"]) {
                    None => sampling.share = None,
                    Some(share) => match shares.iter_mut().find(|(known, _)| *known == salt) {
                        Some((_, largest)) => *largest = largest.max(share),
                        None => shares.push((salt, share)),
                    },
                }
            }
            _ => sampling.share = None,
        }
    }
    let kept = match shares.as_slice() {
        [(_, only)] => *only,
        several => {
            1.0 - several
                .iter()
                .map(|(_, share)| 1.0 - share)
                .product::<f64>()
        }
    };
    sampling.share = sampling.share.map(|_| kept);
    Some(sampling)
}

/// The type of a component: the part of its name before the slash.
fn kind(name: &str) -> &str {
    name.split('/').next().unwrap_or(name)
}

fn pairs(map: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let pairs = map.as_object().into_iter().flatten();
    pairs.map(|(name, value)| (name.as_str(), value))
}

fn list(items: &Value) -> impl Iterator<Item = &str> {
    items
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
}

fn percentage(value: &Value) -> Option<f64> {
    let percent: f64 = expand(value.as_str()?).parse().ok()?;
    Some((percent / 100.0).clamp(0.0, 1.0))
}

/// Parses a duration in Go's form, numbers with their units one after another: `200ms`, `1m30s`.
fn duration(value: &Value) -> Option<Duration> {
    let text = expand(value.as_str()?);
    let mut rest = text.as_str();
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let unit = rest.find(char::is_alphabetic)?;
        let next = rest[unit..].find(|c: char| !c.is_alphabetic());
        let (one, others) = rest.split_at(next.map_or(rest.len(), |next| unit + next));
        total = total.checked_add(parse_duration(one).ok()?)?;
        rest = others;
    }
    Some(total)
}

/// Replaces `${env:NAME:-default}` in a text, as a Collector does.
#[expect(
    clippy::disallowed_methods,
    reason = "the set-up names the variables, as it does for the Collector"
)]
fn expand(text: &str) -> String {
    let mut expanded = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${env:") {
        let Some((inside, behind)) = after.split_once('}') else {
            break;
        };
        let (name, default) = inside.split_once(":-").unwrap_or((inside, ""));
        expanded.push_str(before);
        expanded.push_str(&std::env::var(name).unwrap_or_else(|_| default.to_owned()));
        rest = behind;
    }
    expanded.push_str(rest);
    expanded
}

#[cfg(test)]
mod tests;
