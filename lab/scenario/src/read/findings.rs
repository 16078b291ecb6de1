//! `findings:`: what the diagnosis must report.

use super::{
    fields::{Fields, Words},
    needs::needs_of,
    scalars::Doc,
};
use crate::{
    DoubleRange, Error, FindingWant, word,
    yaml::{Data, Node},
};

pub(super) const FINDING: Words = Words {
    known: &["name", "share", "needs"],
    later: &[],
};

/// A list of names, or of names with the share of the traces that must have them and what they need.
pub(super) fn wants(doc: &Doc<'_>, node: &Node) -> Result<Vec<FindingWant>, Error> {
    let mut wants: Vec<FindingWant> = Vec::new();
    for item in doc.list(node)? {
        let want = want(doc, item)?;
        if wants.iter().any(|known| known.rule == want.rule) {
            return Err(doc.error(item.at, format!("{:?} is asked for twice", want.rule.name)));
        }
        wants.push(want);
    }
    Ok(wants)
}

fn want(doc: &Doc<'_>, node: &Node) -> Result<FindingWant, Error> {
    let Data::Map(_) = &node.data else {
        return Ok(FindingWant {
            rule: rule(doc, node)?,
            share: None,
            needs: Vec::new(),
        });
    };
    let fields = Fields::of(doc, node, "a finding", &FINDING)?;
    let rule = rule(doc, fields.require(doc, "name")?)?;
    let share = fields.map("share", |node| share(doc, node))?;
    let needs = needs_of(doc, &fields)?;
    Ok(FindingWant { rule, share, needs })
}

fn share(doc: &Doc<'_>, node: &Node) -> Result<DoubleRange, Error> {
    let share = doc.share(node, doc.text(node)?)?;
    match share.min > 1.0 {
        true => Err(doc.error(node.at, "no more than all traces can have it: 100%")),
        false => Ok(share),
    }
}

fn rule(doc: &Doc<'_>, node: &Node) -> Result<&'static diagnose::Rule, Error> {
    let name = doc.text(node)?;
    diagnose::rule(name).ok_or_else(|| {
        let known = diagnose::catalogue().map(|rule| rule.name);
        doc.error(node.at, format!("there is no finding {name:?}"))
            .with_hint(word::suggest(name, known))
    })
}
