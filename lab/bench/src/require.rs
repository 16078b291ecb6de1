//! [`Requirement`]: a limit on the result of a load, such as `loss=0` or `p99<=50ms`.

use std::{fmt, str::FromStr, time::Duration};

use schedule::parse_duration;
use thiserror::Error;

use crate::document;

/// A limit on the result of a load.
#[derive(Clone, Debug)]
pub struct Requirement {
    text: String,
    measure: Measure,
    relation: Relation,
    limit: f64,
}

/// Why a text is no [`Requirement`].
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RequirementError {
    /// It has no operator.
    #[error(
        "{0:?} is no requirement: it is a name, one of = <= < >= >, and a value, such as loss=0 or p99<=50ms"
    )]
    Syntax(String),
    /// The name is unknown.
    #[error("{name:?} cannot be required; {known} can{hint}")]
    Unknown {
        /// What was given.
        name: String,
        /// What can be given.
        known: String,
        /// The most similar one, in words.
        hint: String,
    },
    /// The value has another unit, or none.
    #[error("{text:?}: {value:?} is no value of {name}, which is {form}")]
    Value {
        /// The requirement.
        text: String,
        /// Its value.
        value: String,
        /// What it is of.
        name: &'static str,
        /// How it is written.
        form: &'static str,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Relation {
    Equal,
    AtMost,
    Below,
    AtLeast,
    Above,
}

/// What is measured, with how it is written.
#[derive(Clone, Copy, Debug)]
struct Measure {
    name: &'static str,
    unit: Unit,
    of: fn(&document::Run) -> Option<f64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Count,
    Share,
    /// In nanoseconds.
    Time,
    /// Spans a second.
    Rate,
    Bytes,
}

const MEASURES: [Measure; 16] = [
    of("loss", Unit::Share, |run| Some(loss(run))),
    of("lost", Unit::Count, |run| Some(run.accounts.lost as f64)),
    of("refused", Unit::Count, |run| {
        Some(run.accounts.refused as f64)
    }),
    of("duplicated", Unit::Count, |run| {
        Some(run.accounts.duplicated as f64)
    }),
    of("corrupted", Unit::Count, |run| {
        Some(run.accounts.corrupted as f64)
    }),
    of("never_sent", Unit::Count, |run| {
        Some(run.accounts.never_sent as f64)
    }),
    of("p50", Unit::Time, |run| Some(run.latency_ms?.p50 * 1e6)),
    of("p90", Unit::Time, |run| Some(run.latency_ms?.p90 * 1e6)),
    of("p99", Unit::Time, |run| Some(run.latency_ms?.p99 * 1e6)),
    of("p999", Unit::Time, |run| Some(run.latency_ms?.p999 * 1e6)),
    of("max", Unit::Time, |run| Some(run.latency_ms?.max * 1e6)),
    of("answer_p99", Unit::Time, |run| {
        Some(run.answer_ms?.p99 * 1e6)
    }),
    of("rate", Unit::Rate, |run| Some(run.spans_per_second)),
    of("cpu", Unit::Time, |run| Some(run.sut_used?.cpu_ns_per_span)),
    of("cpu_share", Unit::Share, |run| {
        Some(run.sut_used?.cpu_share)
    }),
    of("memory", Unit::Bytes, |run| {
        Some(run.sut_used?.peak_bytes as f64)
    }),
];

const fn of(name: &'static str, unit: Unit, of: fn(&document::Run) -> Option<f64>) -> Measure {
    Measure { name, unit, of }
}

/// The share of planned spans that did not come through.
fn loss(run: &document::Run) -> f64 {
    let of = &run.accounts;
    let through = of.arrived() + of.sampled_out + of.accepted;
    of.planned.saturating_sub(through) as f64 / (of.planned.max(1)) as f64
}

// === impl Requirement ===

impl Requirement {
    /// Whether a load keeps it.
    pub fn holds(&self, run: &document::Run) -> bool {
        (self.measure.of)(run).is_some_and(|value| self.relation.holds(value, self.limit))
    }

    /// The requirement with what was measured. What was not measured does not hold.
    pub fn check(&self, run: &document::Run) -> document::Requirement {
        document::Requirement {
            text: self.text.clone(),
            holds: self.holds(run),
            measured: self.measured(run),
        }
    }

