//! `tracelab up` and `tracelab order`, as a new user sees them.

use serde_json::Value;
use tokio::{io::AsyncReadExt, time::timeout};

use crate::support::{PATIENCE, Up, run, tracelab};

#[tokio::test]
async fn the_ready_line_names_every_address_and_process() {
    let up = Up::start().await;
    for field in ["page", "otlp_grpc", "otlp_http"] {
        assert!(
            up.ready[field]
                .as_str()
                .unwrap()
                .starts_with("http://127.0.0.1:"),
            "{field}"
        );
    }
    assert!(up.ready["amqp"].as_str().unwrap().starts_with("amqp://"));
    for service in [
        "checkout",
        "payment",
        "provider",
        "inventory",
        "email",
        "broker",
    ] {
        assert!(
            up.ready["services"][service]["pid"].as_i64().unwrap() > 0,
            "{service}"
        );
    }
    assert_eq!(up.ready["pace"], "none");
    assert_eq!(up.get_json("/api/lab").await, up.ready);
}

#[tokio::test]
async fn up_shows_the_first_order_and_where_everything_listens() {
    let shown = shown_by_up(&[]).await;
    for part in [
        "POST /checkout",
        "process_order",
        "charge_and_fulfill",
        "process charge",
        "send shop:order.placed",
        "process shop:order.placed:email",
        "send mail",
        "(PSS)",
        "OTLP/gRPC",
        "checkout",
        "broker",
    ] {
        assert!(shown.contains(part), "{part} is missing in:\n{shown}");
    }
    assert!(
        !shown.contains('\u{1b}'),
        "colours where there is no terminal"
    );
}

#[tokio::test]
async fn up_says_where_the_spans_go_and_waits_for_none() {
    let elsewhere = "http://127.0.0.1:1";
    let shown = shown_by_up(&["--otlp", elsewhere]).await;
    assert!(
        shown.contains(&format!("its spans go to {elsewhere}")) && shown.contains("was answered"),
        "{shown}"
    );
    assert!(!shown.contains("whole"), "{shown}");
}

#[tokio::test]
async fn an_order_says_where_its_spans_go() {
    let elsewhere = "http://127.0.0.1:1";
    let up = Up::start_with(&["--otlp", elsewhere]).await;
    assert_eq!(up.ready["exports_to"], elsewhere);
    let (code, shown, stderr) = run(&["order", "--lab", up.page()]).await;
    assert_eq!(code, 0, "{stderr}");
    assert!(
        shown.contains(&format!("its spans go to {elsewhere}")),
        "{shown}"
    );
}

/// The output of `tracelab up` until it waits for Ctrl-C.
async fn shown_by_up(arguments: &[&str]) -> String {
    let mut child = tracelab()
        .args(["up", "--free-ports"])
        .args(arguments)
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let mut shown = String::new();
    let all = async {
        let mut buffer = [0; 4096];
        while !shown.contains("Ctrl-C") {
            let read = stdout.read(&mut buffer).await.unwrap();
            assert!(read > 0, "it ended after {shown}");
            shown.push_str(&String::from_utf8_lossy(&buffer[..read]));
        }
    };
    timeout(PATIENCE, all)
        .await
        .expect("it does not come to an end");
    shown
}

#[tokio::test]
async fn one_more_order_is_shown_and_told_to_machines() {
    let up = Up::start().await;
    let (code, shown, stderr) = run(&["order", "--lab", up.page()]).await;
    assert_eq!(code, 0, "{stderr}");
    assert!(
        shown.contains("POST /checkout") && shown.contains("send mail"),
        "{shown}"
    );

    let (code, document, stderr) = run(&[
        "order",
        "--lab",
        up.page(),
        "--lines",
        "200",
        "--format",
        "json",
    ])
    .await;
    assert_eq!(code, 0, "{stderr}");
    let placed: Value = serde_json::from_str(&document).unwrap();
    assert_eq!(placed["status"], 201);
    let trace = up
        .trace(placed["trace_id"].as_str().unwrap().parse().unwrap())
        .await
        .unwrap();
    let order = trace
        .spans()
        .iter()
        .find(|span| span.name == "process_order")
        .unwrap();
    assert_eq!(
        order.attributes.get("order.id").unwrap().as_str(),
        placed["order_id"].as_str()
    );
}

#[tokio::test]
async fn a_load_reports_what_it_did() {
    let up = Up::start().await;
    let arguments = [
        "load",
        "--lab",
        up.page(),
        "--rate",
        "20/s",
        "--duration",
        "1s",
        "--format",
        "json",
    ];
    let (code, document, stderr) = run(&arguments).await;
    assert_eq!(code, 0, "{stderr}");
    let report: Value = serde_json::from_str(&document).unwrap();
    assert_eq!(report["verdict"], "pass", "{report}");
    let load = &report["scenarios"][0];
    assert_eq!(load["orders"], 20, "{report}");
    assert_eq!(load["requests"]["never_started"], 0, "{report}");
}

#[tokio::test]
async fn the_page_lists_traces_and_shows_one() {
    let up = Up::start().await;
    let placed = up.order().await.expect(201);
    up.trace_when(placed.trace_id, "its root", |trace| {
        trace.roots().count() == 1
    })
    .await;
    let get = async |path: &str| {
        let url = format!("{}{path}", up.page());
        up.client
            .get(url)
            .send()
            .await
            .unwrap()
            .text()
            .await
            .unwrap()
    };
    assert!(
        get("/")
            .await
            .contains(&format!("/traces/{}", placed.trace_id))
    );
    assert!(
        get(&format!("/traces/{}", placed.trace_id))
            .await
            .contains("POST /checkout")
    );
}

#[tokio::test]
async fn a_trace_is_shown_from_a_lab_and_from_a_file() {
    let up = Up::start().await;
    let placed = up.order().await.expect(201);
    let mailed = |trace: &trace::Trace| trace.spans().iter().any(|span| span.name == "send mail");
    up.trace_when(placed.trace_id, "all of it", |trace| {
        mailed(trace) && trace.orphans().count() == 0
    })
    .await;
    let id = placed.trace_id.to_string();
    let (code, shown, stderr) = run(&["trace", &id, "--lab", up.page()]).await;
    assert_eq!(code, 0, "{stderr}");
    assert!(
        shown.contains("process_order") && shown.contains("send mail"),
        "{shown}"
    );

    let file = up.data.path().join("recorded.json");
    let otlp = up.get_json(&format!("/api/traces/{id}")).await;
    std::fs::write(&file, otlp.to_string()).unwrap();
    let file = file.to_str().unwrap();
    assert_eq!(run(&["trace", "--file", file]).await.1, shown);
    let (_, document, _) = run(&["trace", "--file", file, "--format", "json"]).await;
    let document: Value = serde_json::from_str(&document).unwrap();
    assert_eq!(document["traces"][0]["trace_id"], id.as_str());

    std::fs::write(file, "{\"resourceSpans\": 7}").unwrap();
    let (code, _, stderr) = run(&["trace", "--file", file]).await;
    assert_eq!(code, 2, "{stderr}");
    assert!(stderr.contains("recorded.json"), "{stderr}");
}
