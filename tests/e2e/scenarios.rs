//! Scenarios: run in all phases, checked again from files, written and linted.

use std::{net::TcpListener, path::Path, process::Stdio};

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    time::timeout,
};

use crate::support::{PATIENCE, Up, run, tracelab};

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// The result of each phase: name, phase and verdict.
fn verdicts(report: &Value) -> Vec<(String, String, String)> {
    let word = |phase: &Value, field: &str| phase[field].as_str().unwrap().to_owned();
    let phases = report["scenarios"].as_array().unwrap().iter();
    phases
        .map(|phase| {
            (
                word(phase, "name"),
                word(phase, "phase"),
                word(phase, "verdict"),
            )
        })
        .collect()
}

fn files(folder: &Path, ending: &str) -> Vec<String> {
    let mut files: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path().to_str().unwrap().to_owned())
        .filter(|path| path.ends_with(ending))
        .collect();
    files.sort();
    files
}

#[tokio::test]
async fn scenarios_are_run_in_their_phases_and_their_traces_can_be_checked_again() {
    let folder = tempfile::TempDir::new().unwrap();
    let out = folder.path().to_str().unwrap();
    let (code, stdout, stderr) = run(&[
        "run",
        "card-declined",
        "lost-context-amqp",
        "leaked-secret",
        "--pace",
        "none",
        "--requests",
        "3",
        "--format",
        "json",
        "--out",
        out,
        "--traces",
        "all",
    ])
    .await;
    assert_eq!(code, 0, "{stdout}\n{stderr}");
    let report = json(&stdout);
    assert_eq!(report["verdict"], "pass");
    let expected: Vec<_> = ["card-declined", "lost-context-amqp", "leaked-secret"]
        .into_iter()
        .flat_map(|name| {
            ["faulty", "twin", "near-miss"].map(|phase| (name.into(), phase.into(), "pass".into()))
        })
        .collect();
    assert_eq!(verdicts(&report), expected);
    for phase in report["scenarios"].as_array().unwrap() {
        assert_eq!(
            (&phase["traces"], &phase["unexplained_spans"]),
            (&3.into(), &0.into()),
            "{phase}"
        );
    }
    assert_eq!(
        json(&std::fs::read_to_string(folder.path().join("report.json")).unwrap()),
        report
    );

    let of = |scenario: &str, phase: &str| folder.path().join(scenario).join(phase);
    let ledger =
        std::fs::read_to_string(of("card-declined", "faulty").join("ledger.jsonl")).unwrap();
    let checkouts = ledger
        .lines()
        .map(json)
        .filter(|line| line["step"] == "POST /checkout");
    assert_eq!(checkouts.filter(|line| line["status"] == 402).count(), 3);

    for (scenario, phase, wanted) in [
        ("card-declined", "faulty", 0),
        ("card-declined", "twin", 1),
        ("lost-context-amqp", "faulty", 0),
        ("lost-context-amqp", "near-miss", 1),
    ] {
        let traces = files(&of(scenario, phase), ".otlp.json");
        assert_eq!(traces.len(), 3, "{scenario} {phase}");
        let mut arguments = vec!["check", "--expect", scenario];
        arguments.extend(traces.iter().map(String::as_str));
        let (code, stdout, stderr) = run(&arguments).await;
        assert_eq!(code, wanted, "{scenario} {phase}: {stdout}{stderr}");
        assert!(stdout.contains("3 traces checked"), "{stdout}");
    }

    // The expectation that is written from a trace holds for it, and is a complete scenario file.
    let trace = files(&of("card-declined", "faulty"), ".otlp.json").remove(0);
    let (code, expect, stderr) = run(&["expect", "from", "--file", &trace]).await;
    assert_eq!(code, 0, "{stderr}");
    let own = folder.path().join("own.yaml");
    let head = "name: own\ntitle: Own\nload: { requests: 1, users: 1 }\n";
    std::fs::write(&own, format!("{head}{expect}")).unwrap();
    let (code, stdout, stderr) = run(&["check", &trace, "--expect", own.to_str().unwrap()]).await;
    assert_eq!(code, 0, "{stdout}{stderr}\n{expect}");
}

