//! The diagnosis as JSON: the document of `tracelab diagnose --format json`.

use serde_json::{Value as Json, json};
use trace::CriticalPath;

use super::{Apart, sections};
use crate::{Diagnosis, Finding, Story, format::ms};

/// `{"traces": [{"trace_id", "critical_path", "walk", "findings", …}]}`. The traces that were asked for come
/// first. Those of the others in which something was found follow, each with `"neighbour": true`.
pub fn to_json(asked: &[Diagnosis<'_>], others: &[Diagnosis<'_>]) -> Json {
    let found = others
        .iter()
        .filter(|diagnosis| !diagnosis.findings.is_empty());
    let found = found.map(|diagnosis| {
        let mut document = one_to_json(diagnosis);
        document["neighbour"] = true.into();
        document
    });
    json!({ "traces": asked.iter().map(one_to_json).chain(found).collect::<Vec<_>>() })
}

/// The document of one trace: an item of `traces` in [`to_json`].
pub fn one_to_json(diagnosis: &Diagnosis<'_>) -> Json {
    let path = diagnosis
        .path()
        .map_or_else(Vec::new, |path| of_path(diagnosis, path));
    let apart = diagnosis.apart().map(|(apart, path)| {
        let root = diagnosis.trace.span(path.root);
        let parent = diagnosis.trace.parent(path.root);
        json!({
            "root": root.span_id.to_string(),
            "service": root.service(),
            "name": root.name,
            "why": apart.as_str(),
            "below": parent.map(|parent| diagnosis.trace.span(parent).span_id.to_string()),
            "ms": ms(u64::try_from(path.total().as_nanos()).unwrap_or(u64::MAX)),
            "critical_path": of_path(diagnosis, path),
        })
    });
    let apart: Vec<Json> = apart.collect();
    json!({
        "trace_id": diagnosis.trace.id().to_string(),
        "critical_path": path,
        "paths": apart,
        "walk": diagnosis.walk.steps.iter().map(|step| step.span_id.to_string()).collect::<Vec<_>>(),
        "findings": diagnosis.findings.iter().map(finding).collect::<Vec<_>>(),
        "later": later(&apart),
        "end_to_end_ms": diagnosis.end_to_end_ns().map(ms),
        "error": diagnosis.story.as_ref().map(story),
        "missing": diagnosis.missing,
    })
}

/// The paths of work that messages started, once more: the document had them under this name before it had `paths`.
fn later(apart: &[Json]) -> Vec<Json> {
    let of_messages = apart
        .iter()
        .filter(|path| path["why"] == Apart::Message.as_str());
    let short = of_messages.map(|path| {
        json!({
            "service": path["service"],
            "name": path["name"],
            "ms": path["ms"],
            "critical_path": path["critical_path"],
        })
    });
    short.collect()
}

fn of_path(diagnosis: &Diagnosis<'_>, path: &CriticalPath) -> Vec<Json> {
    let total: u64 = sections(path).iter().map(|section| section.ns).sum();
    sections(path)
        .iter()
        .map(|section| {
            let span = diagnosis.trace.span(section.place);
            json!({
                "span_id": span.span_id.to_string(),
                "service": span.service(),
                "name": span.name,
                "ms": ms(section.ns),
                "share": (section.ns as f64 / total.max(1) as f64 * 1e4).round() / 1e4,
            })
        })
        .collect()
}

fn finding(finding: &Finding) -> Json {
    json!({
        "name": finding.rule.name,
        "severity": finding.severity,
        "spans": finding.spans.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "cost_ms": ms(u64::try_from(finding.cost.as_nanos()).unwrap_or(u64::MAX)),
        "share": finding.share.map(|share| (share * 1e4).round() / 1e4),
        "evidence": finding.evidence,
        "facts": finding.facts,
        "means": finding.rule.summary,
        "remedy": finding.remedy,
        "docs": finding.docs(),
    })
}

fn story(story: &Story) -> Json {
    let chapters = story.chapters.iter().map(|chapter| {
        let context: serde_json::Map<String, Json> = chapter
            .context
            .iter()
            .map(|(key, value)| (key.clone(), value.as_str().into()))
            .collect();
        json!({
            "span_id": chapter.span_id.to_string(),
            "service": chapter.service,
            "name": chapter.name,
            "made_of_it": chapter.made_of_it,
            "context": context,
        })
    });
    Json::Array(chapters.collect())
}
