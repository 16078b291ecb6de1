//! The real Jaeger and the real Zipkin behind the real Collector: what they give back of the shop's orders can be
//! checked, and what they change of a trace is what the book says.

use std::{collections::BTreeSet, path::Path, process::Stdio};

use serde_json::Value;
use tempfile::TempDir;
use tokio::process::{Child, Command};
use trace::{Attributes, Span};

use super::rig::{Rig, three_orders};
use crate::{
    node::{self, free_ports},
    support::{eventually, run},
};

/// Runs a program until standard input ends, which it does with the test, in whatever way.
const KEEPER: &str = "\"$@\" & cat >/dev/null; kill $!; wait";

/// A back end that runs on free ports, and ends with the test.
struct BackEnd {
    /// Where it takes spans, as the set-up's variable names it.
    takes: String,
    /// The address of its API.
    api: String,
    _folder: TempDir,
    _process: Child,
}

// === impl BackEnd ===

impl BackEnd {
    async fn jaeger() -> BackEnd {
        let [grpc, http] = free_ports().map(|port| format!("127.0.0.1:{port}"));
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("jaeger.yaml");
        std::fs::write(&file, include_str!("jaeger.yaml")).unwrap();
        let mut jaeger = kept("jaeger");
        jaeger
            .arg("--config")
            .arg(file)
            .env("JAEGER_OTLP_GRPC", &grpc)
            .env("JAEGER_API", &http)
            // It would trace itself.
            .env("OTEL_TRACES_SAMPLER", "always_off");
        let api = format!("http://{http}/api");
        BackEnd::start(jaeger, grpc, api, "/services", folder).await
    }

    async fn zipkin() -> BackEnd {
        let [port] = free_ports();
        let folder = TempDir::new().unwrap();
        let mut zipkin = kept("zipkin");
        zipkin
            .arg("--armeria.ports[0].ip=127.0.0.1")
            .arg(format!("--armeria.ports[0].port={port}"))
            .arg("--armeria.ports[0].protocols[0]=http")
            .env("STORAGE_TYPE", "mem")
            // It starts in half of the time, and serves little.
            .env("JAVA_TOOL_OPTIONS", "-XX:TieredStopAtLevel=1 -Xmx256m");
        let api = format!("http://127.0.0.1:{port}/api/v2");
        let takes = format!("{api}/spans");
        BackEnd::start(zipkin, takes, api, "/services", folder).await
    }