#[tokio::test]
async fn what_is_not_as_the_scenario_says_fails_in_every_format() {
    let folder = tempfile::TempDir::new().unwrap();
    let out = folder.path().to_str().unwrap();
    // Ten milliseconds are not slow.
    let mild = [
        "run",
        "slow-provider",
        "--set",
        "slow-provider.latency_ms=10",
        "--only",
        "faulty",
        "--pace",
        "none",
        "--requests",
        "2",
        "--patience",
        "1",
    ];
    let (code, stdout, stderr) = run(&[&mild[..], &["--out", out]].concat()).await;
    assert_eq!(code, 1, "{stdout}{stderr}");
    assert!(stdout.contains("FAIL slow-provider"), "{stdout}");
    assert_eq!(
        files(&folder.path().join("slow-provider/faulty"), ".otlp.json").len(),
        2
    );
    let (code, stdout, _) = run(&[&mild[..], &["--format", "junit"]].concat()).await;
    assert_eq!(code, 1);
    assert!(
        stdout.contains(
            "<testsuite name=\"slow-provider\" tests=\"1\" skipped=\"0\" errors=\"0\" failures=\"1\""
        ),
        "{stdout}"
    );
    let (code, stdout, _) = run(&[&mild[..], &["--format", "markdown"]].concat()).await;
    assert_eq!(code, 1);
    assert!(
        stdout.contains("| slow-provider | faulty | FAIL | 0 of 2 |"),
        "{stdout}"
    );
}

#[tokio::test]
async fn what_cannot_be_evaluated_is_no_pass() {
    let arguments = [
        "run",
        "deadlock",
        "--only",
        "faulty",
        "--pace",
        "none",
        "--requests",
        "1",
    ];
    let (code, stdout, _) = run(&arguments).await;
    assert_eq!(code, 0, "{stdout}");
    let last = stdout.lines().last().unwrap();
    assert!(last.contains("1 unsupported (deadlock faulty)"), "{last}");
    assert!(
        stdout.contains("the fault deadlock needs PostgreSQL"),
        "{stdout}"
    );
    let (code, ..) = run(&[&arguments[..], &["--strict"]].concat()).await;
    assert_eq!(code, 1);
}

#[tokio::test]
async fn what_supposes_simulated_time_is_unsupported_without_it() {
    let four = [
        "run",
        "sequential-calls",
        "wrong-parent",
        "clock-skew",
        "blocked-runtime",
        "--pace",
        "none",
        "--format",
        "json",
    ];
    let (code, stdout, stderr) = run(&four).await;
    assert_eq!(code, 0, "{stdout}\n{stderr}");
    let report = json(&stdout);
    assert_eq!(report["verdict"], "unsupported");
    let phases = report["scenarios"].as_array().unwrap();
    assert_eq!(phases.len(), 12, "{stdout}");
    let instead =
        "the textbook pace; this lab runs with --pace none: no step takes a simulated time";
    let unsupported: Vec<(&str, &str, &str, bool)> = phases
        .iter()
        .filter(|phase| phase["verdict"] == "unsupported")
        .map(|phase| {
            let word = |field: &str| phase[field].as_str().unwrap();
            let was_driven = phase["traces"].as_u64().unwrap() > 0;
            (word("name"), word("phase"), word("why"), was_driven)
        })
        .collect();
    let whole = format!("it needs {instead}");
    let wants = format!(
        "the finding sequential-calls and the p50 of checkout validate cart need {instead}"
    );
    let finding = format!("the finding wrong-parent needs {instead}");
    assert_eq!(
        unsupported,
        [
            ("sequential-calls", "faulty", wants.as_str(), true),
            ("sequential-calls", "twin", &whole, false),
            ("wrong-parent", "faulty", &finding, true),
            ("clock-skew", "faulty", &whole, false),
            ("blocked-runtime", "near-miss", &whole, false),
        ]
    );
    // Everything else was judged, and passed.
    for phase in phases.iter().filter(|phase| phase["traces"] != 0) {
        assert_eq!(phase["passed"], phase["traces"], "{phase}");
    }
    let it = "it needs the textbook pace";
    for (place, name) in [(0, "sequential-calls"), (3, "wrong-parent")] {
        assert_eq!(
            phases[place]["unsupported_findings"],
            serde_json::json!([{ "name": name, "why": it }]),
        );
    }
    let time = &phases[0]["latency"][0];
    assert_eq!(
        (&time["verdict"], &time["why"]),
        (&"unsupported".into(), &it.into())
    );
    assert!(
        time["ms"].as_f64().unwrap() > 0.0,
        "it is measured all the same: {time}"
    );
}

