//! The requests for a fault that a service refuses, and the effect of standing faults on the baggage of a
//! request.

use axum::{Router, http::HeaderValue, routing::get};
use chassis::{AllowedHosts, FaultSwitch, StandingFaults};
use reqwest::Client;
use serde_json::{Value, json};

use crate::{service::Service, silent_telemetry::silent_telemetry};

const SLOW: &str = "lab.fault.slow-provider=on;latency_ms=800";

/// A service that replies with the fault that acts and the number of members in its baggage.
struct Faulty(Service);

impl Faulty {
    async fn start() -> Faulty {
        let router = FaultSwitch::Honoured.guard(Router::new().route("/", get(what_acts)));
        let standing = StandingFaults::default();
        let telemetry = silent_telemetry();
        let service = Service::start(|listener, stop| {
            let hosts = AllowedHosts::default();
            chassis::serve_behind(standing, listener, router, hosts, telemetry, stop)
        });
        Faulty(service.await)
    }

    /// The status and the body of the reply to a request with these `baggage` headers.
    async fn ask(&self, headers: &[&[u8]]) -> (u16, Value) {
        let url = self.0.url("/");
        let request = headers.iter().fold(Client::new().get(url), |request, it| {
            request.header("baggage", HeaderValue::from_bytes(it).unwrap())
        });
        let reply = request.send().await.unwrap();
        (reply.status().as_u16(), reply.json().await.unwrap())
    }

    /// Sends one header, and expects that `slow-provider` acts.
    async fn expect_to_act(&self, header: &str) -> Value {
        let (status, body) = self.ask(&[header.as_bytes()]).await;
        assert_eq!(status, 200, "{body}");
        assert_eq!(body["acts"], "slow-provider;latency_ms=800", "{header}");
        body
    }

    /// Sends headers, and expects a refusal that contains all of these words.
    async fn expect_refusal(&self, headers: &[&[u8]], words: &[&str]) {
        let (status, body) = self.ask(headers).await;
        assert_eq!(status, 400, "{body}");
        assert_eq!(body["type"], "/problems/bad-fault", "{body}");
        let detail = body["detail"].as_str().unwrap();
        for word in words {
            assert!(detail.contains(word), "{word:?} is not in {detail:?}");
        }
    }

    async fn put_standing(&self, body: &str) -> (u16, Value) {
        let url = self.0.url("/lab/faults");
        let request = Client::new().put(url).body(body.to_owned());
        let request = request.header("content-type", "application/json");
        let reply = request.send().await.unwrap();
        (reply.status().as_u16(), reply.json().await.unwrap())
    }
}

async fn what_acts() -> String {
    let acts = FaultSwitch::Honoured.acts(&faults::SLOW_PROVIDER);
    let acts = acts.map(|setting| setting.to_string());
    json!({ "acts": acts, "members": telemetry::baggage_members().len() }).to_string()
}

/// `count` members that are not faults.
fn members(count: usize) -> String {
    let members: Vec<String> = (0..count).map(|number| format!("k{number}=v")).collect();
    members.join(",")
}

/// Two members that are not faults, with `count` bytes together.
fn bytes(count: usize) -> String {
    let half = "v".repeat(count / 2);
    let text = format!("a={half},b=");
    let rest = "v".repeat(count - text.len());
    text + &rest
}

#[tokio::test]
async fn a_fault_acts_as_the_64th_member_and_is_refused_as_the_65th() {
    let service = Faulty::start().await;
    let body = service
        .expect_to_act(&format!("{},{SLOW}", members(63)))
        .await;
    assert_eq!(body["members"], 64);

    let words = ["lab.fault.slow-provider", "at most 64 members"];
    let full = members(64);
    let joined = format!("{full},{SLOW}");
    service.expect_refusal(&[joined.as_bytes()], &words).await;
    // The limits apply to all headers together.
    let apart = [full.as_bytes(), SLOW.as_bytes()];
    service.expect_refusal(&apart, &words).await;
    // Only the members within the limits count, from the front.
    let body = service.expect_to_act(&format!("{SLOW},{full}")).await;
    assert_eq!(body["members"], 64);
}

#[tokio::test]
async fn a_fault_acts_up_to_8192_bytes_and_is_refused_one_beyond() {
    let service = Faulty::start().await;
    let room = 8_192 - SLOW.len() - 1;
    let full = format!("{},{SLOW}", bytes(room));
    assert_eq!(full.len(), 8_192);
    let body = service.expect_to_act(&full).await;
    assert_eq!(body["members"], 3);

    let other = bytes(room + 1);
    let words = ["lab.fault.slow-provider", "at most 8192 bytes", "8193"];
    let joined = format!("{other},{SLOW}");
    service.expect_refusal(&[joined.as_bytes()], &words).await;
    let apart = [other.as_bytes(), SLOW.as_bytes()];
    service.expect_refusal(&apart, &words).await;
    let body = service.expect_to_act(&format!("{SLOW},{other}")).await;
    assert_eq!(body["members"], 2);
}

#[tokio::test]
async fn baggage_beyond_the_limits_without_a_fault_is_served() {
    let service = Faulty::start().await;
    let (status, body) = service.ask(&[members(200).as_bytes()]).await;
    assert_eq!((status, &body["members"]), (200, &json!(64)));
    let (status, body) = service.ask(&[bytes(9_000).as_bytes()]).await;
    assert_eq!((status, &body["members"]), (200, &json!(1)));
    let (status, _) = service.ask(&[b",,;=;%%%,lab,caf\xc3\xa9=1"]).await;
    assert_eq!(status, 200);
}

