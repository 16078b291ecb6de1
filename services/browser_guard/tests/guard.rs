//! The guard before a router: which requests it answers, and the headers that it adds.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use api::Problem;
use axum::{
    Router,
    body::{Body, to_bytes},
    extract::Request,
    response::{Html, Response},
    routing::get,
};
use browser_guard::guard;
use http::{Method, StatusCode, Version, header};
use tower::ServiceExt;

fn server() -> Router {
    let router = Router::new()
        .route("/", get(async || Html("<p>")).post(async || "changed"))
        .fallback(async || StatusCode::NOT_FOUND);
    guard(router, "checkout".parse().unwrap())
}

async fn ask(method: Method, headers: &[(&str, &str)]) -> Response {
    let mut request = Request::builder().method(method).uri("/");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Body::empty()).unwrap();
    server().oneshot(request).await.unwrap()
}

async fn problem(response: Response) -> Problem {
    assert_eq!(
        response.headers()[header::CONTENT_TYPE],
        Problem::MEDIA_TYPE
    );
    let body = to_bytes(response.into_body(), 1 << 16).await.unwrap();
    serde_json::from_slice(&body).unwrap()
}

#[tokio::test]
async fn only_names_of_the_server_are_answered() {
    for host in [
        "127.0.0.1:8080",
        "[::1]:8080",
        "192.168.7.2",
        "localhost:8080",
        "lab.localhost",
        "checkout:8081",
        "Checkout.",
    ] {
        let answer = ask(Method::GET, &[("host", host)]).await;
        assert_eq!(answer.status(), StatusCode::OK, "{host}");
    }
    for host in [
        "rebound.example:8080",
        "checkout.example",
        "127.0.0.1.example",
        "a@127.0.0.1",
        "",
        "a b",
    ] {
        let answer = ask(Method::GET, &[("host", host)]).await;
        assert_eq!(answer.status(), StatusCode::MISDIRECTED_REQUEST, "{host}");
        let problem = problem(answer).await;
        assert_eq!(problem.kind(), "unknown-host");
        let detail = problem.detail.unwrap();
        assert!(
            detail.contains(&format!("{host:?}")) && detail.contains("--allow-host"),
            "{detail}"
        );
    }
    let twice = [("host", "localhost"), ("host", "rebound.example")];
    assert_eq!(
        ask(Method::GET, &twice).await.status(),
        StatusCode::MISDIRECTED_REQUEST
    );
    // HTTP/1.0 knows no host.
    assert_eq!(ask(Method::GET, &[]).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn the_authority_of_http_2_is_a_host_too() {
    for (uri, status) in [
        ("http://127.0.0.1:8080/", StatusCode::OK),
        ("http://rebound.example/", StatusCode::MISDIRECTED_REQUEST),
    ] {
        let request = Request::builder().version(Version::HTTP_2).uri(uri);
        let answer = server().oneshot(request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.unwrap().status(), status, "{uri}");
    }
}

#[tokio::test]
async fn a_page_of_another_site_changes_nothing() {
    let host = ("host", "localhost:8080");
    let own = [
        vec![host],
        vec![
            host,
            ("origin", "http://localhost:8080"),
            ("sec-fetch-site", "same-origin"),
        ],
        vec![("host", "checkout"), ("origin", "https://checkout")],
        vec![("host", "checkout:80"), ("origin", "http://Checkout")],
    ];
    for headers in own {
        let answer = ask(Method::POST, &headers).await;
        assert_eq!(answer.status(), StatusCode::OK, "{headers:?}");
    }
    let foreign = [
        ("origin", "http://other.example"),
        ("origin", "http://localhost:3000"),
        ("origin", "https://localhost"),
        ("origin", "null"),
        ("origin", ""),
        ("sec-fetch-site", "cross-site"),
    ];
    for header in foreign {
        for method in [Method::POST, Method::PUT, Method::DELETE, Method::PATCH] {
            let answer = ask(method, &[host, header]).await;
            assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{header:?}");
            assert_eq!(problem(answer).await.kind(), "foreign-page");
        }
        // The browser does not hand the answer to the page.
        let read = ask(Method::GET, &[host, header]).await;
        assert_eq!(read.status(), StatusCode::OK, "{header:?}");
        assert!(
            !read
                .headers()
                .contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN)
        );
    }
}

#[tokio::test]
async fn browsers_guess_no_type_and_frame_no_page() {
    let page = ask(Method::GET, &[("host", "localhost")]).await;
    assert_eq!(page.headers()[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
    assert_eq!(
        page.headers()[header::CONTENT_SECURITY_POLICY],
        "frame-ancestors 'none'"
    );
    for (method, host) in [
        (Method::GET, "rebound.example"),
        (Method::DELETE, "localhost"),
    ] {
        let other = ask(method, &[("host", host)]).await;
        assert_eq!(other.headers()[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
        assert!(
            !other
                .headers()
                .contains_key(header::CONTENT_SECURITY_POLICY)
        );
    }
}
