//! [`Profile`]: what a backend is known to lose, as versioned data, and the [`Verdict`] on a case that follows from it.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{compare::Difference, loss::Loss};

/// What a backend with a storage is known to lose.
///
/// A case that is among [`keeps`](Profile::keeps) is a promise. A case that is in neither list is one that nobody has
/// measured.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// The kind of the backend, as after `--backend`.
    pub backend: String,
    /// What it keeps traces in, such as `memory`.
    #[serde(default)]
    pub storage: String,
    /// The version that was measured; empty if that is not known.
    #[serde(default)]
    pub version: String,
    /// The day of the measurement, or `not run` for one that is written from documentation.
    #[serde(default)]
    pub measured: String,
    /// What else there is to know, such as how the backend was started.
    #[serde(default)]
    pub about: String,
    /// The cases that come back as they were sent.
    #[serde(default)]
    pub keeps: Vec<String>,
    /// The cases that do not.
    #[serde(default)]
    pub losses: Vec<KnownLoss>,
}

/// A case that does not come back as it was sent.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnownLoss {
    /// The name of the case.
    pub case: String,
    /// What is different.
    pub lost: Vec<Loss>,
    /// The only protocol over which it is lost; all without it.
    #[serde(default)]
    pub over: Option<String>,
    /// Why, in words.
    #[serde(default)]
    pub why: String,
    /// Where that can be read: an issue, a page, a line of source.
    #[serde(default)]
    pub reference: String,
}

/// Why a text is no profile.
#[derive(Debug, Error)]
pub enum ProfileError {
    /// It is no YAML, or has other keys or values.
    #[error("{file}: {why}")]
    Wrong {
        /// The name of the file.
        file: String,
        /// What is wrong, with line and column.
        why: String,
    },
    /// It names a case that does not exist.
    #[error("{file}: there is no case {case:?}; tracelab validate --list-cases prints them")]
    NoCase {
        /// The name of the file.
        file: String,
        /// The name of the case.
        case: String,
    },
    /// It names a case twice.
    #[error("{file}: the case {case:?} is named twice for the same protocol")]
    Twice {
        /// The name of the file.
        file: String,
        /// The name of the case.
        case: String,
    },
}

/// The verdict on a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It came back as it was sent.
    Pass,
    /// The profile has a loss that is gone.
    Fixed,
    /// The profile has the loss.
    Unsupported,
    /// It did not, and no profile speaks of it.
    Fail,
    /// It did not, and the profile promises it.
    Regression,
}

/// What a profile says about the differences of a case.
#[derive(Clone, Debug, PartialEq)]
pub struct Judged {
    /// The verdict.
    pub verdict: Verdict,
    /// All losses, each once.
    pub seen: Vec<Loss>,
    /// Losses that the profile does not have.
    pub new: Vec<Loss>,
    /// Losses of the profile that are gone.
    pub gone: Vec<Loss>,
}

/// The profiles that come with tracelab.
const SHIPPED: &[(&str, &str)] = &[
    ("sink", include_str!("../profiles/sink.yaml")),
    (
        "collector-file",
        include_str!("../profiles/collector-file.yaml"),
    ),
    ("jaeger", include_str!("../profiles/jaeger.yaml")),
    ("jaeger-v1", include_str!("../profiles/jaeger-v1.yaml")),
    (
        "jaeger-badger",
        include_str!("../profiles/jaeger-badger.yaml"),
    ),
    (
        "jaeger-cassandra",
        include_str!("../profiles/jaeger-cassandra.yaml"),
    ),
    (
        "jaeger-opensearch",
        include_str!("../profiles/jaeger-opensearch.yaml"),
    ),
    (
        "jaeger-kafka",
        include_str!("../profiles/jaeger-kafka.yaml"),
    ),
    (
        "zipkin-opensearch",
        include_str!("../profiles/zipkin-opensearch.yaml"),
    ),
    ("zipkin", include_str!("../profiles/zipkin.yaml")),
    ("rotel", include_str!("../profiles/rotel.yaml")),
    ("otelite", include_str!("../profiles/otelite.yaml")),
    ("mlflow", include_str!("../profiles/mlflow.yaml")),
    ("phoenix", include_str!("../profiles/phoenix.yaml")),
];

// === impl Profile ===

