//! Systems under test that fail: each way is told apart by one reason, with the last lines of the program.

use serde_json::Value;

use super::{assert_closed, bench, reasons, stand_in::StandIn};

/// A short load, without second tries. A machine that stands still for a second is no reason to say more.
const SHORT: [&str; 9] = [
    "--rate",
    "10k/s",
    "--duration",
    "500ms",
    "--warm-up",
    "0s",
    "--settle",
    "1s",
    "--no-retries",
];

/// Loads a system that the benchmark starts, and returns the document once it was found INVALID.
async fn started(sut: StandIn, protocol: &str) -> Value {
    let listens = match protocol {
        "grpc" => "{in}",
        _ => "{in_http}",
    };
    let command = sut.command_line(listens);
    let mut arguments = vec!["rate", "--sut", &command, "--protocol", protocol];
    arguments.extend(SHORT);
    let (code, document, said) = bench(&arguments).await;
    assert_eq!(code, 3, "{sut:?}: {document:#}\n{said}");
    assert_eq!(document["valid"], false);
    assert_closed(&document);
    let last = document["runs"][0]["sut_said"].to_string();
    assert!(last.contains(&format!("this is {sut:?}")), "{last}");
    for reason in reasons(&document) {
        assert!(said.contains(&reason), "{reason}: {said}");
    }
    document
}

/// Loads a system that runs already and returns nothing.
async fn running(sut: StandIn, scheme: &str) -> Value {
    let target = format!("{scheme}://{}", sut.start().await);
    let mut arguments = vec!["rate", "--target", &target, "--return", "none"];
    arguments.extend(SHORT);
    let (code, document, said) = bench(&arguments).await;
    assert_eq!(code, 3, "{sut:?}: {document:#}\n{said}");
    assert_closed(&document);
    assert_eq!(document["runs"][0]["accounts"]["accepted"], 0);
    document
}

/// The one reason of a document, but those of a busy machine.
fn the_reason(document: &Value) -> String {
    let reasons = reasons(document);
    let [reason] = &reasons[..] else {
        panic!("there must be one reason: {reasons:?}");
    };
    reason.clone()
}

fn accounts<const N: usize>(document: &Value, names: [&str; N]) -> [u64; N] {
    let accounts = &document["runs"][0]["accounts"];
    names.map(|name| accounts[name].as_u64().unwrap())
}

#[tokio::test]
async fn one_that_answers_garbage_is_told() {
    for (protocol, reason) in [
        ("grpc", "the SUT answered no request by OTLP/gRPC: "),
        ("http", "the SUT answered no request by OTLP/HTTP: "),
    ] {
        let documents = [
            started(StandIn::Garbage, protocol).await,
            running(StandIn::Garbage, protocol).await,
        ];
        for document in documents {
            let found = the_reason(&document);
            assert!(found.starts_with(reason), "{found}");
            assert!(found.len() > reason.len(), "{found}");
            let [planned, never_sent, lost] =
                accounts(&document, ["planned", "never_sent", "lost"]);
            assert_eq!(lost, planned - never_sent);
        }
    }
}

#[tokio::test]
async fn one_that_answers_nothing_is_told() {
    let document = running(StandIn::Silent, "grpc").await;
    assert_eq!(
        the_reason(&document),
        "the SUT answered no request by OTLP/gRPC: no answer after 10s"
    );
}

#[tokio::test]
async fn one_that_refuses_all_is_told_with_its_first_answer() {
    for (sut, protocol, answer) in [
        (StandIn::Unavailable, "grpc", "too much to do"),
        (StandIn::Busy, "http", "too much to do"),
        (StandIn::Busy, "grpc", "too much to do"),
        (StandIn::Refuses, "http", "400 Bad Request: no traces here"),
        (StandIn::Refuses, "h2", "400 Bad Request: no traces here"),
    ] {
        let documents = [started(sut, protocol).await, running(sut, protocol).await];
        for document in documents {
            let found = the_reason(&document);
            assert!(found.starts_with("the SUT took nothing: "), "{found}");
            assert!(found.ends_with(answer), "{found}");
            let [planned, never_sent, refused] =
                accounts(&document, ["planned", "never_sent", "refused"]);
            assert_eq!(refused, planned - never_sent, "{document:#}");
        }
    }
}

#[tokio::test]
async fn one_that_never_forwards_is_told() {
    let document = started(StandIn::Swallows, "http").await;
    assert_eq!(
        the_reason(&document),
        "the SUT accepted spans and sent none on"
    );
    let [planned, never_sent, lost] = accounts(&document, ["planned", "never_sent", "lost"]);
    assert_eq!(lost, planned - never_sent);
}

#[tokio::test]
async fn one_that_returns_spans_nobody_sent_is_told() {
    let document = started(StandIn::Invents, "http").await;
    let [planned, never_sent, once, foreign] = accounts(
        &document,
        ["planned", "never_sent", "delivered_once", "foreign"],
    );
    assert!(foreign > 0 && foreign.is_multiple_of(12), "{document:#}");
    assert_eq!(
        the_reason(&document),
        format!("{foreign} spans arrived that were not sent by this run")
    );
    // What was sent came too, each span once.
    assert_eq!(once, planned - never_sent);
}

#[tokio::test]
async fn one_that_ends_in_the_middle_of_its_load_is_told_at_a_rate_and_without_one() {
    let sut = StandIn::Dies.command_line("{in_http}");
    for rate in ["10k/s", "max"] {
        let arguments = [
            "rate",
            "--sut",
            &sut,
            "--protocol",
            "http",
            "--rate",
            rate,
            // It ends with its system.
            "--duration",
            "10m",
            "--warm-up",
            "0s",
        ];
        let (code, document, said) = bench(&arguments).await;
        assert_eq!(code, 3, "{said}");
        assert_closed(&document);
        let first = &document["invalid_because"][0];
        assert_eq!(first, "the SUT ended during the load (exit status: 7)");
        let last = document["runs"][0]["sut_said"].to_string();
        assert!(last.contains("this is Dies"), "{last}");
    }
}
