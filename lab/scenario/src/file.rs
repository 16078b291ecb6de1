//! What a scenario file says, apart from its expectation.

use faults::Faults;
use schedule::Load;

use crate::{DoubleRange, DurationRange, Expectation, Need, Pattern, Position};

/// A scenario: a load on the shop, and what its traces must look like.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Its name: lower-case letters, digits and dashes.
    pub name: String,
    /// One line for people.
    pub title: String,
    /// Markdown: what to look at, what to ask, what the answer is. May be empty.
    pub story: String,
    /// The program whose traces are judged.
    pub target: Target,
    /// The faults that are switched on for each request.
    pub faults: Faults,
    /// What users do; each does one of these, chosen by weight. Never empty.
    pub journeys: Vec<Weighted>,
    /// How many users do it, and how often. `None`: the scenario only checks recorded traces, and cannot be
    /// run.
    pub load: Option<Load>,
    /// What it needs, beyond what its faults need. A variant needs the same unless it lists its own needs.
    pub needs: Vec<Need>,
    /// What the trace of each checkout must look like.
    pub expect: Expectation,
    /// What the diagnosis must report: these and no others. `None`: the scenario does not judge findings.
    pub findings: Option<Vec<FindingWant>>,
    /// Limits of times, over all traces of a phase.
    pub latency: Vec<LatencyWant>,
    /// The same without the fault. `None`: the scenario has none.
    pub twin: Option<Variant>,
    /// What looks alike and is healthy. `None`: the scenario has none.
    pub near_miss: Option<Variant>,
}

/// Whose traces a scenario speaks of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// The shop's.
    Shop,
    /// Those of a service of the user's own: `target: http://…`.
    Url(String),
}

/// A scenario with something changed: its twin, or its near miss. What is `None` stays as it is.
///
/// A variant is silent: the scenario's expectation must hold on none of its traces.
#[derive(Clone, Debug)]
pub struct Variant {
    /// Where it stands in the file.
    pub position: Position,
    /// Other faults.
    pub faults: Option<Faults>,
    /// Other journeys.
    pub journeys: Option<Vec<Weighted>>,
    /// Another load.
    pub load: Option<Load>,
    /// What it needs, in place of what its scenario needs.
    pub needs: Option<Vec<Need>>,
    /// What each of its traces must look like. It must also fail the expectation of the scenario.
    pub expect: Option<Expectation>,
    /// What the diagnosis reports of it: none of what it must report of the scenario. `None`: nothing.
    pub findings: Option<Vec<FindingWant>>,
}

/// A finding that must be reported.
#[derive(Clone, Debug)]
pub struct FindingWant {
    /// The rule that reports it.
    pub rule: &'static diagnose::Rule,
    /// On which share of the traces; `None` is on each. Where many requests contend, some do not wait.
    pub share: Option<DoubleRange>,
    /// What it needs to be judged. Where the lab lacks that, the finding may be there or not.
    pub needs: Vec<Need>,
}

/// A journey, and how often users take it.
#[derive(Clone, Debug, PartialEq)]
pub struct Weighted {
    /// How often, in comparison with the others. 1 where the file says nothing.
    pub weight: u32,
    /// What is done.
    pub journey: Journey,
}

/// What a user does.
#[derive(Clone, Debug, PartialEq)]
pub enum Journey {
    /// Fill a cart, check out.
    Order(OrderJourney),
    /// Requests to a service of the user's own, one after another. Only with a target of their own.
    Requests(Vec<Request>),
}

/// What is ordered of the shop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderJourney {
    /// How many different articles are in the cart: 1 to 200; 1 unless the file says otherwise.
    pub cart_lines: u32,
    /// These articles, in place of any that the seed chooses: `skus`. Empty: any.
    pub skus: Vec<String>,
    /// Whether the user gives a discount code; no unless the file says otherwise.
    pub coupon: bool,
}

/// A request to a service of the user's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// `GET`, `POST`, …; `GET` unless the file says otherwise.
    pub method: String,
    /// The path and the query, with a slash at the beginning.
    pub path: String,
    /// Header fields that are sent along.
    pub headers: Vec<(String, String)>,
    /// The body; text, or JSON if the file has a mapping or a list.
    pub body: Option<String>,
}

/// A limit of a time, over all traces of the faulty phase.
#[derive(Clone, Debug)]
pub struct LatencyWant {
    /// Where it stands in the file.
    pub position: Position,
    /// Which span; `None` is the request as the user sees it.
    pub span: Option<Pattern>,
    /// Whether the simulated time of the pace is left out: the load is driven once more at the pace
    /// `none`, and measured there.
    pub own: bool,
    /// What is asked of which percentile. Never empty.
    pub percentiles: Vec<(Percentile, TimeWant)>,
    /// What it needs to be judged. Where the lab lacks that, it is measured and not judged.
    pub needs: Vec<Need>,
}

/// A percentile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Percentile {
    /// Half of the times are no longer.
    P50,
    /// Nine in ten are no longer.
    P90,
    /// Ninety-nine in a hundred are no longer.
    P99,
}

/// What a time must be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum TimeWant {
    /// In a range.
    Absolute(DurationRange),
    /// A multiple of the same time of the twin: `">= 3x twin"`.
    OfTwin(DoubleRange),
}

// === impl Scenario ===

impl Scenario {
    /// Whether it only checks recorded traces: it has no load, so it cannot be run.
    pub fn only_checks(&self) -> bool {
        self.load.is_none()
    }
}
