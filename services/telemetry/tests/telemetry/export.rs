//! The whole pipeline, from the standard variables to a real receiver.
//!
//! The variables belong to a process, so the service of these tests is a separate process: the test runs its
//! own binary again with the variables of the case, and checks what the receiver got and what the process
//! printed.

use std::{collections::BTreeMap, env, net::SocketAddr, time::Duration};

use opentelemetry_proto::tonic::{
    common::v1::any_value::Value,
    trace::v1::{ResourceSpans, Span},
};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    process::Command,
};

use crate::{
    otlp_receiver::{Answer, Receiver},
    server::ClosedPort,
};

/// The variable that marks the process of the service.
const IS_SERVICE: &str = "TELEMETRY_TEST_IS_SERVICE";

const SPANS: u64 = 3;

/// Longer than any test.
const A_MINUTE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn spans_arrive_with_who_sent_them() {
    const TEST: &str = "export::spans_arrive_with_who_sent_them";
    if is_service() {
        return be_the_service().await;
    }
    let mut instances = Vec::new();
    for protocol in ["grpc", "http/protobuf"] {
        let receiver = Receiver::start(Answer::Take).await;
        let service = service(TEST, to(&receiver, protocol)).await;
        assert_eq!(service.said["exported"], SPANS, "{protocol}: {service:?}");
        assert_eq!(service.said["ended"], SPANS, "{protocol}: {service:?}");

        let taken = receiver.taken();
        let spans = spans(&taken);
        assert_eq!(spans.len() as u64, SPANS, "{protocol}");
        for span in spans {
            assert_eq!(span.name, "step");
            assert_eq!(span.attributes.len(), 1, "nothing but our own: {span:?}");
            let count = span.attributes[0].value.as_ref().unwrap().value.as_ref();
            assert_eq!(count, Some(&Value::IntValue(3)));
        }
        let resource = resource(&taken);
        assert_eq!(resource["service.name"], "checkout");
        assert_eq!(resource["service.version"], "1.2.3");
        assert_eq!(resource["telemetry.sdk.language"], "rust");
        instances.push(resource["service.instance.id"].clone());
    }
    assert_ne!(
        instances[0], instances[1],
        "each process is an instance of its own"
    );
}

/// An environment as in a container that contains only the program.
#[tokio::test]
async fn a_machine_needs_no_ca_certificates() {
    const TEST: &str = "export::a_machine_needs_no_ca_certificates";
    if is_service() {
        return be_the_service().await;
    }
    for protocol in ["grpc", "http/protobuf"] {
        let receiver = Receiver::start(Answer::Take).await;
        let mut variables = to(&receiver, protocol);
        variables.push(("SSL_CERT_FILE", "/none".to_owned()));
        variables.push(("SSL_CERT_DIR", "/none".to_owned()));
        let service = service(TEST, variables).await;
        assert_eq!(service.said["exported"], SPANS, "{protocol}: {service:?}");
    }
}

#[tokio::test]
async fn what_the_variables_say_of_the_service_wins() {
    const TEST: &str = "export::what_the_variables_say_of_the_service_wins";
    if is_service() {
        return be_the_service().await;
    }
    const GIVEN: &str = "service.name=shop,service.version=9,service.instance.id=pod-1,deployment.environment.name=ci";
    for (service_name, expected) in [(None, "shop"), (Some("till"), "till")] {
        let receiver = Receiver::start(Answer::Take).await;
        let mut variables = to(&receiver, "grpc");
        variables.push(("OTEL_RESOURCE_ATTRIBUTES", GIVEN.to_owned()));
        variables.extend(service_name.map(|name: &str| ("OTEL_SERVICE_NAME", name.to_owned())));
        service(TEST, variables).await;

        let resource = resource(&receiver.taken());
        assert_eq!(resource["service.name"], expected);
        assert_eq!(resource["service.version"], "9");
        assert_eq!(resource["service.instance.id"], "pod-1");
        assert_eq!(resource["deployment.environment.name"], "ci");
    }
}

#[tokio::test]
async fn a_receiver_that_stays_away_costs_spans_and_not_the_service_and_the_reason_is_said() {
    const TEST: &str =
        "export::a_receiver_that_stays_away_costs_spans_and_not_the_service_and_the_reason_is_said";
    if is_service() {
        return be_the_service().await;
    }
    for protocol in ["grpc", "http/protobuf"] {
        let closed = ClosedPort::reserve();
        let mut variables = variables(closed.address, protocol);
        variables.push(("OTEL_BSP_EXPORT_TIMEOUT", "300".to_owned()));
        let service = service(TEST, variables).await;
        assert_eq!(service.said["failed"], SPANS, "{protocol}: {service:?}");
        assert_eq!(service.said["exported"], 0, "{protocol}: {service:?}");
        assert_eq!(service.said["queued"], 0, "{protocol}: {service:?}");
        assert!(
            service.log.contains("spans are being lost")
                && service.log.contains("Connection refused"),
            "{protocol}: {service:?}"
        );
    }
}

