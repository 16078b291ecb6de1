//! `tracelab sink --service`: the lab of a shop whose services run elsewhere.

use std::process::Stdio;

use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Child,
    time::timeout,
};

use crate::support::{PATIENCE, Up, run, tracelab};

/// A sink on free ports, in front of the services of a lab.
struct InFront {
    page: String,
    client: reqwest::Client,
    _child: Child,
}

impl InFront {
    async fn of(up: &Up, arguments: &[&str]) -> InFront {
        let mut sink = tracelab();
        sink.arg("sink");
        for port in ["--page", "--grpc", "--http"] {
            sink.args([port, "127.0.0.1:0"]);
        }
        for name in ["checkout", "payment", "provider", "inventory", "email"] {
            sink.args(["--service", &format!("{name}={}", up.url(name))]);
        }
        sink.args(arguments);
        let mut child = sink
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap();
        let ready: Value = serde_json::from_str(&line.unwrap()).unwrap();
        InFront {
            page: ready["page"].as_str().unwrap().to_owned(),
            client: reqwest::Client::new(),
            _child: child,
        }
    }

    fn at(&self, path: &str) -> String {
        format!("{}{path}", self.page)
    }
}

#[tokio::test]
async fn orders_and_faults_are_passed_on_to_services_elsewhere() {
    let up = Up::start().await;
    let front = InFront::of(&up, &[]).await;

    let lab: Value = front
        .client
        .get(front.at("/api/lab"))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(lab["services"]["checkout"]["url"], up.url("checkout"));
    assert_eq!(lab["services"]["checkout"]["pid"], Value::Null);
    assert_eq!(lab["database"], "sqlite");

    // The shop's spans go to its own lab: the order's trace is there.
    let placed = front.client.post(front.at("/api/orders")).send().await;
    let placed = placed.unwrap();
    assert_eq!(placed.status(), 201);
    let placed: Value = placed.json().await.unwrap();
    let trace = placed["trace_id"].as_str().unwrap();
    let found = up.get_json(&format!("/api/traces/{trace}")).await;
    assert!(found["resourceSpans"].is_array(), "{found}");

    let faults = json!({ "card-declined": {} });
    let put = front.client.put(front.at("/api/faults")).json(&faults);
    assert_eq!(put.send().await.unwrap().status(), 200);
    let on = up.get_json("/api/faults").await;
    assert!(on["card-declined"].is_object(), "{on}");

    // It runs on SQLite, so a deadlock is impossible.
    let put = front.client.put(front.at("/api/faults"));
    let refused = put.json(&json!({ "deadlock": {} })).send().await.unwrap();
    assert_eq!(refused.status(), 400);
}

#[tokio::test]
async fn a_pace_that_is_not_known_is_not_the_textbook_one() {
    let up = Up::start().await;
    for (arguments, pace, why) in [
        (
            &[][..],
            Value::Null,
            "it needs the textbook pace; this lab does not say at which pace it runs",
        ),
        (
            &["--pace", "none"],
            json!("none"),
            "it needs the textbook pace; this lab runs with --pace none: no step takes a simulated time",
        ),
    ] {
        let front = InFront::of(&up, arguments).await;
        let lab = front.client.get(front.at("/api/lab")).send().await.unwrap();
        let lab: Value = lab.json().await.unwrap();
        assert_eq!(lab["pace"], pace, "{lab}");

        let scenario = ["run", "clock-skew", "--only", "faulty", "--format", "json"];
        let (code, report, stderr) = run(&[&scenario[..], &["--lab", &front.page]].concat()).await;
        assert_eq!(code, 0, "{report}{stderr}");
        let report: Value = serde_json::from_str(&report).unwrap();
        let phase = &report["scenarios"][0];
        assert_eq!(
            (&phase["verdict"], &phase["why"]),
            (&json!("unsupported"), &json!(why))
        );
    }
}

#[tokio::test]
async fn a_service_that_cannot_be_one_is_refused_with_what_would_be_right() {
    for (service, said) in [
        ("shipping=http://127.0.0.1:1", "checkout, email, inventory"),
        ("checkout=127.0.0.1:1", "NAME=http://HOST:PORT"),
        ("payment=http://127.0.0.1:1", "--service checkout="),
    ] {
        let sink = [
            "sink",
            "--page",
            "127.0.0.1:0",
            "--grpc",
            "127.0.0.1:0",
            "--http",
            "127.0.0.1:0",
            "--service",
            service,
        ];
        let (code, _, error) = run(&sink).await;
        assert_eq!(code, 2, "{service}: {error}");
        assert!(error.contains(said), "{service}: {error}");
    }
}
