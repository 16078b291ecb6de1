//! The file as a whole: name, journey, load.

use std::time::Duration;

use faults::Faults;

use super::{
    fields::{Fields, Words},
    scalars::Doc,
    tree,
};
use crate::{
    Arrivals, Error, Journey, Load, Order, Rate, Scenario, Stage, Target, Weighted,
    yaml::{self, Data, Node},
};

const SCENARIO: Words = Words {
    known: &["name", "title", "story", "journey", "load", "expect"],
    later: &["faults", "findings", "latency", "twin", "near-miss"],
};
const JOURNEY: Words = Words {
    known: &["cart-lines", "coupon"],
    later: &[],
};
const LOAD: Words = Words {
    known: &["requests", "users", "rate", "duration"],
    later: &[],
};

/// Parses a scenario. `file` is what errors call it.
pub fn scenario(file: &str, text: &str) -> Result<Scenario, Error> {
    let root = yaml::parse(file, text)?;
    let doc = &Doc { file, text };
    let fields = Fields::of(doc, &root, "a scenario", &SCENARIO)?;
    Ok(Scenario {
        name: name(doc, fields.require(doc, "name")?)?,
        title: doc.text(fields.require(doc, "title")?)?.to_owned(),
        story: fields
            .map("story", |node| doc.text(node))?
            .unwrap_or_default()
            .to_owned(),
        target: Target::Shop,
        faults: Faults::NONE,
        journeys: vec![Weighted {
            weight: 1,
            journey: Journey::Order(
                fields
                    .map("journey", |node| journey(doc, node))?
                    .unwrap_or_default(),
            ),
        }],
        needs: None,
        latency: Vec::new(),
        twin: None,
        near_miss: None,
        load: load(doc, fields.require(doc, "load")?)?,
        expect: tree::expectation(doc, fields.require(doc, "expect")?)?,
    })
}

fn name(doc: &Doc<'_>, node: &Node) -> Result<String, Error> {
    let name = doc.text(node)?;
    let valid = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if name.is_empty() || !name.chars().all(valid) {
        let message = format!("{name:?} is no name of a scenario");
        return Err(doc
            .error(node.at, message)
            .with_hint("use lower-case letters, digits and dashes"));
    }
    Ok(name.to_owned())
}

impl Default for Order {
    fn default() -> Self {
        Order {
            cart_lines: 1,
            skus: Vec::new(),
            coupon: false,
        }
    }
}

fn journey(doc: &Doc<'_>, node: &Node) -> Result<Order, Error> {
    let fields = Fields::of(doc, node, "a journey", &JOURNEY)?;
    let usual = Order::default();
    Ok(Order {
        skus: Vec::new(),
        cart_lines: fields
            .map("cart-lines", |node| doc.integer(node, 1..=200))?
            .unwrap_or(usual.cart_lines),
        coupon: fields
            .map("coupon", |node| doc.boolean(node))?
            .unwrap_or(usual.coupon),
    })
}

fn load(doc: &Doc<'_>, node: &Node) -> Result<Load, Error> {
    let fields = Fields::of(doc, node, "a load", &LOAD)?;
    let requests = fields.map("requests", |node| doc.integer(node, 1..=1_000_000_000))?;
    let users = fields.map("users", |node| doc.integer(node, 1..=100_000))?;
    let rate = fields.map("rate", |node| rate(doc, node))?;
    let duration = fields.map("duration", |node| {
        let duration = doc.duration(node)?;
        match duration.is_zero() {
            true => Err(doc.error(node.at, "a load of no duration does nothing")),
            false => Ok(duration),
        }
    })?;
    match (requests, users, rate, duration) {
        (Some(requests), Some(users), None, None) => Ok(Load::Closed {
            requests,
            users,
            ramp: Duration::ZERO,
        }),
        (None, Some(users), None, Some(duration)) => Ok(Load::ClosedFor {
            users,
            duration,
            ramp: Duration::ZERO,
        }),
        (None, None, Some(rate), Some(duration)) => Ok(Load::Open {
            stages: vec![Stage {
                from: rate,
                to: rate,
                duration,
            }],
            arrivals: Arrivals::Constant,
        }),
        _ => Err(doc
            .error(fields.at(), "these fields make no load")
            .with_hint("write { requests, users } or { users, duration } or { rate, duration }")),
    }
}

/// `10/s`, `0.5/s` or `30/m`.
fn rate(doc: &Doc<'_>, node: &Node) -> Result<Rate, Error> {
    let parse = |text: &str| {
        let (number, unit) = text.split_once('/')?;
        let seconds = match unit.trim() {
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return None,
        };
        let rate = number.trim().parse::<f64>().ok()? / seconds;
        (rate.is_finite() && rate > 0.0 && rate <= 1e6).then_some(Rate(rate))
    };
    match &node.data {
        Data::Text(text, _) => parse(text),
        _ => None,
    }
    .ok_or_else(|| doc.wanted(node, "a rate such as 10/s, above 0/s and at most 1000000/s"))
}