    /// What was measured, with its unit.
    pub fn measured(&self, run: &document::Run) -> String {
        match (self.measure.of)(run) {
            Some(value) => self.measure.unit.format(value),
            None => "not measured".to_owned(),
        }
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Requirement {
    type Err = RequirementError;

    fn from_str(text: &str) -> Result<Requirement, RequirementError> {
        let operators = [
            ("<=", Relation::AtMost),
            (">=", Relation::AtLeast),
            ("==", Relation::Equal),
            ("<", Relation::Below),
            (">", Relation::Above),
            ("=", Relation::Equal),
        ];
        let at = text.find(['<', '>', '=']);
        let found = at.and_then(|at| {
            let rest = &text[at..];
            let (operator, relation) = operators.iter().find(|(op, _)| rest.starts_with(op))?;
            Some((text[..at].trim(), *relation, rest[operator.len()..].trim()))
        });
        let syntax = || RequirementError::Syntax(text.to_owned());
        let (name, relation, value) = found.ok_or_else(syntax)?;
        if name.is_empty() || value.is_empty() {
            return Err(syntax());
        }
        let measure = MEASURES.into_iter().find(|measure| measure.name == name);
        let measure = measure.ok_or_else(|| RequirementError::unknown(name))?;
        let limit = measure.unit.parse(value);
        let limit = limit.ok_or_else(|| RequirementError::Value {
            text: text.to_owned(),
            value: value.to_owned(),
            name: measure.name,
            form: measure.unit.form(),
        })?;
        Ok(Requirement {
            text: text.to_owned(),
            measure,
            relation,
            limit,
        })
    }
}

// === impl RequirementError ===

impl RequirementError {
    fn unknown(name: &str) -> RequirementError {
        let similar = |known: &&Measure| strsim::jaro_winkler(known.name, name);
        let best = MEASURES
            .iter()
            .max_by(|a, b| similar(a).total_cmp(&similar(b)))
            .filter(|known| similar(known) > 0.75);
        RequirementError::Unknown {
            name: name.to_owned(),
            known: MEASURES.map(|measure| measure.name).join(", "),
            hint: best.map_or(String::new(), |best| {
                format!("; did you mean {}?", best.name)
            }),
        }
    }
}

// === impl Relation ===

impl Relation {
    fn holds(self, value: f64, limit: f64) -> bool {
        match self {
            Relation::Equal => value == limit,
            Relation::AtMost => value <= limit,
            Relation::Below => value < limit,
            Relation::AtLeast => value >= limit,
            Relation::Above => value > limit,
        }
    }
}

// === impl Unit ===

impl Unit {
    fn form(self) -> &'static str {
        match self {
            Unit::Count => "a whole number",
            Unit::Share => "a share, such as 0, 0.1% or 1e-6",
            Unit::Time => "a time, such as 50ms or 2us",
            Unit::Rate => "spans a second, such as 50000, 50k or 1.5M",
            Unit::Bytes => "a size, such as 512MiB or 2GiB",
        }
    }

    fn parse(self, text: &str) -> Option<f64> {
        let number = |text: &str| {
            let number: Option<f64> = text.trim().parse().ok();
            number.filter(|number| number.is_finite() && *number >= 0.0)
        };
        let scaled = |units: &[(&str, f64)]| {
            let unit = units.iter().find(|(unit, _)| text.ends_with(unit));
            match unit {
                Some((unit, factor)) => Some(number(&text[..text.len() - unit.len()])? * factor),
                None => number(text),
            }
        };
        match self {
            Unit::Count => Some(text.parse::<u64>().ok()? as f64),
            Unit::Share => scaled(&[("%", 0.01)]),
            Unit::Time => Some(parse_duration(text).ok()?.as_nanos() as f64),
            Unit::Rate => scaled(&[
                ("k/s", 1e3),
                ("M/s", 1e6),
                ("/s", 1.0),
                ("k", 1e3),
                ("M", 1e6),
            ]),
            Unit::Bytes => scaled(&[
                ("KiB", 1024.0),
                ("MiB", 1_048_576.0),
                ("GiB", 1_073_741_824.0),
                ("kB", 1e3),
                ("MB", 1e6),
                ("GB", 1e9),
            ]),
        }
    }

    fn format(self, value: f64) -> String {
        match self {
            Unit::Count => format!("{value:.0}"),
            Unit::Share if value == 0.0 => "0".to_owned(),
            Unit::Share if value < 1e-4 => format!("{value:.1e}"),
            Unit::Share => format!("{:.3} %", value * 100.0),
            Unit::Time => format_time(value),
            Unit::Rate => format!("{value:.0} spans/s"),
            Unit::Bytes => format!("{:.1} MiB", value / 1_048_576.0),
        }
    }
}

/// A time in nanoseconds, in the unit that people read.
fn format_time(nanos: f64) -> String {
    let time = Duration::from_nanos(nanos as u64);
    match nanos {
        ..1e3 => format!("{nanos:.0} ns"),
        1e3..1e6 => format!("{:.1} us", nanos / 1e3),
        1e6..1e9 => format!("{:.1} ms", nanos / 1e6),
        _ => format!("{:.2} s", time.as_secs_f64()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    use super::*;

    fn run() -> document::Run {
        document::Run {
            accounts: document::Accounts {
                planned: 1_000_000,
                delivered_once: 999_999,
                lost: 1,
                ..Default::default()
            },
            latency_ms: Some(document::Latency {
                p99: 12.5,
                ..Default::default()
            }),
            spans_per_second: 50_000.0,
            ..Default::default()
        }
    }

    #[test]
    fn each_is_compared_with_what_was_measured() {
        let holds = |text: &str| text.parse::<Requirement>().unwrap().holds(&run());
        for good in [
            "loss<=1e-6",
            "loss < 0.1%",
            "lost=1",
            "p99<=50ms",
            "rate>=50k/s",
            "rate>=0.05M",
        ] {
            assert!(holds(good), "{good}");
        }
        for bad in [
            "loss=0",
            "lost<1",
            "p99<12ms",
            "rate>50000",
            "memory<1GiB",
            "cpu<=2us",
        ] {
            assert!(!holds(bad), "{bad}");
        }
        let checked = "p99<=10ms".parse::<Requirement>().unwrap().check(&run());
        assert_eq!((checked.holds, &*checked.measured), (false, "12.5 ms"));
        let checked = "memory<1GiB".parse::<Requirement>().unwrap().check(&run());
        assert_eq!(checked.measured, "not measured");
    }

    #[test]
    fn what_cannot_be_required_is_told() {
        let error = |text: &str| text.parse::<Requirement>().unwrap_err().to_string();
        assert!(error("loss").starts_with("\"loss\" is no requirement"));
        assert!(error("<=5").starts_with("\"<=5\" is no requirement"));
        assert!(
            error("p9<=5ms").ends_with("did you mean p99?")
                || error("p9<=5ms").contains("did you mean p90?")
        );
        assert_eq!(
            error("p99<=5"),
            "\"p99<=5\": \"5\" is no value of p99, which is a time, such as 50ms or 2us"
        );
        assert!(error("lost=0.5").contains("which is a whole number"));
    }
}