#[tokio::test]
async fn of_a_target_of_ones_own_nothing_is_supposed() {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("theirs.yaml");
    let theirs = TcpListener::bind("127.0.0.1:0").unwrap();
    let text = format!(
        "name: theirs\ntitle: Theirs\ntarget: http://{}\nneeds: [postgresql, textbook]\n\
         journey: {{ requests: [{{ path: / }}] }}\nload: {{ requests: 1, users: 1 }}\n\
         expect: {{ trace: {{ roots: 1 }} }}\n",
        theirs.local_addr().unwrap()
    );
    std::fs::write(&path, text).unwrap();
    let anywhere = ["--otlp-grpc", "127.0.0.1:0", "--otlp-http", "127.0.0.1:0"];
    let scenario = ["run", path.to_str().unwrap(), "--format", "json"];
    let (code, stdout, stderr) = run(&[&scenario[..], &anywhere].concat()).await;
    assert_eq!(code, 0, "{stdout}{stderr}");
    let unknown = "what a target of one's own has is not known";
    assert_eq!(
        json(&stdout)["scenarios"][0]["why"],
        format!("it needs PostgreSQL; {unknown}. Besides, it needs the textbook pace; {unknown}")
    );
}

#[tokio::test]
async fn input_that_is_wrong_is_named() {
    for (arguments, words) in [
        (&["run", "n-plus-on"][..], "n-plus-one"),
        (
            &["run", "n-plus-one", "--set", "slow-provider.latency_ms=5"],
            "they have: n-plus-one",
        ),
        (
            &["run", "slow-provider", "--set", "slow-provider.latency=5"],
            "latency_ms",
        ),
        (
            &[
                "run",
                "slow-provider",
                "--set",
                "slow-provider.latency_ms=0",
            ],
            "a whole number from",
        ),
        (
            &["run", "checkout", "checkout"],
            "two of the scenarios are called checkout",
        ),
        (
            &["check", "Cargo.toml", "--expect", "checkout"],
            "no trace file",
        ),
        (
            &["check", "nowhere.json", "--expect", "checkout"],
            "nowhere.json",
        ),
        (&["scenario", "show", "chekout"], "checkout"),
        (&["load", "--stages", "5:10s"], "a stage is RATE:TIME"),
    ] {
        let (code, _, stderr) = run(arguments).await;
        assert_eq!(code, 2, "{arguments:?}: {stderr}");
        assert!(stderr.contains(words), "{arguments:?}: {stderr}");
    }
    let nobody = ["run", "checkout", "--lab", "http://127.0.0.1:1"];
    let (code, _, stderr) = run(&nobody).await;
    assert_eq!(code, 3, "{stderr}");
    assert!(
        stderr.contains("there is no lab at http://127.0.0.1:1"),
        "{stderr}"
    );
}