#[tokio::test]
async fn a_stop_does_not_wait_for_a_receiver_that_is_away() {
    const TEST: &str = "export::a_stop_does_not_wait_for_a_receiver_that_is_away";
    if is_service() {
        // The batch may be tried for an hour; the stop has half a second.
        return be_the_service_that_stops_within(Duration::from_millis(500)).await;
    }
    for protocol in ["grpc", "http/protobuf"] {
        let closed = ClosedPort::reserve();
        let mut variables = variables(closed.address, protocol);
        variables.push(("OTEL_BSP_EXPORT_TIMEOUT", "3600000".to_owned()));
        let service = service(TEST, variables).await;
        assert_eq!(service.said["failed"], SPANS, "{protocol}: {service:?}");
        assert_eq!(service.said["queued"], 0, "{protocol}: {service:?}");
        assert!(
            service.log.contains("Connection refused") && service.log.contains("the process stops"),
            "{protocol}: {service:?}"
        );
    }
}

#[tokio::test]
async fn a_receiver_that_comes_late_gets_every_span() {
    const TEST: &str = "export::a_receiver_that_comes_late_gets_every_span";
    if is_service() {
        return be_the_service_that_stops_within(A_MINUTE).await;
    }
    for protocol in ["grpc", "http/protobuf"] {
        let closed = ClosedPort::reserve();
        let first = closed.listen_for_a_while();
        let service = tokio::spawn(service(TEST, variables(closed.address, protocol)));
        // The connection breaks in the first try, and the next ones find no listener.
        hang_up_in_an_export(first).await;
        let port = closed.listen();
        let other = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (grpc, http) = match protocol {
            "grpc" => (port, other),
            _ => (other, port),
        };
        let receiver = Receiver::serve(grpc, http, Answer::Take);
        let service = service.await.unwrap();
        assert_eq!(service.said["exported"], SPANS, "{protocol}: {service:?}");
        assert_eq!(spans(&receiver.taken()).len() as u64, SPANS, "{protocol}");
        assert!(!service.log.contains("lost"), "{protocol}: {service:?}");
    }
}

#[tokio::test]
async fn a_try_without_an_answer_is_given_up_and_made_again() {
    const TEST: &str = "export::a_try_without_an_answer_is_given_up_and_made_again";
    if is_service() {
        return be_the_service_that_stops_within(A_MINUTE).await;
    }
    for protocol in ["grpc", "http/protobuf"] {
        let receiver = Receiver::start(Answer::SilentAtFirst).await;
        let mut variables = to(&receiver, protocol);
        variables.push(("OTEL_EXPORTER_OTLP_TIMEOUT", "300".to_owned()));
        let service = service(TEST, variables).await;
        assert_eq!(service.said["exported"], SPANS, "{protocol}: {service:?}");
        assert_eq!(spans(&receiver.taken()).len() as u64, SPANS, "{protocol}");
    }
}

#[tokio::test]
async fn spans_that_are_refused_are_counted_as_failed_and_not_sent_again() {
    const TEST: &str = "export::spans_that_are_refused_are_counted_as_failed_and_not_sent_again";
    if is_service() {
        return be_the_service().await;
    }
    for (answer, protocol, reason) in [
        (Answer::Refuse, "grpc", "InvalidArgument"),
        (Answer::Refuse, "http/protobuf", "400 Bad Request"),
        // A connection that breaks has this code too, and is tried again.
        (Answer::Fail, "grpc", "Unknown"),
        (Answer::Fail, "http/protobuf", "500 Internal Server Error"),
    ] {
        let receiver = Receiver::start(answer).await;
        let service = service(TEST, to(&receiver, protocol)).await;
        assert_eq!(service.said["failed"], SPANS, "{protocol}: {service:?}");
        assert!(service.log.contains(reason), "{protocol}: {service:?}");
        assert_eq!(receiver.asked(), 1, "{protocol}: {service:?}");
    }
}

#[tokio::test]
async fn a_receiver_that_is_too_busy_is_asked_again() {
    const TEST: &str = "export::a_receiver_that_is_too_busy_is_asked_again";
    if is_service() {
        return be_the_service().await;
    }
    for protocol in ["grpc", "http/protobuf"] {
        let receiver = Receiver::start(Answer::TooBusyAtFirst).await;
        let service = service(TEST, to(&receiver, protocol)).await;
        assert_eq!(service.said["exported"], SPANS, "{protocol}: {service:?}");
        assert_eq!(spans(&receiver.taken()).len() as u64, SPANS, "{protocol}");
    }
}

#[tokio::test]
async fn a_sampler_that_keeps_nothing_exports_nothing_and_passes_context_on() {
    const TEST: &str = "export::a_sampler_that_keeps_nothing_exports_nothing_and_passes_context_on";
    if is_service() {
        return be_the_service().await;
    }
    let receiver = Receiver::start(Answer::Take).await;
    let mut variables = to(&receiver, "grpc");
    variables.push(("OTEL_TRACES_SAMPLER", "always_off".to_owned()));
    let service = service(TEST, variables).await;
    assert_eq!(service.said["ended"], 0, "{service:?}");
    assert!(
        service.said["traceparent"]
            .as_str()
            .unwrap()
            .ends_with("-02"),
        "{service:?}"
    );
    assert_eq!(receiver.taken(), []);
}

