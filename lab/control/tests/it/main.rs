//! The lab's HTTP API, over HTTP.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
#![expect(clippy::disallowed_methods, reason = "the bans are for what users run")]

mod problems;

use reqwest::{Client, Method, Response};
use serde_json::{Value, json};
use sink::{Config, Store};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::{CancellationToken, DropGuard};
use trace::otlp;

const ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const FAILED: &str = "aaaabbbbccccddddeeeeffff00001111";

/// A page over a store, on a port of its own; it stops when this is dropped.
struct Page {
    url: String,
    store: Store,
    client: Client,
    task: JoinHandle<()>,
    stop: DropGuard,
}

impl Page {
    async fn start() -> Page {
        let store = Store::new(Config::default());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let stop = CancellationToken::new();
        let task = tokio::spawn(control::serve(
            listener,
            control::sink_routes(store.clone()),
            "lab.example".parse().unwrap(),
            stop.clone(),
        ));
        Page {
            url,
            store,
            client: Client::new(),
            task,
            stop: stop.drop_guard(),
        }
    }

    /// With a healthy trace of 100 ms, and after it a failed one of 2 s.
    async fn with_traces() -> Page {
        let page = Page::start().await;
        page.send(ID, "checkout", "POST /checkout", 100, 0);
        page.send(FAILED, "payment", "<b>POST</b> & \"more\"", 2_000, 2);
        page
    }

    fn send(&self, trace_id: &str, service: &str, name: &str, ms: u64, status: i32) {
        let document = json!({ "resourceSpans": [{
            "resource": { "attributes": [{ "key": "service.name", "value": { "stringValue": service } }] },
            "scopeSpans": [{ "spans": [{
                "traceId": trace_id, "spanId": "00f067aa0ba902b7", "name": name, "kind": 2,
                "startTimeUnixNano": "1000000000", "endTimeUnixNano": (1_000_000_000 + ms * 1_000_000).to_string(),
                "status": { "code": status },
                "attributes": [
                    { "key": "order.id", "value": { "stringValue": format!("order of {service}") } },
                    { "key": "http.response.status_code", "value": { "intValue": "200" } },
                ],
            }]}],
        }]});
        let decoded = otlp::from_json(document.to_string().as_bytes()).unwrap();
        let request = otlp::to_protobuf(&decoded.spans);
        self.store.take(&request).unwrap();
    }

    async fn get(&self, path: &str) -> Response {
        self.client
            .get(format!("{}{path}", self.url))
            .send()
            .await
            .unwrap()
    }

    async fn json(&self, path: &str) -> Value {
        let response = self.get(path).await;
        assert_eq!(response.status(), 200, "{path}");
        response.json().await.unwrap()
    }

    /// The detail of the problem that a request is answered with.
    async fn problem(&self, method: Method, path: &str, status: u16) -> String {
        let response = self
            .client
            .request(method, format!("{}{path}", self.url))
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), status, "{path}");
        assert_eq!(
            response.headers()["content-type"],
            "application/problem+json",
            "{path}"
        );
        let problem: Value = response.json().await.unwrap();
        assert_eq!(problem["status"], status);
        problem["detail"].as_str().unwrap().to_owned()
    }

    /// The ids of the traces that are found.
    async fn found(&self, query: &str) -> Vec<String> {
        let found = self.json(&format!("/api/traces{query}")).await;
        let ids = found["traces"].as_array().unwrap().iter();
        ids.map(|summary| summary["trace_id"].as_str().unwrap().to_owned())
            .collect()
    }
}

#[tokio::test]
async fn a_trace_is_answered_as_the_protobuf_that_came() {
    let page = Page::with_traces().await;
    let url = format!("{}/api/traces/{ID}", page.url);
    let request = reqwest::Client::new().get(url);
    let answer = request
        .header("accept", "application/x-protobuf")
        .send()
        .await
        .unwrap();
    assert_eq!(answer.headers()["content-type"], "application/x-protobuf");
    let decoded = otlp::from_protobuf(&answer.bytes().await.unwrap()).unwrap();
    let stored = page.store.trace(ID.parse().unwrap()).unwrap();
    assert_eq!(decoded.spans, stored.spans());
}