#[tokio::test]
async fn scenario_files_are_listed_shown_begun_and_linted() {
    let folder = tempfile::TempDir::new().unwrap();
    let (code, list, _) = run(&["scenario", "list", "--format", "json"]).await;
    assert_eq!(code, 0);
    let list = json(&list);
    let names: Vec<&str> = list["scenarios"]
        .as_array()
        .unwrap()
        .iter()
        .map(|scenario| scenario["name"].as_str().unwrap())
        .collect();
    for fault in faults::CATALOGUE {
        assert!(
            names.contains(&fault.name),
            "{} has no scenario",
            fault.name
        );
    }
    let mut lint = vec!["scenario", "lint"];
    lint.extend(&names);
    let (code, _, stderr) = run(&lint).await;
    assert_eq!(code, 0, "{stderr}");

    let (_, shown, _) = run(&["scenario", "show", "n-plus-one"]).await;
    let path = folder.path().join("mine.yaml");
    let path = path.to_str().unwrap();
    std::fs::write(
        path,
        shown.replace("service: inventory, name: GET /stock", "service: inventroy"),
    )
    .unwrap();
    let (code, _, stderr) = run(&["scenario", "lint", path]).await;
    assert_eq!(code, 2);
    assert!(
        stderr.contains("mine.yaml:") && stderr.contains("did you mean \"inventory\"?"),
        "{stderr}"
    );

    let (code, schema, _) = run(&["scenario", "schema"]).await;
    assert_eq!(code, 0);
    assert_eq!(json(&schema)["title"], "A tracelab scenario");

    let new = async |arguments: &[&str]| {
        let output = tracelab()
            .args(["scenario", "new"])
            .args(arguments)
            .current_dir(folder.path())
            .output()
            .await
            .unwrap();
        (
            output.status.code(),
            String::from_utf8(output.stderr).unwrap(),
        )
    };
    let (code, stderr) = new(&["slow", "--fault", "slow-provider"]).await;
    assert_eq!(code, Some(0), "{stderr}");
    let text = std::fs::read_to_string(folder.path().join("slow.yaml")).unwrap();
    assert!(
        text.contains("faults: { slow-provider: { latency_ms: 800 } }"),
        "{text}"
    );
    let (code, stderr) = new(&["slow"]).await;
    assert_eq!(
        code,
        Some(2),
        "an existing file is not overwritten: {stderr}"
    );
}

#[tokio::test]
async fn a_scenario_runs_in_a_lab_that_runs_already() {
    let up = Up::start().await;
    let arguments = [
        "run",
        "card-declined",
        "lost-context-http",
        "--lab",
        up.page(),
        "--requests",
        "3",
        "--format",
        "json",
    ];
    let (code, stdout, stderr) = run(&arguments).await;
    assert_eq!(code, 0, "{stdout}{stderr}");
    let report = json(&stdout);
    assert_eq!(verdicts(&report).len(), 6);
    assert_eq!(
        report["scenarios"][0]["unexplained_spans"],
        Value::Null,
        "others may use it too"
    );
}