    /// Starts a program, and waits until this path of its API answers.
    async fn start(
        mut program: Command,
        takes: String,
        api: String,
        path: &str,
        folder: TempDir,
    ) -> BackEnd {
        let process = program
            .current_dir(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let back_end = BackEnd {
            takes,
            api,
            _folder: folder,
            _process: process,
        };
        eventually("a back end to serve", async || back_end.get(path).await).await;
        back_end
    }

    /// An answer of its API; `None` if there is none, or none with success.
    async fn get(&self, path: &str) -> Option<Vec<u8>> {
        let reply = reqwest::get(format!("{}{path}", self.api)).await.ok()?;
        let reply = reply.error_for_status().ok()?;
        Some(reply.bytes().await.unwrap().to_vec())
    }

    /// Downloads a trace, as soon as it has this number of spans.
    async fn download(&self, path: &str, spans: usize) -> Vec<u8> {
        eventually(&format!("{path} with {spans} spans"), async || {
            let answer = self.get(path).await?;
            let read = formats::read(&answer).ok()?;
            (read.spans.len() == spans).then_some(answer)
        })
        .await
    }
}

/// Whether tests with the real Jaeger and Zipkin run: a plain `scripts/test` does not get them.
fn there_are_back_ends() -> bool {
    if !node::is_asked_for() {
        node::say(
            "A TEST DID NOT RUN: it needs Jaeger and Zipkin; scripts/parts collector jaeger zipkin gets them, \
             scripts/test --real runs it",
        );
    }
    node::is_asked_for()
}

/// A program of `scripts/parts`, with its keeper.
fn kept(name: &str) -> Command {
    let program = node::find(name);
    let program =
        program.unwrap_or_else(|| panic!("{name} is needed: scripts/parts {name} gets it"));
    let mut keeper = Command::new("sh");
    keeper.args(["-c", KEEPER, "keeper"]).arg(program);
    keeper
}

/// Sends three orders of the shop through a set-up, and downloads their traces into files of the folder.
async fn downloads(
    file: &str,
    variable: &str,
    back_end: &BackEnd,
    path: impl Fn(&str) -> String,
    folder: &Path,
) -> Vec<String> {
    let mut downloads = Vec::new();
    for (id, spans) in three_orders(file, &[(variable, &back_end.takes)]).await {
        let answer = back_end.download(&path(&id), spans).await;
        let download = folder.join(format!("{id}.json"));
        std::fs::write(&download, answer).unwrap();
        downloads.push(download.to_str().unwrap().to_owned());
    }
    downloads
}

async fn check(downloads: &[String]) -> Value {
    let mut arguments = vec!["check", "--expect", "checkout", "--format", "json"];
    arguments.extend(downloads.iter().map(String::as_str));
    let (code, stdout, stderr) = run(&arguments).await;
    assert_eq!(code, 0, "{stdout}{stderr}");
    let checked: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(checked["traces"].as_array().unwrap().len(), 3, "{checked}");
    checked
}

/// All differences of a report, whatever part of it holds them.
fn differences(report: &Value) -> Vec<&Value> {
    match report {
        Value::Array(items) => items.iter().flat_map(differences).collect(),
        Value::Object(fields) => {
            let own = fields.get("differences").and_then(Value::as_array);
            let below = fields.values().flat_map(differences);
            own.into_iter().flatten().chain(below).collect()
        }
        _ => Vec::new(),
    }
}

/// Sends the trace of `changes/sent.otlp.json` through a set-up, and downloads it; the spans as sent and as downloaded.
async fn rich(
    file: &str,
    variable: &str,
    back_end: &BackEnd,
    paths: &[&str],
) -> (Vec<Span>, Vec<Vec<Span>>) {
    let text = include_str!("changes/sent.otlp.json");
    let sent = formats::read(text.as_bytes()).unwrap().spans;
    let rig = Rig::start(file, &[(variable, &back_end.takes)]).await;
    rig.send(&serde_json::from_str(text).unwrap()).await;
    let mut came = Vec::new();
    for path in paths {
        let path = format!("{path}/{}", sent[0].trace_id);
        let answer = back_end.download(&path, sent.len()).await;
        came.push(formats::read(&answer).unwrap().spans);
    }
    let lab = rig.stop().await;
    assert_eq!(
        changes(&sent, lab[0].spans()),
        "",
        "the Collector's own way"
    );
    (sent, came)
}

/// What differs between spans: a line with `-` for each fact that is missing in the second ones, with `+` for each
/// that is only there.
fn changes(sent: &[Span], came: &[Span]) -> String {
    let facts = |spans: &[Span]| -> BTreeSet<String> { spans.iter().flat_map(facts).collect() };
    let (sent, came) = (facts(sent), facts(came));
    let mut lines: Vec<(&str, char)> = Vec::new();
    lines.extend(sent.difference(&came).map(|fact| (fact.as_str(), '-')));
    lines.extend(came.difference(&sent).map(|fact| (fact.as_str(), '+')));
    // A fact that was changed stands behind what it was.
    let what = |fact: &str| -> String {
        match fact.split_once(" = ") {
            Some((key, _)) => key.to_owned(),
            None => fact.split(' ').take(2).collect(),
        }
    };
    lines.sort_by_cached_key(|(fact, sign)| (what(fact), *sign == '+'));
    lines
        .iter()
        .map(|(fact, sign)| format!("{sign} {fact}\n"))
        .collect()
}

/// Everything of a span, in lines that begin with the end of its id, and of its scope and its resource. The order of
/// attributes and of events is not in them.
fn facts(span: &Span) -> Vec<String> {
    let mut facts = vec![
        format!("name {}", span.name),
        format!("kind {}", span.kind),
        format!("parent {:?}", span.parent_span_id),
        format!("start {} ns", span.start_ns),
        format!("lasts {} ns", span.duration().as_nanos()),
        format!("state {:?}", span.trace_state),
        format!("flags {:#x}", span.flags),
        format!("status {} {:?}", span.status.code, span.status.message),
        format!(
            "dropped {} {} {}",
            span.dropped_attributes, span.dropped_events, span.dropped_links
        ),
    ];
    let of = |whose: &str, attributes: &Attributes| -> Vec<String> {
        let fact = |(key, value): (&str, &trace::Value)| {
            format!("{whose} {key} = {} {value}", value.type_name())
        };
        attributes.iter().map(fact).collect()
    };
    facts.extend(of("attribute", &span.attributes));
    for event in &span.events {
        let name = &event.name;
        facts.push(format!("event {name} at {} ns", event.time_ns));
        facts.push(format!("event {name} dropped {}", event.dropped_attributes));
        facts.extend(of(&format!("event {name}"), &event.attributes));
    }
    for link in &span.links {
        let to = link.span_id;
        facts.push(format!(
            "link {to} {} {:?} {:#x}",
            link.trace_id, link.trace_state, link.flags
        ));
        facts.extend(of(&format!("link {to}"), &link.attributes));
    }
    let id = span.span_id.to_string();
    let mut facts: Vec<String> = facts
        .iter()
        .map(|fact| format!("{} {fact}", &id[14..]))
        .collect();
    facts.push(format!(
        "scope {} {:?} {:?}",
        span.scope.name, span.scope.version, span.scope.schema_url
    ));
    facts.extend(of("scope", &span.scope.attributes));
    facts.push(format!("resource {:?}", span.resource.schema_url));
    facts.extend(of("resource", &span.resource.attributes));
    facts
}

#[tokio::test]
async fn jaeger_gives_back_orders_that_pass_and_changes_what_the_book_says() {
    if !there_are_back_ends() {
        return;
    }
    let jaeger = BackEnd::jaeger().await;
    let variable = "JAEGER_OTLP_GRPC";
    for path in ["/traces", "/v3/traces"] {
        let folder = TempDir::new().unwrap();
        let of = |id: &str| format!("{path}/{id}");
        let downloads = downloads("jaeger.yaml", variable, &jaeger, of, folder.path()).await;
        let checked = check(&downloads).await;
        for trace in checked["traces"].as_array().unwrap() {
            assert_eq!(trace["verdict"], "pass", "{path}: {trace}");
        }
    }
    let (sent, came) = rich("jaeger.yaml", variable, &jaeger, &["/v3/traces", "/traces"]).await;
    let [v3, v1] = [0, 1].map(|at| changes(&sent, &came[at]));
    assert_eq!(v3, include_str!("changes/jaeger-v3.txt"), "v3:\n{v3}");
    assert_eq!(v1, include_str!("changes/jaeger-v1.txt"), "v1:\n{v1}");
}

#[tokio::test]
async fn zipkin_gives_back_orders_that_fail_nothing_and_changes_what_the_book_says() {
    if !there_are_back_ends() {
        return;
    }
    let zipkin = BackEnd::zipkin().await;
    let variable = "ZIPKIN_ENDPOINT";
    let folder = TempDir::new().unwrap();
    let of = |id: &str| format!("/trace/{id}");
    let downloads = downloads("zipkin.yaml", variable, &zipkin, of, folder.path()).await;
    let checked = check(&downloads).await;
    for trace in checked["traces"].as_array().unwrap() {
        assert_eq!(trace["verdict"], "unsupported", "{trace}");
        let differences = differences(trace);
        assert!(!differences.is_empty(), "{trace}");
        for difference in differences {
            let why = difference["unknown"].as_str().unwrap_or_default();
            assert!(
                why.contains("holds every value as text"),
                "{difference} of {trace}"
            );
        }
    }
    let (sent, came) = rich("zipkin.yaml", variable, &zipkin, &["/trace"]).await;
    let zipkin = changes(&sent, &came[0]);
    assert_eq!(zipkin, include_str!("changes/zipkin.txt"), "{zipkin}");
}
