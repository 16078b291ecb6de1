//! `load:`: how many users, or how many starts in a time.

use std::{num::NonZeroUsize, time::Duration};

use schedule::{Arrivals, Load, Rate, Stage};

use super::{
    fields::{Fields, Words},
    scalars::Doc,
};
use crate::{
    Error,
    yaml::{Data, Node},
};

pub(super) const LOAD: Words = Words {
    known: &[
        "requests", "users", "rate", "duration", "stages", "arrivals", "ramp",
    ],
    later: &[],
};
pub(super) const STAGE: Words = Words {
    known: &["rate", "from", "duration"],
    later: &[],
};

pub(super) fn load(doc: &Doc<'_>, node: &Node) -> Result<Load, Error> {
    let fields = Fields::of(doc, node, "a load", &LOAD)?;
    let requests = fields.map("requests", |node| doc.integer(node, 1..=1_000_000_000))?;
    let users = fields.map("users", |node| users(doc, node))?;
    let rate = fields.map("rate", |node| some_rate(doc, node))?;
    let duration = fields.map("duration", |node| some_time(doc, node))?;
    let stages = fields.map("stages", |node| stages(doc, node))?;
    let ramp = fields.map("ramp", |node| doc.duration(node))?;
    let arrivals = fields.map("arrivals", |node| {
        let words = [
            ("constant", Arrivals::Constant),
            ("poisson", Arrivals::Poisson),
        ];
        doc.word(node, "kind of arrivals", &words)
    })?;
    let load = match (requests, users, rate, duration, stages) {
        (Some(requests), Some(users), None, None, None) => Load::Closed {
            requests,
            users,
            ramp: ramp.unwrap_or_default(),
        },
        (None, Some(users), None, Some(duration), None) => Load::ClosedFor {
            users,
            duration,
            ramp: ramp.unwrap_or_default(),
        },
        (None, None, Some(rate), Some(duration), None) => Load::Open {
            stages: ramped(rate, duration, ramp),
            arrivals: arrivals.unwrap_or_default(),
        },
        (None, None, None, None, Some(stages)) => Load::Open {
            stages,
            arrivals: arrivals.unwrap_or_default(),
        },
        _ => {
            return Err(doc
                .error(fields.at(), "these fields make no load")
                .with_hint(
                    "write { requests, users } or { users, duration } or { rate, duration } or \
                 { stages }",
                ));
        }
    };
    let open = matches!(load, Load::Open { .. });
    if let Some(node) = fields.get("arrivals").filter(|_| !open) {
        return Err(doc.error(
            node.at,
            "users who wait for each reply come when they are free",
        ));
    }
    if let Some(node) = fields
        .get("ramp")
        .filter(|_| fields.get("stages").is_some())
    {
        return Err(doc
            .error(node.at, "stages say themselves how the rate changes")
            .with_hint("begin with a stage { from: 0/s, rate: …, duration: … }"));
    }
    Ok(load)
}

fn ramped(rate: Rate, duration: Duration, ramp: Option<Duration>) -> Vec<Stage> {
    let steady = Stage::steady(rate, duration);
    match ramp.filter(|ramp| !ramp.is_zero()) {
        None => vec![steady],
        Some(ramp) => vec![Stage::ramp(rate, ramp), steady],
    }
}

fn stages(doc: &Doc<'_>, node: &Node) -> Result<Vec<Stage>, Error> {
    let items = doc.list(node)?;
    if items.is_empty() {
        return Err(doc.error(node.at, "there is no stage"));
    }
    let stage = |item| {
        let fields = Fields::of(doc, item, "a stage", &STAGE)?;
        let to = rate(doc, fields.require(doc, "rate")?)?;
        Ok(Stage {
            from: fields.map("from", |node| rate(doc, node))?.unwrap_or(to),
            to,
            duration: some_time(doc, fields.require(doc, "duration")?)?,
        })
    };
    let stages: Vec<Stage> = items.iter().map(stage).collect::<Result<_, _>>()?;
    if schedule::total(&stages) == 0.0 {
        return Err(doc.error(node.at, "a load at a rate of 0/s does nothing"));
    }
    Ok(stages)
}

fn some_time(doc: &Doc<'_>, node: &Node) -> Result<Duration, Error> {
    let duration = doc.duration(node)?;
    match duration.is_zero() {
        true => Err(doc.error(node.at, "a load of no duration does nothing")),
        false => Ok(duration),
    }
}

fn some_rate(doc: &Doc<'_>, node: &Node) -> Result<Rate, Error> {
    let rate = rate(doc, node)?;
    match rate == Rate::ZERO {
        true => Err(doc.wanted(node, RATE)),
        false => Ok(rate),
    }
}

const RATE: &str = "a rate such as 10/s, above 0/s and at most 1000000/s";

/// `10/s`, `0.5/s` or `30/m`; zero only in stages.
fn rate(doc: &Doc<'_>, node: &Node) -> Result<Rate, Error> {
    match &node.data {
        Data::Text(text, _) => Rate::parse_in_stage(text).ok(),
        _ => None,
    }
    .ok_or_else(|| doc.wanted(node, RATE))
}

fn users(doc: &Doc<'_>, node: &Node) -> Result<NonZeroUsize, Error> {
    let users: usize = doc.integer(node, 1..=100_000)?;
    Ok(NonZeroUsize::new(users).expect("it is at least 1"))
}
