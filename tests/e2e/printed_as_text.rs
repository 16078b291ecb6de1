//! What others say is printed as text: nothing in a trace, in an answer of a lab or in the name of a file moves the
//! cursor, adds a line or turns the direction of writing around, whichever command prints it.

use std::{
    collections::BTreeSet,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use axum::{
    Json, Router,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::support::run;

/// A line break, a colour, a tab, a direction mark, a C1 control character and a space without width. It is harmless:
/// a terminal would show the rest in red.
const SAID: &str = "a\nINJECTED\u{1b}[31m\t\u{202e}b\u{9b}\u{200b}";

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// A run of a command.
struct Case {
    /// The name of its manual page, which clap knows.
    page: &'static str,
    arguments: Vec<String>,
    /// Whether what others say is printed.
    prints: Prints,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Prints {
    /// With escapes.
    TheText,
    /// Only what is the command's own.
    NothingOfIt,
    /// One JSON document, exact: a string escapes C0, and keeps other characters.
    Json,
}

use Prints::{Json as AsJson, NothingOfIt, TheText};

#[tokio::test]
async fn every_command_prints_what_others_say_with_escapes() {
    let folder = TempDir::new().unwrap();
    let cases = cases(&Ground::make(folder.path()).await);
    let mut wrong = Vec::new();
    for case in &cases {
        let arguments: Vec<&str> = case.arguments.iter().map(String::as_str).collect();
        let (_, stdout, stderr) = run(&arguments).await;
        let complaint = match case.prints {
            AsJson => raw(&stderr).or_else(|| json_raw(&stdout)),
            _ => raw(&stdout).or_else(|| raw(&stderr)),
        };
        let all = format!("{stdout}{stderr}");
        let complaint = match complaint {
            None if case.prints == TheText && !all.contains("INJECTED") => {
                Some("nothing of the text is there".to_owned())
            }
            complaint => complaint,
        };
        if let Some(complaint) = complaint {
            wrong.push(format!("{arguments:?}: {complaint}: {all:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    // The report that a run writes for a pull request.
    let report = std::fs::read_to_string(folder.path().join("results/report.md")).unwrap();
    assert_eq!(raw(&report), None, "{report}");
    assert!(report.contains("INJECTED"), "{report}");

    let pages = folder.path().join("pages");
    run(&["man", "--out", pages.to_str().unwrap()]).await;
    let tried: BTreeSet<String> = cases.iter().map(|case| case.page.to_owned()).collect();
    assert_eq!(
        tried,
        commands(&pages),
        "a command without a case, or a case without a command"
    );
}

/// The names of the manual pages of all commands that have no commands below them.
fn commands(pages: &Path) -> BTreeSet<String> {
    let name = |entry: std::io::Result<std::fs::DirEntry>| {
        let name = entry.unwrap().file_name().into_string().unwrap();
        name.trim_end_matches(".1").to_owned()
    };
    let all: BTreeSet<String> = std::fs::read_dir(pages).unwrap().map(name).collect();
    let is_leaf = |name: &&String| !all.iter().any(|it| it.starts_with(&format!("{name}-")));
    all.iter().filter(is_leaf).cloned().collect()
}

/// What is wrong with an output that should have escapes.
fn raw(output: &str) -> Option<String> {
    let hidden = |c: char| {
        let marks = [
            '\u{200b}', '\u{200e}', '\u{200f}', '\u{202e}', '\u{2066}', '\u{feff}',
        ];
        c != '\n' && (c.is_control() || marks.contains(&c))
    };
    if let Some(c) = output.chars().find(|c| hidden(*c)) {
        return Some(format!("{c:?} is there"));
    }
    let added = output
        .lines()
        .any(|line| line.trim_start().starts_with("INJECTED"));
    added.then(|| "a line was added".to_owned())
}

fn json_raw(output: &str) -> Option<String> {
    let c0 = output.chars().find(|c| *c < ' ' && *c != '\n');
    c0.map(|c| format!("{c:?} is there"))
}

/// The files and the lab that say it.
struct Ground {
    /// A trace file with that name.
    trace: PathBuf,
    other: PathBuf,
    /// A file of that name that is none of any kind.
    nothing: PathBuf,
    scenario: PathBuf,
    /// A scenario without an error, in a file of that name.
    fine: PathBuf,
    expectation: PathBuf,
    /// A program that prints it and fails.
    collector: PathBuf,
    results: PathBuf,
    own_target: PathBuf,
    /// A lab that has the trace, and one whose spans go elsewhere.
    lab: String,
    elsewhere: String,
    /// What answers like a lab of another version.
    no_lab: String,
}

impl Ground {
    async fn make(folder: &Path) -> Ground {
        let named = |extension: &str| folder.join(format!("{SAID}.{extension}"));
        let write = |path: PathBuf, text: &str| {
            std::fs::write(&path, text).unwrap();
            path
        };
        let lab = lab(None, "sqlite").await;
        let target = format!(
            "name: own\ntitle: \"{}\"\nstory: \"{}\"\ntarget: {lab}\n\
             journey: {{ requests: [{{ path: /fails }}] }}\nload: {{ requests: 1, users: 1 }}\n\
             expect: {{ trace: {{ roots: 1 }} }}\n",
            in_yaml(),
            // A story has lines of its own.
            in_yaml().replace("\\U0000000A", "")
        );
        let check = "expect: { trace: { roots: 7 }, tree: [{ span: { kind: server }, children: \
                     [{ span: { name: wanted } }] }] }\n";
        let collector = write(
            folder.join("collector"),
            "#!/bin/sh\nprintf 'a \\033[31mINJECTED\\t\\302\\233\\342\\200\\256\\n' >&2\nexit 1\n",
        );
        std::fs::set_permissions(&collector, std::fs::Permissions::from_mode(0o755)).unwrap();
        Ground {
            trace: write(named("json"), &document(12).to_string()),
            other: write(folder.join("other.json"), &document(30).to_string()),
            nothing: write(named("txt"), SAID),
            scenario: write(
                named("yaml"),
                &format!("name: x\ntitle: X # \u{1b}[31m\n\"{}\": 1\n", in_yaml()),
            ),
            fine: write(named("fine.yaml"), &target),
            expectation: write(folder.join("check.yaml"), check),
            collector,
            results: folder.join("results"),
            own_target: write(folder.join("own.yaml"), &target),
            elsewhere: self::lab(Some(SAID), "sqlite").await,
            no_lab: self::lab(None, SAID).await,
            lab,
        }
    }
}

/// The text in a string of YAML.
fn in_yaml() -> String {
    let escaped = SAID.chars().map(|c| match c {
        ' '..='~' => c.to_string(),
        c => format!("\\U{:08X}", u32::from(c)),
    });
    escaped.collect()
}

/// A trace that says it wherever a trace can: a server's span, and failed queries of it that are alike.
fn document(queries: u64) -> Value {
    let text = format!("{SAID}\0");
    let attribute =
        |key: &str, value: &str| json!({ "key": key, "value": { "stringValue": value } });
    let span = |id: u64, parent: &str, kind: u8, start: u64, end: u64| {
        json!({
            "traceId": TRACE, "spanId": format!("{id:016x}"), "parentSpanId": parent, "name": text, "kind": kind,
            "startTimeUnixNano": start.to_string(), "endTimeUnixNano": end.to_string(),
            "status": { "code": 2, "message": text },
            "attributes": [attribute(&text, &text), attribute("db.system.name", &text),
                attribute("db.query.text", &format!("SELECT {text}")), attribute("error.type", &text),
                attribute("order.id", &text)],
            "events": [
                { "name": text, "timeUnixNano": start.to_string(), "attributes": [attribute(&text, &text)] },
                { "name": "exception", "timeUnixNano": end.to_string(), "attributes": [
                    attribute("exception.type", &text), attribute("exception.message", &text)] },
            ],
        })
    };
    let second = 1_000_000_000;
    let mut spans = vec![span(1, "", 2, second, 2 * second)];
    spans.extend((0..queries).map(|n| {
        let start = second + n * 20_000_000;
        span(n + 2, "0000000000000001", 3, start, start + 15_000_000)
    }));
    json!({ "resourceSpans": [{
        "resource": { "attributes": [attribute("service.name", &text), attribute(&text, &text)] },
        "scopeSpans": [{ "spans": spans }],
    }]})
}

/// A lab that says it in every answer; `exports_to` is where its spans go.
async fn lab(exports_to: Option<&'static str>, database: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let checkout = url.clone();
    let placed = json!({
        "trace_id": TRACE, "order_id": SAID, "status": 402, "others": [], "taken": { "faults": [SAID] },
        "type": SAID, "title": SAID, "detail": SAID,
    });
    let described = json!({
        "ready": true, "page": SAID, "otlp_grpc": SAID, "otlp_http": SAID, "exports_to": exports_to, "amqp": SAID,
        "database": database, "services": { "checkout": { "url": checkout, "pid": null } },
    });
    let list = json!({ "traces": [{
        "trace_id": TRACE, "service": SAID, "name": SAID, "start_unix_nano": "1000000000", "duration_ms": 1000.0,
        "spans": 13, "errors": 13, "roots": 1, "revision": 1,
    }]});
    let refused = async || problem(StatusCode::INTERNAL_SERVER_ERROR);
    let router = Router::new()
        .route("/api/lab", get(async || Json(described)))
        .route("/api/traces", get(async || Json(list)))
        .route("/api/traces/{id}", get(async || Json(document(12))))
        .route(
            "/api/orders",
            axum::routing::post(async || (StatusCode::PAYMENT_REQUIRED, Json(placed))),
        )
        .route(
            "/api/faults",
            get(async || Json(json!({}))).put(async || problem(StatusCode::BAD_REQUEST)),
        )
        .fallback(refused);
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

fn problem(status: StatusCode) -> Response {
    let problem = json!({ "type": SAID, "title": SAID, "status": status.as_u16(), "detail": SAID });
    (
        status,
        [(header::CONTENT_TYPE, "application/problem+json")],
        Json(problem),
    )
        .into_response()
}

/// A case for each command, and more for those that print in several ways.
fn cases(ground: &Ground) -> Vec<Case> {
    let path = |path: &Path| path.to_str().unwrap().to_owned();
    let (trace, other) = (path(&ground.trace), path(&ground.other));
    let (nothing, scenario) = (path(&ground.nothing), path(&ground.scenario));
    // No folder is there, so nothing can be written into it.
    let nowhere = format!("{nothing}/{SAID}");
    let case = |page, arguments: &[&str], prints| Case {
        page,
        arguments: arguments.iter().map(|it| (*it).to_owned()).collect(),
        prints,
    };
    let (lab, elsewhere) = (ground.lab.as_str(), ground.elsewhere.as_str());
    let no_lab = ground.no_lab.as_str();
    let own = path(&ground.own_target);
    let run = [
        "run",
        &own,
        "--otlp-grpc",
        "127.0.0.1:0",
        "--otlp-http",
        "127.0.0.1:0",
        "--patience",
        "1",
    ];
    let with = |more: &[&str]| {
        let arguments: Vec<&str> = run.iter().chain(more).copied().collect();
        case("tracelab-run", &arguments, TheText)
    };
    let sut = path(&ground.collector);
    let (scratch, shape) = (path(&ground.results), nothing.as_str());
    let mut cases = vec![
        case(
            "tracelab-bench-rate",
            &["bench", "rate", "--cpus", "none", "--sut", &sut],
            TheText,
        ),
        case(
            "tracelab-bench-capacity",
            &["bench", "capacity", "--shape", shape],
            TheText,
        ),
        case(
            "tracelab-bench-ab",
            &["bench", "ab", "--shape", shape],
            TheText,
        ),
        case(
            "tracelab-bench-soak",
            &["bench", "soak", "--shape", shape],
            TheText,
        ),
        case(
            "tracelab-bench-spike",
            &["bench", "spike", "--shape", shape],
            TheText,
        ),
        case(
            "tracelab-bench-chaos",
            &["bench", "chaos", "--shape", shape],
            TheText,
        ),
        case(
            "tracelab-bench-sampling",
            &["bench", "sampling", "--shape", shape],
            TheText,
        ),
        case(
            "tracelab-bench-record",
            &["bench", "record", &nothing, "--out", &scratch],
            TheText,
        ),
        case(
            "tracelab-bench-report",
            &["bench", "report", &nothing],
            TheText,
        ),
        case(
            "tracelab-bench-merge",
            &["bench", "merge", &nothing, &trace],
            TheText,
        ),
        case(
            "tracelab-blast",
            &["blast", "--to", "grpc://127.0.0.1:1", "--shape", shape],
            TheText,
        ),
        case(
            "tracelab-drain",
            &["drain", "--workload", &nothing, "--ledger", &scratch],
            TheText,
        ),
        case(
            "tracelab-validate",
            &[
                "validate",
                "--backend",
                &format!("command:{sut}"),
                "--otlp",
                "grpc://127.0.0.1:1",
            ],
            TheText,
        ),
        case(
            "tracelab-validate",
            &["validate", "--backend", "sink", "--profile", &nothing],
            TheText,
        ),
        case("tracelab-trace", &["trace", &trace], TheText),
        case("tracelab-trace", &["trace", TRACE, "--lab", lab], TheText),
        case(
            "tracelab-trace",
            &["trace", &trace, "--format", "json"],
            AsJson,
        ),
        case(
            "tracelab-trace",
            &["trace", SAID, "--file", &trace],
            TheText,
        ),
        case("tracelab-trace", &["trace", &nothing], TheText),
        case("tracelab-diagnose", &["diagnose", &trace], TheText),
        case(
            "tracelab-diagnose",
            &["diagnose", &trace, "--format", "markdown"],
            TheText,
        ),
        case(
            "tracelab-diagnose",
            &["diagnose", &trace, "--format", "json"],
            AsJson,
        ),
        case("tracelab-diagnose", &["diagnose", "--lab", lab], TheText),
        case(
            "tracelab-diagnose",
            &["diagnose", "--lab", lab, "--format", "markdown"],
            TheText,
        ),
        case(
            "tracelab-diagnose",
            &["diagnose", "--evaluate", &nowhere],
            TheText,
        ),
        case("tracelab-compare", &["compare", &trace, &other], TheText),
        case("tracelab-expect-from", &["expect", "from", &trace], TheText),
        case(
            "tracelab-check",
            &["check", &trace, "--expect", &path(&ground.expectation)],
            TheText,
        ),
        case(
            "tracelab-check",
            &["check", &trace, "--expect", "checkout"],
            TheText,
        ),
        case(
            "tracelab-check",
            &["check", &trace, "--expect", &scenario],
            TheText,
        ),
        case("tracelab-export", &["export", &trace], AsJson),
        case(
            "tracelab-export",
            &["export", &trace, "--out", &nowhere],
            TheText,
        ),
        with(&["--out", &path(&ground.results)]),
        with(&["--format", "markdown"]),
        case("tracelab-run", &["run", &scenario], TheText),
        case(
            "tracelab-run",
            &["run", "checkout", "--lab", no_lab],
            TheText,
        ),
        case("tracelab-load", &["load", "--lab", no_lab], TheText),
        case(
            "tracelab-run",
            &["run", "checkout", "--via", &nothing],
            TheText,
        ),
        case("tracelab-order", &["order", "--lab", lab], TheText),
        case("tracelab-order", &["order", "--lab", elsewhere], TheText),
        case(
            "tracelab-load",
            &["load", "--lab", lab, "--users", "1", "--requests", "1"],
            TheText,
        ),
        case(
            "tracelab-fault-list",
            &["fault", "list", "--lab", lab],
            NothingOfIt,
        ),
        case(
            "tracelab-fault-set",
            &["fault", "set", "panic", "--lab", lab],
            TheText,
        ),
        case(
            "tracelab-fault-clear",
            &["fault", "clear", "--lab", lab],
            TheText,
        ),
        case("tracelab-scenario-list", &["scenario", "list"], NothingOfIt),
        case(
            "tracelab-scenario-schema",
            &["scenario", "schema"],
            NothingOfIt,
        ),
        case(
            "tracelab-scenario-lint",
            &["scenario", "lint", &scenario],
            TheText,
        ),
        case(
            "tracelab-scenario-lint",
            &["scenario", "lint", &path(&ground.fine)],
            TheText,
        ),
        case(
            "tracelab-scenario-show",
            &["scenario", "show", &scenario],
            TheText,
        ),
        case("tracelab-scenario-new", &["scenario", "new", SAID], TheText),
        case(
            "tracelab-up",
            &["up", "--free-ports", "--data", &nowhere],
            TheText,
        ),
        case(
            "tracelab-broker",
            &["broker", "--listen", "127.0.0.1:0", "--store", &nowhere],
            TheText,
        ),
        case(
            "tracelab-collector",
            &[
                "collector",
                &nowhere,
                "--collector",
                &path(&ground.collector),
            ],
            TheText,
        ),
        case(
            "tracelab-collector",
            &[
                "collector",
                &nothing,
                "--collector",
                &path(&ground.collector),
            ],
            TheText,
        ),
        case(
            "tracelab-collector",
            &["collector", &nothing, "--collector", &nowhere],
            TheText,
        ),
        case("tracelab-sink", &["sink", "--service", SAID], TheText),
        case("tracelab-completions", &["completions", SAID], TheText),
        case("tracelab-man", &["man", "--out", &nowhere], TheText),
    ];
    let services = [
        ("tracelab-service-checkout", "checkout"),
        ("tracelab-service-payment", "payment"),
        ("tracelab-service-provider", "provider"),
        ("tracelab-service-inventory", "inventory"),
        ("tracelab-service-email", "email"),
        ("tracelab-service-relay", "relay"),
    ];
    for (page, service) in services {
        cases.push(case(page, &["service", service, "--listen", SAID], TheText));
    }
    let database = format!("sqlite://{nowhere}");
    let open = [
        "service",
        "payment",
        "--listen",
        "127.0.0.1:0",
        "--database",
        &database,
    ];
    cases.push(case("tracelab-service-payment", &open, TheText));
    let mails = [
        "service",
        "email",
        "--database",
        "sqlite://x.db",
        "--mail-dir",
        &nowhere,
    ];
    cases.push(case("tracelab-service-email", &mails, TheText));
    cases
}