#[tokio::test]
async fn a_scenario_of_somebody_elses_service_is_run_against_it() {
    let free = |_| TcpListener::bind("127.0.0.1:0").unwrap();
    let ports: Vec<TcpListener> = (0..2).map(free).collect();
    let [grpc, http] = [0, 1].map(|at: usize| ports[at].local_addr().unwrap().to_string());
    drop(ports);
    let mut service = tracelab()
        .args(["service", "relay", "--listen", "127.0.0.1:0"])
        .env("OTEL_SERVICE_NAME", "theirs")
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{grpc}"))
        .env("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
        .env("OTEL_BSP_SCHEDULE_DELAY", "100")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(service.stdout.take().unwrap()).lines();
    let ready = timeout(PATIENCE, lines.next_line())
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    let ready = json(&ready);
    let url = format!("http://{}", ready["listening"].as_str().unwrap());

    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("theirs.yaml");
    let scenario = |name: &str| {
        format!(
            "name: theirs\ntitle: Theirs\ntarget: {url}\n\
             journey: {{ requests: [{{ method: POST, path: /, headers: {{ content-type: application/json }}, body: [] }}] }}\n\
             load: {{ requests: 4, users: 2 }}\n\
             expect:\n  trace: {{ roots: 1, orphans: 0, spans: 1 }}\n  tree:\n    \
               - span: {{ service: {name}, kind: server }}\n      \
                 attributes: {{ http.response.status_code: {{ int: 200..299 }} }}\n"
        )
    };
    let arguments = [
        "run",
        path.to_str().unwrap(),
        "--otlp-grpc",
        &grpc,
        "--otlp-http",
        &http,
        "--patience",
        "5",
        "--format",
        "json",
    ];
    for (name, wanted) in [("theirs", 0), ("somebody", 1)] {
        std::fs::write(&path, scenario(name)).unwrap();
        let (code, stdout, stderr) = run(&arguments).await;
        assert_eq!(code, wanted, "{stdout}{stderr}");
        assert_eq!(json(&stdout)["scenarios"][0]["traces"], 4, "{stdout}");
    }
}

#[tokio::test]
async fn a_run_says_why_the_traces_of_a_service_do_not_come() {
    let free = |_| TcpListener::bind("127.0.0.1:0").unwrap();
    let ports: Vec<TcpListener> = (0..2).map(free).collect();
    let [grpc, http] = [0, 1].map(|at: usize| ports[at].local_addr().unwrap().to_string());
    drop(ports);
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("theirs.yaml");
    for (variable, value, cause) in [
        (
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            "http://127.0.0.1:1",
            format!("0 spans reached {grpc} (gRPC) or {http} (HTTP)"),
        ),
        (
            "OTEL_PROPAGATORS",
            "none",
            "3 traces came with ids of their own: traceparent is not taken up".to_owned(),
        ),
    ] {
        let mut service = tracelab()
            .args(["service", "relay", "--listen", "127.0.0.1:0"])
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{grpc}"))
            .env("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
            .env("OTEL_BSP_SCHEDULE_DELAY", "100")
            .env(variable, value)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(service.stdout.take().unwrap()).lines();
        let ready = timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap();
        let url = format!(
            "http://{}",
            json(&ready.unwrap())["listening"].as_str().unwrap()
        );
        let scenario = format!(
            "name: theirs\ntitle: Theirs\ntarget: {url}\n\
             journey: {{ requests: [{{ method: POST, path: /, headers: {{ content-type: application/json }}, body: [] }}] }}\n\
             load: {{ requests: 3, users: 1 }}\n\
             expect:\n  tree:\n    - span: {{ kind: server }}\n"
        );
        std::fs::write(&path, scenario).unwrap();
        let (code, stdout, stderr) = run(&[
            "run",
            path.to_str().unwrap(),
            "--otlp-grpc",
            &grpc,
            "--otlp-http",
            &http,
            "--patience",
            "1",
        ])
        .await;
        assert_eq!(code, 1, "{stdout}{stderr}");
        assert!(
            stdout.contains(&format!("its trace never came: {cause}")),
            "{stdout}"
        );
    }
}

#[tokio::test]
async fn a_load_leaves_its_ledger_and_gooses_report() {
    let up = Up::start().await;
    let folder = tempfile::TempDir::new().unwrap();
    let (ledger, report) = (
        folder.path().join("ledger.jsonl"),
        folder.path().join("goose.html"),
    );
    let (code, stdout, stderr) = run(&[
        "load",
        "--lab",
        up.page(),
        "--users",
        "3",
        "--requests",
        "9",
        "--fault",
        "n-plus-one",
        "--ledger",
        ledger.to_str().unwrap(),
        "--report",
        report.to_str().unwrap(),
        "--format",
        "json",
    ])
    .await;
    assert_eq!(code, 0, "{stdout}{stderr}");
    assert_eq!(json(&stdout)["scenarios"][0]["orders"], 9);
    let ledger = std::fs::read_to_string(ledger).unwrap();
    let lines: Vec<Value> = ledger.lines().map(json).collect();
    let count = |step: &str| lines.iter().filter(|line| line["step"] == step).count();
    assert_eq!((count("PUT /carts/{id}"), count("POST /checkout")), (9, 9));
    let html = std::fs::read_to_string(report).unwrap();
    assert!(
        html.contains("POST /checkout") || html.contains("/checkout"),
        "{}",
        html.len()
    );

    let (code, stdout, stderr) = run(&[
        "load",
        "--lab",
        up.page(),
        "--stages",
        "0-20/s:1s,20/s:500ms",
        "--arrivals",
        "poisson",
    ])
    .await;
    assert_eq!(code, 2, "times have whole units: {stdout}{stderr}");
    let (code, stdout, stderr) = run(&[
        "load",
        "--lab",
        up.page(),
        "--stages",
        "0-20/s:1s,20/s:1s",
        "--arrivals",
        "poisson",
        "--seed",
        "7",
    ])
    .await;
    assert_eq!(code, 0, "{stdout}{stderr}");
}
