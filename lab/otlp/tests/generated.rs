//! What the tables read is what the generated code of OTLP's messages writes.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use opentelemetry_proto::tonic::{
    collector::{logs::v1::ExportLogsServiceRequest, metrics::v1::ExportMetricsServiceRequest},
    common::v1::{AnyValue, KeyValue, any_value::Value as ProtoValue},
    metrics::v1 as metrics,
};
use prost::Message as _;

#[test]
fn logs_and_metrics_in_json_say_what_the_generated_code_says() {
    let logs: ExportLogsServiceRequest = serde_json::from_str(include_str!("logs.json")).unwrap();
    let read = otlp::logs_from_json(include_bytes!("logs.json")).unwrap();
    assert_eq!(
        ExportLogsServiceRequest::decode(&*read.bytes).unwrap(),
        logs
    );
    let expected: ExportMetricsServiceRequest =
        serde_json::from_str(include_str!("metrics.json")).unwrap();
    let read = otlp::metrics_from_json(include_bytes!("metrics.json")).unwrap();
    assert_eq!(
        ExportMetricsServiceRequest::decode(&*read.bytes).unwrap(),
        expected
    );
}

/// Every field of a metric's points, written by the generated code and read by the tables.
#[test]
fn every_field_of_a_data_point_has_its_number() {
    let attributes = vec![KeyValue {
        key: "k".to_owned(),
        value: Some(AnyValue {
            value: Some(ProtoValue::IntValue(-7)),
        }),
        key_strindex: 0,
    }];
    let exemplars = vec![metrics::Exemplar {
        filtered_attributes: attributes.clone(),
        time_unix_nano: 3,
        span_id: vec![4; 8],
        trace_id: vec![5; 16],
        value: Some(metrics::exemplar::Value::AsDouble(0.5)),
    }];
    let number = metrics::NumberDataPoint {
        attributes: attributes.clone(),
        start_time_unix_nano: 1,
        time_unix_nano: 2,
        exemplars: exemplars.clone(),
        flags: 1,
        value: Some(metrics::number_data_point::Value::AsInt(-6)),
    };
    let histogram = metrics::HistogramDataPoint {
        attributes: attributes.clone(),
        start_time_unix_nano: 1,
        time_unix_nano: 2,
        count: 3,
        sum: Some(4.5),
        bucket_counts: vec![1, 2],
        explicit_bounds: vec![0.25],
        exemplars: exemplars.clone(),
        flags: 1,
        min: Some(-1.0),
        max: Some(9.0),
    };
    let buckets = |offset| metrics::exponential_histogram_data_point::Buckets {
        offset,
        bucket_counts: vec![7, 8],
    };
    let exponential = metrics::ExponentialHistogramDataPoint {
        attributes: attributes.clone(),
        start_time_unix_nano: 1,
        time_unix_nano: 2,
        count: 3,
        sum: Some(4.5),
        scale: -3,
        zero_count: 6,
        positive: Some(buckets(5)),
        negative: Some(buckets(-5)),
        flags: 1,
        exemplars,
        min: Some(-1.0),
        max: Some(9.0),
        zero_threshold: 0.125,
    };
    let summary = metrics::SummaryDataPoint {
        attributes,
        start_time_unix_nano: 1,
        time_unix_nano: 2,
        count: 3,
        sum: 4.5,
        quantile_values: vec![metrics::summary_data_point::ValueAtQuantile {
            quantile: 0.5,
            value: 2.0,
        }],
        flags: 1,
    };
    use metrics::metric::Data;
    let data = [
        Data::Gauge(metrics::Gauge {
            data_points: vec![number.clone()],
        }),
        Data::Sum(metrics::Sum {
            data_points: vec![number],
            aggregation_temporality: 2,
            is_monotonic: true,
        }),
        Data::Histogram(metrics::Histogram {
            data_points: vec![histogram],
            aggregation_temporality: 1,
        }),
        Data::ExponentialHistogram(metrics::ExponentialHistogram {
            data_points: vec![exponential],
            aggregation_temporality: 2,
        }),
        Data::Summary(metrics::Summary {
            data_points: vec![summary],
        }),
    ];
    let metrics = data.map(|data| metrics::Metric {
        name: "m".to_owned(),
        data: Some(data),
        ..metrics::Metric::default()
    });
    let sent = ExportMetricsServiceRequest {
        resource_metrics: vec![metrics::ResourceMetrics {
            scope_metrics: vec![metrics::ScopeMetrics {
                metrics: metrics.to_vec(),
                ..Default::default()
            }],
            ..Default::default()
        }],
    };
    let json = serde_json::to_vec(&sent).unwrap();
    let read = otlp::metrics_from_json(&json).unwrap();
    assert_eq!(
        ExportMetricsServiceRequest::decode(&*read.bytes).unwrap(),
        sent
    );
    // One of each kind, and what the generated code sends is what the tables expect of the wire.
    let counted = otlp::count_data_points(&sent.encode_to_vec()).unwrap();
    assert_eq!((counted.items, counted.not_utf8), (5, 0));
}
