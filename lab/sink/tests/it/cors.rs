//! OTLP/HTTP from the pages of a browser: preflights, and the headers of answers.

use reqwest::{Method, Response};
use sink::Config;

use crate::{Sink, http::JSON};

const PAGE: &str = "http://localhost:3000";

fn permitting(origins: &[&str]) -> Config {
    Config {
        cors: origins.iter().map(|it| it.parse().unwrap()).collect(),
        ..Config::default()
    }
}

impl Sink {
    async fn ask_from(&self, method: Method, origin: &str) -> Response {
        let mut request = self
            .client
            .request(method.clone(), format!("{}/v1/traces", self.http))
            .header("origin", origin);
        request = match method {
            Method::OPTIONS => request
                .header("access-control-request-method", "POST")
                .header("access-control-request-headers", "content-type,x-team"),
            _ => request.header("content-type", JSON).body("{}"),
        };
        request.send().await.unwrap()
    }
}

/// A header of an answer; empty without it.
fn header<'r>(response: &'r Response, name: &str) -> &'r str {
    let header = response.headers().get(name);
    header.map_or("", |header| header.to_str().unwrap())
}

#[tokio::test]
async fn no_page_is_permitted_unless_its_origin_is_named() {
    let sink = Sink::start(Config::default()).await;
    for method in [Method::OPTIONS, Method::POST] {
        let answer = sink.ask_from(method, PAGE).await;
        assert_eq!(header(&answer, "access-control-allow-origin"), "");
    }
    let sink = Sink::start(permitting(&["https://shop.example"])).await;
    let answer = sink.ask_from(Method::OPTIONS, PAGE).await;
    assert_eq!(header(&answer, "access-control-allow-origin"), "");
}

#[tokio::test]
async fn a_page_of_a_named_origin_may_send_and_read_the_answer() {
    let sink = Sink::start(permitting(&["https://shop.example", PAGE])).await;
    let preflight = sink.ask_from(Method::OPTIONS, PAGE).await;
    assert!(preflight.status().is_success());
    assert_eq!(header(&preflight, "access-control-allow-origin"), PAGE);
    assert_eq!(header(&preflight, "access-control-allow-methods"), "POST");
    assert_eq!(
        header(&preflight, "access-control-allow-headers"),
        "content-type,x-team"
    );
    let answer = sink.ask_from(Method::POST, PAGE).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(header(&answer, "access-control-allow-origin"), PAGE);
    assert_eq!(
        header(&answer, "access-control-expose-headers"),
        "retry-after"
    );
    assert_eq!(answer.text().await.unwrap(), "{}");
    // An exporter that is no browser is answered as before.
    let plain = sink.post("/v1/traces", JSON, None, b"{}".to_vec()).await;
    assert_eq!(plain.status(), 200);
}

#[tokio::test]
async fn every_page_may_send_where_a_star_is_named() {
    let sink = Sink::start(permitting(&["*"])).await;
    for origin in [PAGE, "https://any.example"] {
        let answer = sink.ask_from(Method::POST, origin).await;
        assert_eq!(header(&answer, "access-control-allow-origin"), "*");
    }
}
