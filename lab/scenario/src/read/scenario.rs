//! The file as a whole: name, faults, load, variants.

use std::path::Path;

use faults::{Faults, Setting};

use super::{
    fields::{Fields, Words},
    findings,
    journey::{journey, journeys},
    latency,
    load::load,
    needs::{needs, needs_of},
    scalars::Doc,
    tree,
};
use crate::{
    Error, Scenario, Target, Variant, Weighted,
    yaml::{self, Data, Node},
};

pub(super) const SCENARIO: Words = Words {
    known: &[
        "name",
        "title",
        "story",
        "target",
        "faults",
        "journey",
        "journeys",
        "load",
        "needs",
        "expect",
        "findings",
        "latency",
        "twin",
        "near-miss",
    ],
    later: &[],
};
pub(super) const VARIANT: Words = Words {
    known: &[
        "faults", "journey", "journeys", "load", "needs", "expect", "findings",
    ],
    later: &[],
};

/// Parses a scenario. `file` is what errors call it.
///
/// # Errors
///
/// For the first thing in the text that is not understood, with its line and column and, where a word
/// is not known, the nearest one that is.
pub fn scenario(file: &str, text: &str) -> Result<Scenario, Error> {
    without_complaint(read(file, text, Use::Any)?)
}

/// Parses a scenario to check recorded traces with it: they need not be of the shop.
///
/// # Errors
///
/// As of [`scenario`], without what is known of the shop.
pub fn to_check(file: &str, text: &str) -> Result<Scenario, Error> {
    without_complaint(read(file, text, Use::Check)?)
}

fn without_complaint(
    (scenario, mut complaints): (Scenario, Vec<Error>),
) -> Result<Scenario, Error> {
    match complaints.is_empty() {
        true => Ok(scenario),
        false => Err(complaints.swap_remove(0)),
    }
}

/// What a scenario is read for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    /// To be run, or looked at.
    Any,
    /// To check recorded traces, of whatever system.
    Check,
}

/// The fields of a scenario that only checks recorded traces. One more, and it describes a run.
const OF_A_CHECK: [&str; 4] = ["name", "title", "story", "expect"];

/// All that is wrong with a scenario; of what cannot be read at all, the first.
pub fn lint(file: &str, text: &str) -> Vec<Error> {
    match read(file, text, Use::Any) {
        Ok((_, complaints)) => complaints,
        Err(error) => vec![error],
    }
}

fn read(file: &str, text: &str, used: Use) -> Result<(Scenario, Vec<Error>), Error> {
    let root = yaml::parse(file, text)?;
    let keys: Vec<&str> = match &root.data {
        Data::Map(pairs) => pairs.iter().map(|(key, _)| key.text.as_str()).collect(),
        _ => Vec::new(),
    };
    let only_checks = keys.contains(&"expect") && keys.iter().all(|key| OF_A_CHECK.contains(key));
    let of_shop = used == Use::Any && !only_checks && !keys.contains(&"target");
    let doc = &Doc::new(file, text, of_shop);
    let fields = Fields::of(doc, &root, "a scenario", &SCENARIO)?;
    let target = fields
        .map("target", |node| target(doc, node))?
        .unwrap_or(Target::Shop);
    let name = match fields.get("name") {
        None if only_checks => name_of(file),
        _ => name(doc, fields.require(doc, "name")?)?,
    };
    let title = match fields.get("title") {
        None if only_checks => name.clone(),
        _ => doc.text(fields.require(doc, "title")?)?.to_owned(),
    };
    let load = match only_checks {
        true => None,
        false => Some(load(doc, fields.require(doc, "load")?)?),
    };
    let scenario = Scenario {
        name,
        title,
        story: fields
            .map("story", |node| doc.text(node))?
            .unwrap_or_default()
            .to_owned(),
        faults: fields
            .map("faults", |node| faults(doc, node))?
            .unwrap_or_default(),
        journeys: which_journeys(doc, &fields)?.unwrap_or_else(|| vec![Weighted::default()]),
        load,
        needs: needs_of(doc, &fields)?,
        expect: tree::expectation(doc, fields.require(doc, "expect")?)?,
        findings: fields.map("findings", |node| findings::wants(doc, node))?,
        latency: fields
            .map("latency", |node| latency::wants(doc, node))?
            .unwrap_or_default(),
        twin: fields.map("twin", |node| variant(doc, node, "a twin"))?,
        near_miss: fields.map("near-miss", |node| variant(doc, node, "a near miss"))?,
        target,
    };
    check_whole(doc, &fields, &scenario);
    Ok((scenario, doc.complaints()))
}