#[tokio::test]
async fn a_malformed_fault_is_refused_with_what_is_wrong() {
    let service = Faulty::start().await;
    for (header, word) in [
        ("lab.fault.slow-provider", "lab.fault.NAME=on"),
        (
            "a=1, lab.fault.slow-provider;latency_ms=5",
            "lab.fault.NAME=on",
        ),
        ("lab.fault.slow-provider=", "lab.fault.NAME=on"),
        ("lab.fault.slow-provider=\"on\"", "lab.fault.NAME=on"),
        ("lab.fault.slow-provider=on;latency_ms", "PARAMETER=VALUE"),
        (
            "lab.fault.slow-provider=on;latency_ms=8 0",
            "from 1 to 60000",
        ),
        (
            "lab.fault.slow-provider=on;latency_ms=%ff",
            "from 1 to 60000",
        ),
        ("lab.fault.slow provider=on", "slow-provider"),
        ("lab.fault.=on", "there is no fault"),
        // Only the propagator refuses this member.
        (
            "lab.fault.slow-provider=on%3B latency_ms%3D5",
            "without blanks",
        ),
    ] {
        service.expect_refusal(&[header.as_bytes()], &[word]).await;
    }
    let latin: [&[u8]; 1] = [b"name=caf\xe9,lab.fault.slow-provider=on"];
    service.expect_refusal(&latin, &["printable ASCII"]).await;
    // In a separate header the member is not affected by the bytes of the other header.
    let apart: [&[u8]; 2] = [b"name=caf\xe9", SLOW.as_bytes()];
    let (status, body) = service.ask(&apart).await;
    assert_eq!(status, 200, "{body}");
    assert_eq!(body["acts"], "slow-provider;latency_ms=800");
}

#[tokio::test]
async fn a_fault_that_comes_twice_is_refused_in_one_header_and_in_two() {
    let service = Faulty::start().await;
    let other = "lab.fault.slow-provider=on;latency_ms=5";
    let words = ["twice", "latency_ms=800", "latency_ms=5", "once"];
    let joined = format!("{SLOW},a=1,{other}");
    service.expect_refusal(&[joined.as_bytes()], &words).await;
    let apart = [SLOW.as_bytes(), other.as_bytes()];
    service.expect_refusal(&apart, &words).await;
    let same = [SLOW.as_bytes(), SLOW.as_bytes()];
    service.expect_refusal(&same, &["twice"]).await;
}

#[tokio::test]
async fn a_fault_of_an_sdk_without_properties_acts() {
    let service = Faulty::start().await;
    for header in [
        "lab.fault.slow-provider=on%3Blatency_ms%3D800",
        "lab.fault.slow-provider=on%3blatency_ms=800",
        "lab.fault.slow-provider=%6F%6E;latency_ms=%38%30%30",
        "lab.fault.slow-provider=on%3B;latency_ms=800",
    ] {
        service.expect_to_act(header).await;
    }
    let mixed = b"lab.fault.slow-provider=on%3Blatency_ms%3D800;latency_ms=5";
    service
        .expect_refusal(&[mixed], &["given twice, as \"800\" and as \"5\""])
        .await;
}

#[tokio::test]
async fn faults_for_everyone_stay_where_a_request_fills_the_baggage_by_itself() {
    let service = Faulty::start().await;
    let standing = r#"{"slow-provider":{"latency_ms":800},"panic":{}}"#;
    assert_eq!(service.put_standing(standing).await.0, 200);
    let body = service.expect_to_act(&members(64)).await;
    assert_eq!(body["members"], 64);
    let body = service.expect_to_act(&bytes(8_192)).await;
    assert_eq!(body["members"], 3, "one of the two of its own is too long");
    // A request that asks for a fault, even for one that is refused, gets no standing fault.
    let (_, body) = service.ask(&[b"lab.fault.panic=on"]).await;
    assert_eq!(body["acts"], Value::Null);
    let malformed: [&[u8]; 1] = [b"name=caf\xe9,lab.fault.slow-provider=on"];
    service
        .expect_refusal(&malformed, &["printable ASCII"])
        .await;
}

#[tokio::test]
async fn faults_for_everyone_that_name_something_twice_are_refused_and_change_nothing() {
    let service = Faulty::start().await;
    let standing = json!({ "slow-provider": { "latency_ms": 5 } });
    let (status, on) = service.put_standing(&standing.to_string()).await;
    assert_eq!((status, &on), (200, &standing));
    for (body, word) in [
        (r#"{"panic":{},"panic":{}}"#, "twice"),
        (
            r#"{"slow-provider":{"latency_ms":1,"latency_ms":2}}"#,
            "given twice",
        ),
        (r#"{"slow-provider":{"latency_ms":1},}"#, "line 1 column"),
    ] {
        let (status, problem) = service.put_standing(body).await;
        assert_eq!(status, 400, "{body}: {problem}");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(word), "{body}: {detail}");
        let url = service.0.url("/lab/faults");
        let on: Value = reqwest::get(url).await.unwrap().json().await.unwrap();
        assert_eq!(on, standing, "{body}");
    }
}

#[tokio::test]
async fn faults_for_everyone_of_another_content_type_are_refused() {
    let service = Faulty::start().await;
    let url = service.0.url("/lab/faults");
    for request in [
        Client::new().put(&url).body("{}"),
        Client::new()
            .put(&url)
            .body("{}")
            .header("content-type", "text/plain"),
    ] {
        let reply = request.send().await.unwrap();
        assert_eq!(reply.status(), 415);
        let problem: Value = reply.json().await.unwrap();
        assert_eq!(problem["type"], "/problems/unsupported-media-type");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains("application/json"), "{detail}");
    }
}
