//! The variables: defaults, good values, bad values.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
use super::*;

fn read(variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
    Config::from_variables("checkout", "1.0", &|name| {
        variables
            .iter()
            .find(|(key, _)| *key == name)
            .map(|(_, value)| (*value).to_owned())
    })
}

#[test]
fn an_empty_environment_gives_the_defaults_of_the_specification() {
    let config = read(&[]).unwrap();
    assert_eq!(
        config.export,
        Export::Otlp {
            protocol: Protocol::HttpProtobuf,
            endpoint: "http://localhost:4318".to_owned(),
            timeout: Duration::from_secs(10),
        }
    );
    assert_eq!(config.batch, BatchConfig::default());
    assert_eq!(
        config.propagators,
        [Propagator::TraceContext, Propagator::Baggage]
    );
    assert_eq!(format!("{:?}", config.sampler), "ParentBased(AlwaysOn)");
}

#[test]
fn an_empty_value_counts_as_unset() {
    assert!(
        read(&[
            ("OTEL_TRACES_SAMPLER", ""),
            ("OTEL_BSP_SCHEDULE_DELAY", " ")
        ])
        .is_ok()
    );
}

#[test]
fn values_are_taken_as_they_are_given() {
    let config = read(&[
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9999"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "800"),
        ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "700"),
        ("OTEL_TRACES_SAMPLER", "parentbased_traceidratio"),
        ("OTEL_TRACES_SAMPLER_ARG", "0.25"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "100"),
        ("OTEL_BSP_SCHEDULE_DELAY", "50"),
        ("OTEL_PROPAGATORS", "baggage"),
    ])
    .unwrap();
    assert_eq!(
        config.export,
        Export::Otlp {
            protocol: Protocol::Grpc,
            endpoint: "http://127.0.0.1:9999".to_owned(),
            timeout: Duration::from_millis(700),
        }
    );
    assert_eq!(
        format!("{:?}", config.sampler),
        "ParentBased(TraceIdRatioBased(0.25))"
    );
    assert_eq!(config.batch.max_queue_size, 100);
    assert_eq!(
        config.batch.max_export_batch_size, 100,
        "never more than the queue holds"
    );
    assert_eq!(config.batch.schedule_delay, Duration::from_millis(50));
    assert_eq!(config.propagators, [Propagator::Baggage]);
}

#[test]
fn disabling_the_sdk_wins() {
    let config = read(&[("OTEL_SDK_DISABLED", "TRUE")]).unwrap();
    assert_eq!(config.export, Export::SdkDisabled);
}

#[test]
fn a_bad_value_is_an_error_that_says_what_would_be_right() {
    for (variable, value, expected) in [
        ("OTEL_SDK_DISABLED", "yes", "true or false"),
        ("OTEL_TRACES_EXPORTER", "zipkin", "otlp or none"),
        (
            "OTEL_EXPORTER_OTLP_PROTOCOL",
            "http/json",
            "grpc or http/protobuf",
        ),
        (
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            "localhost:4317",
            "a URL such as",
        ),
        (
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            "https://example.com",
            "no TLS",
        ),
        (
            "OTEL_TRACES_SAMPLER",
            "sometimes",
            "parentbased_traceidratio",
        ),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s", "a whole number"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "many", "a whole number"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "0", "at least 1"),
        (
            "OTEL_BSP_MAX_EXPORT_BATCH_SIZE",
            "4096",
            "no more than OTEL_BSP_MAX_QUEUE_SIZE",
        ),
        (
            "OTEL_PROPAGATORS",
            "tracecontext,b3",
            "tracecontext and baggage",
        ),
        ("OTEL_RESOURCE_ATTRIBUTES", "team", "key=value"),
    ] {
        let error = read(&[(variable, value)]).unwrap_err().to_string();
        assert!(
            error.contains(variable) && error.contains(value) && error.contains(expected),
            "{variable}={value}: {error}"
        );
    }
    let error = read(&[
        ("OTEL_TRACES_SAMPLER", "traceidratio"),
        ("OTEL_TRACES_SAMPLER_ARG", "2"),
    ]);
    assert!(error.unwrap_err().to_string().contains("from 0.0 to 1.0"));
}
