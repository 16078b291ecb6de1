//! [`Document`]: the result of a validation, as JSON has it.

use backends::{Difference, Loss, Verdict};
use serde::{Deserialize, Serialize};

use crate::send::Protocol;

/// The version of the document's form.
pub(crate) const SCHEMA: &str = "tracelab.validate/1";

/// The result of a validation.
#[derive(Clone, Debug, Serialize)]
pub struct Document {
    /// `tracelab.validate/1`.
    pub schema: &'static str,
    /// The kind of the backend.
    pub backend: String,
    /// What the backend says it is, with its version.
    pub identity: String,
    /// Its version, if its API says it.
    pub version: Option<String>,
    /// Where it is read.
    pub url: String,
    /// Where traces were sent.
    pub otlp: Vec<String>,
    /// The profile, with its version; `None` without one.
    pub profile: Option<String>,
    /// The seed of the ids.
    pub seed: u64,
    /// When it began.
    pub began: String,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// Whether it came to its end.
    pub complete: bool,
    /// What ought to be known besides, such as a profile of another version.
    pub notes: Vec<String>,
    /// What the API has no place for.
    pub api_lacks: Vec<String>,
    /// How often there was each verdict.
    pub summary: Summary,
    /// The results.
    pub cases: Vec<CaseResult>,
    /// From sending to readable; `None` if that was not tried.
    pub freshness: Option<Freshness>,
    /// The limits that were found.
    pub limits: Vec<LimitResult>,
}

/// The result of a case.
#[derive(Clone, Debug, Serialize)]
pub struct CaseResult {
    /// Its name.
    pub case: String,
    /// What it belongs to.
    pub group: String,
    /// Why it is sent.
    pub why: String,
    /// The protocol; `None` if it is not sent over each.
    pub over: Option<Protocol>,
    /// The verdict.
    pub verdict: Verdict,
    /// What came back in another way than it was sent: the first ones.
    pub differences: Vec<Difference>,
    /// How many more there are.
    #[serde(skip_serializing_if = "is_zero")]
    pub more_differences: usize,
    /// The losses that the API has no place for; the others are of the store, or of what is in front of it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub of_the_api: Vec<Loss>,
    /// Losses that the profile does not have.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub new: Vec<Loss>,
    /// Losses of the profile that are gone.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub gone: Vec<Loss>,
    /// All losses that were seen, each once.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub losses: Vec<Loss>,
    /// Why it was not tried or not judged, and what the backend said.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// From sending to the result, in seconds.
    pub seconds: f64,
}

/// How long a trace takes from the answer to its export until it can be read, in milliseconds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Freshness {
    /// The number of traces.
    pub traces: usize,
    /// Those that could not be read within the patience.
    pub never: usize,
    /// The pause between two reads, which is the finest that is seen.
    pub resolution_ms: f64,
    /// The median.
    pub p50_ms: f64,
    /// The 90th percentile.
    pub p90_ms: f64,
    /// The longest.
    pub max_ms: f64,
}

/// A limit of the backend.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LimitResult {
    /// What was made larger.
    pub what: String,
    /// Its unit.
    pub unit: String,
    /// The largest that came back whole.
    pub most: u64,
    /// The smallest that did not; `None` if the largest that is tried came back.
    pub fails_at: Option<u64>,
    /// What happened to that: what the receiver said, or what was missing.
    pub how: String,
    /// Whether it was told: `false` is a loss in silence.
    pub is_said: bool,
}

/// How often there was each verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// As it was sent.
    pub pass: usize,
    /// A known loss is gone.
    pub fixed: usize,
    /// A known loss.
    pub unsupported: usize,
    /// A loss that no profile speaks of.
    pub fail: usize,
    /// A loss that the profile promises not to be.
    pub regression: usize,
}

#[allow(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde asks for a reference"
)]
fn is_zero(number: &usize) -> bool {
    *number == 0
}

// === impl Document ===

impl Document {
    /// The worst of the verdicts.
    pub fn worst(&self) -> Verdict {
        self.cases
            .iter()
            .map(|case| case.verdict)
            .max()
            .unwrap_or(Verdict::Pass)
    }
}

// === impl Summary ===

impl Summary {
    /// Counts the verdicts.
    pub fn of(cases: &[CaseResult]) -> Summary {
        let mut summary = Summary::default();
        for case in cases {
            *match case.verdict {
                Verdict::Pass => &mut summary.pass,
                Verdict::Fixed => &mut summary.fixed,
                Verdict::Unsupported => &mut summary.unsupported,
                Verdict::Fail => &mut summary.fail,
                Verdict::Regression => &mut summary.regression,
            } += 1;
        }
        summary
    }

    /// The number of all.
    pub fn all(&self) -> usize {
        self.pass + self.fixed + self.unsupported + self.fail + self.regression
    }
}