/// What is wrong only because of something elsewhere in the file.
fn check_whole(doc: &Doc<'_>, fields: &Fields<'_>, scenario: &Scenario) {
    let variants = [("twin", &scenario.twin), ("near-miss", &scenario.near_miss)];
    for (name, variant) in variants {
        let Some(variant) = variant else { continue };
        let same_faults = variant
            .faults
            .as_ref()
            .is_none_or(|faults| *faults == scenario.faults);
        let same_needs = variant
            .needs
            .as_ref()
            .is_none_or(|needs| *needs == scenario.needs);
        if same_faults && variant.journeys.is_none() && variant.load.is_none() && same_needs {
            let message = format!("this {name} is the scenario itself, and cannot be silent");
            doc.complain(
                doc.error(variant.position, message)
                    .with_hint("give it other faults: { faults: {} }"),
            );
        }
    }
    let of_requests = |weighted: &Weighted| matches!(weighted.journey, crate::Journey::Requests(_));
    let shop = scenario.target == Target::Shop;
    for weighted in &scenario.journeys {
        if shop && of_requests(weighted) {
            let message = "requests need a target: the shop's own journey is an order";
            doc.complain(
                doc.error(fields.at(), message)
                    .with_hint("add target: http://HOST:PORT"),
            );
        } else if !shop && !of_requests(weighted) {
            let message = "a target of one's own needs requests: it knows no orders";
            doc.complain(
                doc.error(fields.at(), message)
                    .with_hint("write journey: { requests: [{ method: GET, path: / }] }"),
            );
        }
    }
    if !shop && !scenario.faults.is_empty() {
        let message = "only the shop has faults that can be switched on";
        doc.complain(doc.error(fields.at(), message));
    }
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

/// The name of a scenario that has none: that of its file, in the letters of a name.
fn name_of(file: &str) -> String {
    let stem = Path::new(file).file_stem().unwrap_or_default();
    let letter = |c: char| match c.to_ascii_lowercase() {
        c if c.is_ascii_lowercase() || c.is_ascii_digit() => c,
        _ => '-',
    };
    let name: String = stem.to_string_lossy().chars().map(letter).collect();
    match name.trim_matches('-') {
        "" => "check".to_owned(),
        name => name.to_owned(),
    }
}

fn target(doc: &Doc<'_>, node: &Node) -> Result<Target, Error> {
    let url = doc.text(node)?;
    let host = url.strip_prefix("http://").unwrap_or_default();
    if host.is_empty() || host.starts_with('/') || host.contains(char::is_whitespace) {
        return Err(doc.wanted(
            node,
            "the address of a service such as http://127.0.0.1:9000",
        ));
    }
    Ok(Target::Url(url.trim_end_matches('/').to_owned()))
}

fn faults(doc: &Doc<'_>, node: &Node) -> Result<Faults, Error> {
    let Data::Map(pairs) = &node.data else {
        return Err(doc.wanted(
            node,
            "a map of faults such as { slow-provider: { latency_ms: 800 } }",
        ));
    };
    let mut faults = Faults::NONE;
    for (key, value) in pairs {
        let fault =
            faults::find(&key.text).map_err(|error| doc.error(key.at, error.to_string()))?;
        let mut setting = Setting::new(fault);
        let parameters: &[_] = match &value.data {
            Data::Map(parameters) => parameters,
            Data::Null => &[],
            _ => return Err(doc.wanted(value, "a map of parameters, or {}")),
        };
        for (name, value) in parameters {
            let text = match &value.data {
                Data::Int(number) => number.to_string(),
                Data::Double(number) => number.to_string(),
                Data::Text(text, _) => text.clone(),
                _ => return Err(doc.wanted(value, "a number or a word")),
            };
            setting.set(&name.text, &text).map_err(|error| {
                let at = match &error {
                    faults::Error::UnknownParameter { .. } => name.at,
                    _ => value.at,
                };
                doc.error(at, error.to_string())
            })?;
        }
        faults
            .insert(setting)
            .map_err(|error| doc.error(key.at, error.to_string()))?;
    }
    Ok(faults)
}

fn which_journeys(doc: &Doc<'_>, fields: &Fields<'_>) -> Result<Option<Vec<Weighted>>, Error> {
    match (fields.get("journey"), fields.get("journeys")) {
        (Some(_), Some(node)) => Err(doc.error(node.at, "journey and journeys are both given")),
        (Some(node), None) => Ok(Some(vec![Weighted {
            weight: 1,
            journey: journey(doc, node)?,
        }])),
        (None, Some(node)) => journeys(doc, node).map(Some),
        (None, None) => Ok(None),
    }
}

fn variant(doc: &Doc<'_>, node: &Node, what: &'static str) -> Result<Variant, Error> {
    let fields = Fields::of(doc, node, what, &VARIANT)?;
    Ok(Variant {
        position: fields.at(),
        faults: fields.map("faults", |node| faults(doc, node))?,
        journeys: which_journeys(doc, &fields)?,
        load: fields.map("load", |node| load(doc, node))?,
        needs: fields.map("needs", |node| needs(doc, node))?,
        expect: fields.map("expect", |node| tree::expectation(doc, node))?,
        findings: fields.map("findings", |node| findings::wants(doc, node))?,
    })
}