#[tokio::test]
async fn a_trace_is_answered_as_otlp_json() {
    let page = Page::with_traces().await;
    let document = page.json(&format!("/api/traces/{ID}")).await;
    let decoded = otlp::from_json(document.to_string().as_bytes()).unwrap();
    assert_eq!(
        decoded.spans,
        page.store.trace(ID.parse().unwrap()).unwrap().spans()
    );
    assert_eq!(
        document["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["traceId"],
        ID
    );
}

#[tokio::test]
async fn an_id_that_is_none_or_not_here_is_a_problem() {
    let page = Page::with_traces().await;
    let bad = page.problem(Method::GET, "/api/traces/xyz", 400).await;
    assert!(
        bad.contains("32 hexadecimal digits would be right"),
        "{bad}"
    );
    let zero = page
        .problem(Method::GET, &format!("/api/traces/{}", "0".repeat(32)), 400)
        .await;
    assert!(zero.contains("all zero"), "{zero}");
    let absent = page
        .problem(Method::GET, &format!("/api/traces/{}", "1".repeat(32)), 404)
        .await;
    assert!(absent.contains("never came, or it was evicted"), "{absent}");
    page.problem(Method::GET, "/api/traces/%ff", 400).await;
    page.problem(Method::GET, "/traces/xyz", 400).await;
    page.problem(Method::GET, "/nowhere", 404).await;
    page.problem(Method::POST, "/api/stats", 405).await;
}

#[tokio::test]
async fn traces_are_found_by_each_parameter_newest_first() {
    let page = Page::with_traces().await;
    for (query, expected) in [
        ("", vec![FAILED, ID]),
        ("?limit=1", vec![FAILED]),
        ("?service=checkout", vec![ID]),
        ("?name=POST%20/checkout", vec![ID]),
        ("?service=payment&name=POST%20/checkout", vec![]),
        ("?min_duration=1.5s", vec![FAILED]),
        ("?min_duration=100ms", vec![FAILED, ID]),
        ("?error=true", vec![FAILED]),
        ("?error=false", vec![ID]),
        ("?attribute=order.id%3Dorder%20of%20checkout", vec![ID]),
        (
            "?attribute=http.response.status_code=200&service=payment",
            vec![FAILED],
        ),
        ("?attribute=http.response.status_code=20", vec![]),
    ] {
        assert_eq!(page.found(query).await, expected, "{query}");
    }
    let found = page.json("/api/traces?error=true").await;
    let summary = &found["traces"][0];
    assert_eq!(
        (&summary["service"], &summary["duration_ms"]),
        (&json!("payment"), &json!(2000.0))
    );
    assert_eq!(
        (&summary["spans"], &summary["errors"], &summary["roots"]),
        (&json!(1), &json!(1), &json!(1))
    );
    assert_eq!(summary["start_unix_nano"], "1000000000");
}

#[tokio::test]
async fn a_parameter_that_cannot_be_used_is_named_with_what_would_be_right() {
    let page = Page::start().await;
    for (query, words) in [
        ("min_duration=fast", "100ms"),
        ("error=yes", "true or false"),
        ("limit=0", "a whole number from 1"),
        ("limit=-1", "a whole number from 1"),
        ("attribute=order.id", "key=value"),
        ("service=", "has no value"),
        (
            "servce=checkout",
            "service, name, min_duration, error, attribute and limit",
        ),
        ("service=a&service=b", "twice"),
    ] {
        let detail = page
            .problem(Method::GET, &format!("/api/traces?{query}"), 400)
            .await;
        assert!(detail.contains(words), "{query}: {detail}");
    }
}

#[tokio::test]
async fn forgotten_traces_are_counted_as_evicted() {
    let page = Page::with_traces().await;
    let response = page
        .client
        .delete(format!("{}/api/traces", page.url))
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 204);
    assert_eq!(page.found("").await, Vec::<String>::new());
    let stats = page.json("/api/stats").await;
    assert_eq!(
        stats["spans"],
        json!({ "received": 2, "stored": 0, "evicted": 2, "refused": 0 })
    );
    assert_eq!(stats["bytes"]["stored"], 0);
}

#[tokio::test]
async fn one_trace_is_forgotten() {
    let page = Page::with_traces().await;
    let path = format!("/api/traces/{ID}");
    let lab = protocol::LabClient::new(page.url.parse().unwrap());
    for spans in [1, 0] {
        let forgotten = lab.forget_trace(ID.parse().unwrap()).await.unwrap();
        assert_eq!(forgotten.spans, spans);
    }
    page.problem(Method::GET, &path, 404).await;
    assert_eq!(page.found("").await, [FAILED]);
    let stats = lab.stats().await.unwrap();
    assert_eq!((stats.spans.stored, stats.spans.evicted), (1, 1));
    page.problem(Method::DELETE, "/api/traces/xyz", 400).await;
    // One that was evicted is said to be gone.
    page.store.forget_all();
    let gone = page
        .problem(Method::GET, &format!("/api/traces/{FAILED}"), 410)
        .await;
    assert!(gone.contains("it was evicted to make room"), "{gone}");
}

#[tokio::test]
async fn people_get_a_list_and_a_waterfall_in_which_nothing_is_trusted() {
    let page = Page::with_traces().await;
    let list = page.get("/").await;
    assert!(
        list.headers()["content-type"]
            .to_str()
            .unwrap()
            .starts_with("text/html")
    );
    let list = list.text().await.unwrap();
    assert!(
        list.contains(&format!("<a href=\"/traces/{ID}\">POST /checkout</a>")),
        "{list}"
    );
    assert!(
        list.contains("&lt;b&gt;POST&lt;/b&gt; &amp; &quot;more&quot;"),
        "{list}"
    );
    assert!(!list.contains("<b>") && !list.contains("<script"), "{list}");
    assert!(list.find(FAILED) < list.find(ID), "newest first: {list}");

    let trace = page
        .get(&format!("/traces/{FAILED}"))
        .await
        .text()
        .await
        .unwrap();
    assert!(trace.contains(&format!("<pre>trace {FAILED}")), "{trace}");
    assert!(
        trace.contains("&lt;b&gt;POST&lt;/b&gt;") && !trace.contains("<b>"),
        "{trace}"
    );
}

#[tokio::test]
async fn an_empty_lab_says_so_and_is_well() {
    let page = Page::start().await;
    assert!(
        page.get("/")
            .await
            .text()
            .await
            .unwrap()
            .contains("No trace has come yet.")
    );
    assert_eq!(page.get("/healthz").await.text().await.unwrap(), "ok\n");
}

#[tokio::test]
async fn it_ends_when_it_is_told_to() {
    let page = Page::start().await;
    page.get("/healthz").await;
    drop(page.stop);
    page.task.await.unwrap();
}