#[tokio::test]
async fn without_an_exporter_context_is_passed_on_and_with_the_sdk_disabled_nothing_is() {
    const TEST: &str =
        "export::without_an_exporter_context_is_passed_on_and_with_the_sdk_disabled_nothing_is";
    if is_service() {
        return be_the_service().await;
    }
    for (variable, value, passed_on) in [
        ("OTEL_TRACES_EXPORTER", "none", true),
        ("OTEL_SDK_DISABLED", "true", false),
    ] {
        let service = service(TEST, vec![(variable, value.to_owned())]).await;
        assert_eq!(service.said["ended"], 0, "{variable}: {service:?}");
        assert_eq!(
            service.said["traceparent"].is_string(),
            passed_on,
            "{variable}: {service:?}"
        );
    }
}

// === The service ===

#[derive(Debug)]
struct Service {
    /// The line of JSON that it printed.
    said: serde_json::Value,
    log: String,
}

fn is_service() -> bool {
    env::var_os(IS_SERVICE).is_some()
}

/// The work of the service process, which has as long for its last exports as the services of the shop.
async fn be_the_service() {
    be_the_service_that_stops_within(Duration::from_secs(5)).await;
}

/// The work of the service process. Its runtime has one thread, as payment's has.
async fn be_the_service_that_stops_within(limit: Duration) {
    let config = telemetry::Config::from_env("checkout", "1.2.3").unwrap();
    let telemetry = config.install().unwrap();
    let mut fields = serde_json::Value::Null;
    for _ in 0..SPANS {
        let step = tracing::info_span!("step", order.item_count = 3_i64);
        let saved = step.in_scope(telemetry::SavedContext::current);
        fields = serde_json::from_str(&saved.to_json()).unwrap();
    }
    let counts = telemetry.shutdown(limit).await;
    let mut said = json!(counts);
    said["traceparent"] = fields["traceparent"].take();
    println!("\n{said}");
    // What is logged is written by a thread of its own, which ends with the process.
    stderr::flush(Duration::from_secs(60));
}

/// Runs one test of this binary as the service, with these variables and no other `OTEL_*` variables.
async fn service(test: &'static str, variables: Vec<(&'static str, String)>) -> Service {
    let mut command = Command::new(env::current_exe().unwrap());
    for (name, _) in env::vars().filter(|(name, _)| name.starts_with("OTEL_")) {
        command.env_remove(name);
    }
    command
        .args(["--exact", test, "--nocapture"])
        .env(IS_SERVICE, "yes")
        .envs(variables)
        .kill_on_drop(true);
    let output = command.output().await.unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    let log = String::from_utf8(output.stderr).unwrap();
    assert!(
        output.status.success(),
        "the service failed: {printed}{log}"
    );
    let said = printed
        .lines()
        .find_map(|line| serde_json::from_str(line).ok())
        .unwrap_or_else(|| panic!("the service said nothing: {printed}{log}"));
    Service { said, log }
}

/// Closes the port and its connection when an export is on its way.
async fn hang_up_in_an_export(listener: TcpListener) {
    /// The settings of an HTTP/2 server, with which the connection is complete.
    const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];
    let (mut connection, _) = listener.accept().await.unwrap();
    let mut received = Vec::new();
    while !String::from_utf8_lossy(&received).contains("service.name") {
        if received.starts_with(b"PRI * HTTP/2.0") && received.len() < 100 {
            connection.write_all(SETTINGS).await.unwrap();
        }
        let read = connection.read_buf(&mut received).await.unwrap();
        assert_ne!(read, 0, "the exporter goes on: {received:?}");
    }
}

fn to(receiver: &Receiver, protocol: &str) -> Vec<(&'static str, String)> {
    let address = match protocol {
        "grpc" => receiver.grpc,
        _ => receiver.http,
    };
    variables(address, protocol)
}

fn variables(address: SocketAddr, protocol: &str) -> Vec<(&'static str, String)> {
    vec![
        ("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{address}")),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol.to_owned()),
    ]
}

// === What the receiver has ===

fn spans(taken: &[ResourceSpans]) -> Vec<&Span> {
    taken
        .iter()
        .flat_map(|resource| &resource.scope_spans)
        .flat_map(|scope| &scope.spans)
        .collect()
}

/// The attributes of the one resource; all of them are strings.
fn resource(taken: &[ResourceSpans]) -> BTreeMap<String, String> {
    let resource = taken.first().and_then(|first| first.resource.as_ref());
    let attributes = &resource.expect("a resource was received").attributes;
    attributes
        .iter()
        .map(|attribute| {
            match attribute
                .value
                .as_ref()
                .and_then(|value| value.value.as_ref())
            {
                Some(Value::StringValue(text)) => (attribute.key.clone(), text.clone()),
                other => panic!("{} is no text: {other:?}", attribute.key),
            }
        })
        .collect()
}
