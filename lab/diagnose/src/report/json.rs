//! The diagnosis as JSON: the document of `tracelab diagnose --format json`.

use serde_json::{Value as Json, json};
use trace::CriticalPath;

use super::sections;
use crate::{Diagnosis, Finding, Story, format::ms};

/// `{"traces": [{"trace_id", "critical_path", "walk", "findings", …}]}`.
pub fn to_json(diagnoses: &[Diagnosis<'_>]) -> Json {
    json!({ "traces": diagnoses.iter().map(one).collect::<Vec<_>>() })
}

fn one(diagnosis: &Diagnosis<'_>) -> Json {
    let path = diagnosis
        .path()
        .map_or_else(Vec::new, |path| of_path(diagnosis, path));
    let later: Vec<Json> = diagnosis
        .later()
        .map(|path| {
            let root = diagnosis.trace.span(path.root);
            json!({
                "service": root.service(),
                "name": root.name,
                "ms": ms(u64::try_from(root.duration().as_nanos()).unwrap_or(u64::MAX)),
                "critical_path": of_path(diagnosis, path),
            })
        })
        .collect();
    json!({
        "trace_id": diagnosis.trace.id().to_string(),
        "critical_path": path,
        "walk": diagnosis.walk.steps.iter().map(|step| step.span_id.to_string()).collect::<Vec<_>>(),
        "findings": diagnosis.findings.iter().map(finding).collect::<Vec<_>>(),
        "later": later,
        "end_to_end_ms": diagnosis.end_to_end_ns().map(ms),
        "error": diagnosis.story.as_ref().map(story),
        "missing": diagnosis.missing,
    })
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
        "severity": finding.rule.severity,
        "spans": finding.spans.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "cost_ms": ms(u64::try_from(finding.cost.as_nanos()).unwrap_or(u64::MAX)),
        "evidence": finding.evidence,
        "facts": finding.facts,
        "means": finding.rule.summary,
        "remedy": finding.rule.remedy,
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