impl Profile {
    /// The names of the profiles that come with tracelab.
    pub fn names() -> impl Iterator<Item = &'static str> {
        SHIPPED.iter().map(|(name, _)| *name)
    }

    /// The profile of this name that comes with tracelab.
    pub fn shipped(name: &str) -> Option<Profile> {
        let (file, text) = SHIPPED.iter().find(|(shipped, _)| *shipped == name)?;
        let profile = Profile::parse(file, text, &[]);
        Some(profile.expect("a test reads each of them"))
    }

    /// Reads a profile. `cases` are the names that it may use; any if there are none.
    ///
    /// # Errors
    ///
    /// [`ProfileError`].
    pub fn parse(file: &str, text: &str, cases: &[&str]) -> Result<Profile, ProfileError> {
        let profile: Profile =
            serde_saphyr::from_str(text).map_err(|error| ProfileError::Wrong {
                file: file.to_owned(),
                why: error.to_string(),
            })?;
        let named = profile.keeps.iter().map(|case| (case, None));
        let named = named.chain(
            profile
                .losses
                .iter()
                .map(|loss| (&loss.case, loss.over.as_ref())),
        );
        let mut seen = std::collections::HashSet::new();
        for (case, over) in named {
            if !cases.is_empty() && !cases.contains(&case.as_str()) {
                return Err(ProfileError::NoCase {
                    file: file.to_owned(),
                    case: case.clone(),
                });
            }
            if !seen.insert((case, over)) {
                return Err(ProfileError::Twice {
                    file: file.to_owned(),
                    case: case.clone(),
                });
            }
        }
        Ok(profile)
    }

    /// The losses of a case that the profile has, over a protocol; `None` if it does not speak of the case.
    pub fn of_case(&self, case: &str, over: &str) -> Option<Vec<Loss>> {
        let fits = |loss: &&KnownLoss| {
            loss.case == case && loss.over.as_deref().is_none_or(|only| only == over)
        };
        let losses: Vec<Loss> = self
            .losses
            .iter()
            .filter(fits)
            .flat_map(|loss| loss.lost.clone())
            .collect();
        let is_named = self.losses.iter().any(|loss| loss.case == case);
        let keeps = self.keeps.iter().any(|kept| kept == case);
        (is_named || keeps).then_some(losses)
    }

    /// Judges the differences of a case.
    pub fn judge(&self, case: &str, over: &str, differences: &[Difference]) -> Judged {
        let known = self.of_case(case, over);
        let seen: Vec<Loss> = distinct(differences.iter().map(|difference| difference.loss));
        let is_known = |loss: &Loss| known.as_ref().is_some_and(|known| known.contains(loss));
        let new: Vec<Loss> = seen
            .iter()
            .copied()
            .filter(|loss| !is_known(loss))
            .collect();
        let losses = known.iter().flatten().copied();
        let gone: Vec<Loss> = distinct(losses.filter(|loss| !seen.contains(loss)));
        let verdict = match (seen.is_empty(), new.is_empty(), &known) {
            (true, _, _) if gone.is_empty() => Verdict::Pass,
            (true, _, _) => Verdict::Fixed,
            (_, true, _) => Verdict::Unsupported,
            (_, _, Some(_)) => Verdict::Regression,
            (_, _, None) => Verdict::Fail,
        };
        Judged {
            verdict,
            seen,
            new,
            gone,
        }
    }

    /// The profile as YAML.
    pub fn to_yaml(&self) -> String {
        let mut out = String::new();
        // Text takes all that is written to it.
        let _ = self.write(&mut out);
        out
    }

    fn write(&self, out: &mut impl fmt::Write) -> fmt::Result {
        let text = |text: &str| serde_json::Value::from(text).to_string();
        writeln!(
            out,
            "# Written by tracelab validate --write-profile. What may be added by hand: about, why, reference."
        )?;
        for (key, value) in [
            ("backend", &self.backend),
            ("storage", &self.storage),
            ("version", &self.version),
            ("measured", &self.measured),
            ("about", &self.about),
        ] {
            if !value.is_empty() {
                writeln!(out, "{key}: {}", text(value))?;
            }
        }
        writeln!(
            out,
            "keeps:{}",
            if self.keeps.is_empty() { " []" } else { "" }
        )?;
        for case in &self.keeps {
            writeln!(out, "  - {case}")?;
        }
        writeln!(
            out,
            "losses:{}",
            if self.losses.is_empty() { " []" } else { "" }
        )?;
        for loss in &self.losses {
            writeln!(out, "  - case: {}", loss.case)?;
            if let Some(over) = &loss.over {
                writeln!(out, "    over: {over}")?;
            }
            writeln!(out, "    lost:")?;
            for lost in &loss.lost {
                writeln!(out, "      - {}", text(&lost.to_string()))?;
            }
            for (key, value) in [("why", &loss.why), ("reference", &loss.reference)] {
                if !value.is_empty() {
                    writeln!(out, "    {key}: {}", text(value))?;
                }
            }
        }
        Ok(())
    }

    /// The profile that a measurement gives: the losses of each case over each protocol. Of the profile that was there
    /// before, what was written by hand is kept, and all that was not tried.
    pub fn measured(
        mut self,
        results: &BTreeMap<String, Vec<(String, Vec<Loss>)>>,
        before: Option<&Profile>,
    ) -> Profile {
        for (case, over) in results {
            let mut losses: Vec<Vec<Loss>> = over.iter().map(|(_, lost)| lost.clone()).collect();
            losses.iter_mut().for_each(|lost| lost.sort());
            if losses.iter().all(Vec::is_empty) {
                self.keeps.push(case.clone());
                continue;
            }
            let is_same = losses.windows(2).all(|pair| pair[0] == pair[1]);
            for ((protocol, _), lost) in over.iter().zip(losses) {
                if lost.is_empty() {
                    continue;
                }
                let old = before.into_iter().flat_map(|before| &before.losses);
                let old = old.clone().find(|old| old.case == *case);
                self.losses.push(KnownLoss {
                    case: case.clone(),
                    lost,
                    over: (!is_same).then(|| protocol.clone()),
                    why: old.map(|old| old.why.clone()).unwrap_or_default(),
                    reference: old.map(|old| old.reference.clone()).unwrap_or_default(),
                });
                if is_same {
                    break;
                }
            }
        }
        // What was not tried this time is as it was.
        if let Some(before) = before {
            let is_tried = |case: &String| results.contains_key(case);
            let keeps = before.keeps.iter().filter(|case| !is_tried(case));
            self.keeps.extend(keeps.cloned());
            let losses = before.losses.iter().filter(|loss| !is_tried(&loss.case));
            self.losses.extend(losses.cloned());
        }
        self.keeps.sort();
        self.losses
            .sort_by(|a, b| (&a.case, &a.over).cmp(&(&b.case, &b.over)));
        self
    }
}

