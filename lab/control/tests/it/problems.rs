//! Every error of the API is problem details, wherever it arises: in the guard, in routing, in reading, in the lab.

use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde_json::Value;
use sink::{Config, Store};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

/// The whole API of a lab that is being stopped: what reaches the lab is answered with 503.
struct Api {
    url: String,
    client: Client,
    _stop: DropGuard,
}

impl Api {
    async fn start() -> Api {
        let (routes, requests) = control::routes(Store::new(Config::default()));
        drop(requests);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let stop = CancellationToken::new();
        let hosts = "lab.example".parse().unwrap();
        tokio::spawn(control::serve(listener, routes, hosts, stop.clone()));
        Api {
            url,
            client: Client::new(),
            _stop: stop.drop_guard(),
        }
    }

    fn request(&self, method: &str, path: &str) -> RequestBuilder {
        let method: Method = method.parse().unwrap();
        self.client.request(method, format!("{}{path}", self.url))
    }

    fn json(&self, method: &str, path: &str, body: &str) -> RequestBuilder {
        let request = self.request(method, path).body(body.to_owned());
        request.header("content-type", "application/json")
    }
}

/// The detail of the problem that a request is answered with.
async fn problem(request: RequestBuilder, status: u16) -> String {
    let response = request.send().await.expect("an answer");
    let asked = response.url().clone();
    assert_eq!(response.status(), status, "{asked}");
    let headers = response.headers();
    assert_eq!(
        headers["content-type"], "application/problem+json",
        "{asked}"
    );
    assert_eq!(headers["x-content-type-options"], "nosniff", "{asked}");
    let problem: Value = response.json().await.unwrap();
    assert_eq!(problem["status"], status, "{asked}: {problem}");
    assert!(
        problem["type"].is_string() && problem["title"].is_string(),
        "{problem}"
    );
    problem["detail"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_wrong_method_or_path_is_a_problem_on_every_route() {
    let api = Api::start().await;
    let id = "1".repeat(32);
    for (path, method) in [
        ("/", "POST"),
        (&format!("/traces/{id}"), "DELETE"),
        ("/healthz", "PUT"),
        ("/api/traces", "PUT"),
        (&format!("/api/traces/{id}"), "POST"),
        ("/api/stats", "DELETE"),
        ("/api/lab", "POST"),
        ("/api/orders", "GET"),
        ("/api/faults", "POST"),
        ("/api/faults/panic", "GET"),
    ] {
        let detail = problem(api.request(method, path), 405).await;
        assert!(detail.contains(method) && detail.contains(path), "{detail}");
    }
    for path in ["/nowhere", "/api", "/api/orders/1", "/api/faults/a/b"] {
        problem(api.request("GET", path), 404).await;
    }
}

#[tokio::test]
async fn what_cannot_be_read_is_a_problem_that_says_what_would_be_right() {
    let api = Api::start().await;
    let long = format!("{{\"lines\":{}1}}", " ".repeat(256 << 10));
    for (request, status, right) in [
        (api.json("POST", "/api/orders", "{"), 400, "\"lines\": N"),
        (
            api.json("POST", "/api/orders", r#"{"lines":0}"#),
            400,
            "N of 1 or more",
        ),
        (
            api.json("POST", "/api/orders", r#"{"orders":101}"#),
            400,
            "at most 100",
        ),
        (api.json("POST", "/api/orders", &long), 413, "262144 bytes"),
        (api.json("PUT", "/api/faults", "["), 400, "line 1"),
        (
            api.json("PUT", "/api/faults", r#"{"panik":{}}"#),
            400,
            "panic",
        ),
        (api.json("PUT", "/api/faults", &long), 413, "262144 bytes"),
        (api.request("DELETE", "/api/faults/%ff"), 400, "UTF-8"),
        (api.request("DELETE", "/api/faults/panik"), 400, "panic"),
        (
            api.request("GET", "/api/traces?limit=x"),
            400,
            "whole number",
        ),
        (api.request("GET", "/traces/%ff"), 400, "UTF-8"),
    ] {
        let detail = problem(request, status).await;
        assert!(detail.contains(right), "{detail}");
    }
    for path in ["/api/orders", "/api/faults"] {
        let method = if path == "/api/orders" { "POST" } else { "PUT" };
        for content_type in [
            None,
            Some("text/plain"),
            Some("application/x-www-form-urlencoded"),
        ] {
            let mut request = api.request(method, path).body("{}");
            if let Some(content_type) = content_type {
                request = request.header("content-type", content_type);
            }
            let detail = problem(request, 415).await;
            assert!(detail.contains("application/json is taken"), "{detail}");
        }
    }
}

#[tokio::test]
async fn a_lab_that_stops_says_so_on_every_route_that_needs_it() {
    let api = Api::start().await;
    for request in [
        api.request("GET", "/api/lab"),
        api.request("POST", "/api/orders"),
        api.json("POST", "/api/orders", "{}"),
        api.request("GET", "/api/faults"),
        api.json("PUT", "/api/faults", "{}"),
        api.request("DELETE", "/api/faults"),
        api.request("DELETE", "/api/faults/panic"),
    ] {
        let detail = problem(request, 503).await;
        assert_eq!(detail, "the lab is being stopped");
    }
}

#[tokio::test]
async fn strangers_in_the_browser_are_refused() {
    let api = Api::start().await;
    let rebound = api
        .request("GET", "/api/traces")
        .header("host", "rebound.example");
    let detail = problem(rebound, 421).await;
    assert!(detail.contains("--allow-host"), "{detail}");
    let forget = api.request("DELETE", "/api/traces");
    problem(forget.header("origin", "http://other.example"), 403).await;

    let named = api.request("GET", "/").header("host", "lab.example:8080");
    let page = named.send().await.unwrap();
    assert_eq!(page.status(), StatusCode::OK);
    let policies = page.headers().get_all("content-security-policy");
    let policies: Vec<_> = policies.iter().map(|it| it.to_str().unwrap()).collect();
    assert!(policies.contains(&"frame-ancestors 'none'"), "{policies:?}");
    assert!(
        policies.iter().any(|it| it.contains("default-src 'none'")),
        "{policies:?}"
    );
}
