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

// === impl CollectorEffect ===

impl CollectorEffect {
    /// All traces pass, without delay.
    pub const NONE: CollectorEffect = CollectorEffect {
        delay: Duration::ZERO,
        decides_after: Duration::ZERO,
        sampling: None,
    };

    /// The effect of one Collector followed by another.
    pub(crate) fn then(self, next: CollectorEffect) -> CollectorEffect {
        CollectorEffect {
            delay: self.delay + next.delay,
            decides_after: self.decides_after + next.decides_after,
            sampling: match (self.sampling, next.sampling) {
                (Some(one), Some(other)) => Some(one.then(other)),
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
        let processors = list(&pipeline["processors"]);
        let whole = processors.fold(CollectorEffect::NONE, |effect, name| {
            effect.then(through(name, &file["processors"][name]))
        });
        effect = CollectorEffect {
            delay: effect.delay.max(whole.delay),
            decides_after: effect.decides_after.max(whole.decides_after),
            sampling: effect.sampling.or(whole.sampling),
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

fn through(name: &str, settings: &Value) -> CollectorEffect {
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
            sampling: tail_sampling(&settings["policies"]),
            ..CollectorEffect::NONE
        },
        "probabilistic_sampler" => {
            let share = percentage(&settings["sampling_percentage"]);
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

/// The rules of tail sampling. A trace is kept if any policy keeps it. A policy that is not understood here
/// may keep more traces; if it may also drop traces, nothing is known.
fn tail_sampling(policies: &Value) -> Option<Sampling> {
    let mut sampling = Sampling {
        share: Some(0.0),
        ..Sampling::UNKNOWN
    };
    for policy in policies.as_array()? {
        let settings = |name: &str| &policy[name];
        match policy["type"].as_str()? {
            "always_sample" => return None,
            "drop" => return Some(Sampling::UNKNOWN),
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
                let share = percentage(&settings("probabilistic")["sampling_percentage"]);
                // It is unknown how far the two shares cover the same traces.
                let first = sampling.share == Some(0.0);
                sampling.share = share.filter(|_| first);
            }
            _ => sampling.share = None,
        }
    }
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
#[allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::Setup;

    fn effect(name: &str) -> CollectorEffect {
        // Tests run in the folder of their package.
        let folder = Path::new("../../collector-config");
        Setup::open(&folder.join(name)).unwrap().effect().unwrap()
    }

    const ERRORS_AND_SLOW: Sampling = Sampling {
        keeps_errors: true,
        keeps_slower_than: Some(Duration::from_millis(500)),
        share: Some(0.1),
    };

    #[test]
    fn what_the_set_ups_let_through_is_read_from_them() {
        let base = effect("base.yaml");
        assert_eq!(base.sampling, None);
        assert_eq!(base.delay, Duration::from_millis(200));

        let tail = effect("tail-sampling.yaml");
        assert_eq!(tail.decides_after, Duration::from_secs(5));
        assert_eq!(tail.sampling, Some(ERRORS_AND_SLOW));

        let scaled = effect("scaled");
        assert_eq!(scaled.sampling, Some(ERRORS_AND_SLOW));
        assert_eq!(scaled.delay, Duration::from_millis(400));

        let combined = effect("combined.yaml").sampling.unwrap();
        assert_eq!(
            combined,
            Sampling {
                share: None,
                ..ERRORS_AND_SLOW
            }
        );
    }

    #[test]
    fn a_sampler_behind_another_receiver_is_not_in_the_way() {
        assert_eq!(effect("head-sampling.yaml").sampling, None);
    }

    #[test]
    fn a_sampler_behind_a_connector_is() {
        let text = "
receivers: { otlp: { protocols: { grpc: { endpoint: '${env:COLLECTOR_OTLP_GRPC}' } } } }
processors: { probabilistic_sampler: { sampling_percentage: 30 }, probabilistic_sampler/all: { sampling_percentage: 100 } }
connectors: { forward: {} }
service:
  pipelines:
    traces/second: { receivers: [forward], processors: [probabilistic_sampler], exporters: [x] }
    traces: { receivers: [otlp], processors: [probabilistic_sampler/all], exporters: [forward] }
";
        let sampling = of_text(text).sampling.unwrap();
        assert_eq!(
            sampling,
            Sampling {
                share: Some(0.3),
                ..Sampling::UNKNOWN
            }
        );
    }

    #[test]
    fn two_samplers_one_after_the_other_keep_what_both_keep() {
        let half = Sampling {
            share: Some(0.5),
            ..Sampling::UNKNOWN
        };
        let both = ERRORS_AND_SLOW.then(half);
        assert_eq!(
            both,
            Sampling {
                share: Some(0.05),
                ..Sampling::UNKNOWN
            }
        );
    }

    #[test]
    fn durations_are_read_as_go_writes_them() {
        let read = |text: &str| duration(&Value::from(text));
        assert_eq!(read("200ms"), Some(Duration::from_millis(200)));
        assert_eq!(read("1m30s"), Some(Duration::from_secs(90)));
        assert_eq!(read("1.5s"), Some(Duration::from_millis(1_500)));
        assert_eq!(read("1.5m30s"), Some(Duration::from_secs(120)));
        assert_eq!(
            read("${env:TRACELAB_NOT_SET:-5s}"),
            Some(Duration::from_secs(5))
        );
        for text in ["soon", "-5s", "5s-", "5"] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