fn distinct(losses: impl Iterator<Item = Loss>) -> Vec<Loss> {
    let mut losses: Vec<Loss> = losses.collect();
    losses.sort();
    losses.dedup();
    losses
}

// === impl Verdict ===

impl Verdict {
    /// The word for it in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Pass => "pass",
            Verdict::Fixed => "fixed",
            Verdict::Unsupported => "unsupported",
            Verdict::Fail => "fail",
            Verdict::Regression => "regression",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_profile_that_is_shipped_can_be_read() {
        for name in Profile::names() {
            let profile = Profile::shipped(name).expect("it is shipped");
            assert!(
                !profile.backend.is_empty() && !profile.measured.is_empty(),
                "{name}"
            );
            assert!(
                !profile.keeps.is_empty() || !profile.losses.is_empty(),
                "{name}"
            );
        }
    }

    #[test]
    fn a_new_measurement_keeps_what_was_written_by_hand_and_what_was_not_tried() {
        let before = "{backend: x, keeps: [bool, int], losses: [\
                      {case: map, lost: ['span.attribute[map]: as text'], why: by hand}, \
                      {case: bytes, lost: ['span.attribute[bytes]: missing'], why: untouched}]}";
        let before = Profile::parse("p.yaml", before, &[]).expect("it is one");
        let loss = |text: &str| text.parse::<Loss>().expect("it is one");
        let over = |lost: Vec<Loss>| vec![("grpc".to_owned(), lost)];
        let results = BTreeMap::from([
            (
                "int".to_owned(),
                over(vec![loss("span.attribute[int]: as text")]),
            ),
            (
                "map".to_owned(),
                over(vec![loss("span.attribute[map]: missing")]),
            ),
        ]);
        let after = Profile::default().measured(&results, Some(&before));
        assert_eq!(after.keeps, ["bool"]);
        let losses: Vec<_> = after
            .losses
            .iter()
            .map(|loss| (&*loss.case, &*loss.why))
            .collect();
        assert_eq!(
            losses,
            [("bytes", "untouched"), ("int", ""), ("map", "by hand")]
        );
        assert_eq!(after.losses[2].lost, [loss("span.attribute[map]: missing")]);
    }

    #[test]
    fn what_is_wrong_in_a_profile_is_named() {
        let error = |text: &str, cases: &[&str]| {
            Profile::parse("p.yaml", text, cases)
                .expect_err("wrong")
                .to_string()
        };
        let unknown = error("backend: x\nkept: []\n", &[]);
        assert!(
            unknown.contains("p.yaml") && unknown.contains("kept"),
            "{unknown}"
        );
        let loss = error(
            "backend: x\nlosses: [{case: a, lost: ['span.names: missing']}]\n",
            &[],
        );
        assert!(loss.contains("span.names"), "{loss}");
        assert!(error("backend: x\nkeeps: [nonsense]\n", &["bool"]).contains("--list-cases"));
        assert!(error("backend: x\nkeeps: [bool, bool]\n", &["bool"]).contains("twice"));
    }
}
