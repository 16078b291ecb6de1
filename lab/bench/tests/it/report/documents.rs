//! Results that are made by hand, one with each part of the document.

use bench::document::{
    Ab, AbMetric, Accounts, Capacity, CapacityStep, Chaos, Document, Environment, Latency,
    Requirement, Run, SCHEMA, Sample, Sampling, SamplingGroup, Sent, Soak, Spike, Used, Workload,
};

/// A load at a rate, of which one requirement holds and one does not.
pub(crate) fn rate() -> Document {
    let requirement = |text: &str, holds, measured: &str| Requirement {
        text: text.to_owned(),
        holds,
        measured: measured.to_owned(),
    };
    Document {
        requirements: vec![
            requirement("lost<=5", true, "1"),
            requirement("p99<=5ms", false, "12.5 ms"),
        ],
        runs: vec![run("20000/s")],
        ..document("rate")
    }
}

/// A system that took nothing, whose names are made to be mistaken for something else.
pub(crate) fn invalid() -> Document {
    let reason = "the SUT took nothing: 400 Bad Request: <b>no</b> | `traces`".to_owned();
    let run = Run {
        label: "max".to_owned(),
        sut: "agent --name '</code><script>alert(1)</script>' \u{1b}[31m".to_owned(),
        rate: None,
        valid: false,
        invalid_because: vec![reason.clone()],
        spans_per_second: 0.0,
        accounts: Accounts {
            planned: 1_000,
            refused: 990,
            in_flight: 10,
            foreign: 12,
            ..Accounts::default()
        },
        latency_ms: None,
        sut_used: None,
        sink: None,
        series: Vec::new(),
        notes: vec!["the first answer that was none of \"accepted\": 400 & more".to_owned()],
        sut_said: vec!["cannot read <agent.yaml>".to_owned(), "\u{7}bye".to_owned()],
        ..run("max")
    };
    Document {
        valid: false,
        invalid_because: vec![reason],
        runs: vec![run],
        ..document("rate")
    }
}

/// One that was stopped before its end.
pub(crate) fn incomplete() -> Document {
    Document {
        complete: false,
        spike: Some(Spike {
            base_rate: 5_000.0,
            burst_rate: 50_000.0,
            began_ms: 6_000.0,
            ended_ms: 9_000.0,
            p99_before_ms: 3.5,
            recovered_ms: Some(750.0),
        }),
        runs: vec![run("5000/s and 50000/s")],
        ..document("spike")
    }
}

pub(crate) fn capacity() -> Document {
    let step = |rate, holds, why: &str, run| CapacityStep {
        rate,
        holds,
        why: why.to_owned(),
        run,
    };
    let at = |rate: f64| Run {
        rate: Some(rate),
        ..run(&format!("{rate:.0}/s"))
    };
    Document {
        capacity: Some(Capacity {
            limits: vec!["loss=0".to_owned(), "p99<=50ms".to_owned()],
            spans_per_second: Some(20_000.0),
            fails_at: Some(40_000.0),
            confirmed: (3, 3),
            confidence: "it held 3 of 3 times".to_owned(),
            steps: vec![
                step(20_000.0, true, "", 0),
                step(40_000.0, false, "p99<=50ms: 1.25 s", 1),
                step(20_000.0, true, "", 2),
            ],
        }),
        runs: [20_000.0, 40_000.0, 20_000.0].map(at).into(),
        ..document("capacity")
    }
}

pub(crate) fn ab() -> Document {
    let runs = (1..=3).flat_map(|block| {
        ["A", "B", "B", "A"].map(|arm| Run {
            sut: format!("otelcol --config {}.yaml", arm.to_lowercase()),
            ..run(&format!("{arm}, block {block}"))
        })
    });
    Document {
        ab: Some(Ab {
            metric: "CPU time a span".to_owned(),
            better: "lower".to_owned(),
            a: "otelcol --config a.yaml".to_owned(),
            b: "otelcol --config b.yaml".to_owned(),
            ratio: 1.25,
            low: 1.2,
            high: 1.3,
            confidence: 0.99,
            verdict: "B is higher".to_owned(),
            pairs: vec![(1_000.0, 1_250.0), (1_010.0, 1_262.0), (990.0, 1_238.0)],
            others: vec![AbMetric {
                metric: "memory".to_owned(),
                ratio: 1.0,
                low: 0.98,
                high: 1.02,
            }],
        }),
        runs: runs.collect(),
        ..document("ab")
    }
}

/// A document of no kind that there is, with what the others lack.
pub(crate) fn the_rest() -> Document {
    let group = |group: &str, kept, wanted_share, holds| SamplingGroup {
        group: group.to_owned(),
        traces: 1_000,
        kept,
        wanted_share,
        holds,
    };
    Document {
        soak: Some(Soak {
            memory_bytes_per_minute: 1_572_864.0,
            low: 1_048_576.0,
            high: 2_097_152.0,
            verdict: "grows".to_owned(),
        }),
        chaos: Some(Chaos {
            what: "kill-sut".to_owned(),
            at_ms: 5_000.0,
            back_ms: 6_500.0,
            first_after_ms: None,
        }),
        sampling: Some(Sampling {
            policy: "errors and slow traces, and 10 % of the rest".to_owned(),
            groups: vec![
                group("errors", 1_000, 1.0, true),
                group("the rest", 300, 0.1, false),
            ],
            broken: 2,
        }),
        runs: vec![run("5000/s")],
        ..document("sampling")
    }
}

fn document(kind: &str) -> Document {
    Document {
        schema: SCHEMA,
        kind: format!("bench-{kind}"),
        valid: true,
        invalid_because: Vec::new(),
        complete: true,
        command: format!("tracelab bench {kind} --sut 'otelcol --config a.yaml'"),
        began: "2026-02-03T04:05:06Z".to_owned(),
        environment: Environment {
            tracelab: "tracelab 0.1.0".to_owned(),
            optimized: true,
            system: "Linux 6.1.0 x86_64".to_owned(),
            processor: "A Processor <2> @ 3 GHz".to_owned(),
            cores: 4,
            memory_bytes: 8 << 30,
            load_average: 0.25,
            sut_core: Some(1),
            own_core: Some(0),
            calibrated_spans_per_second: Some(1_234_567.0),
        },
        workload: Workload {
            shapes: "typical:8,wide".to_owned(),
            spans_per_request: vec![512, 1024],
            protocol: "grpc".to_owned(),
            compression: "none".to_owned(),
            connections: 4,
            in_flight: 8,
            rate: Some(20_000.0),
            duration_ms: 1_000.0,
            seed: 1,
            bytes_per_span: 401.25,
            retries: true,
            ..Workload::default()
        },
        requirements: Vec::new(),
        runs: Vec::new(),
        capacity: None,
        ab: None,
        soak: None,
        spike: None,
        chaos: None,
        sampling: None,
    }
}

fn run(label: &str) -> Run {
    let used = |cpu_ns_per_span, mib: u64, threads| Used {
        cpu_seconds: 0.5,
        cpu_ns_per_span,
        cpu_share: 0.5,
        peak_bytes: mib << 20,
        end_bytes: mib << 20,
        threads,
        throttled: threads / 10,
    };
    let latency = Latency {
        count: 19_990,
        min: 0.5,
        p50: 1.25,
        p90: 4.0,
        p99: 12.5,
        p999: 250.0,
        max: 1_250.0,
    };
    let sample = |at_ms, arrived, p99_ms| Sample {
        at_ms,
        sent: 20_000.0,
        arrived,
        sut_cpu: 0.5,
        generator_cpu: 0.1,
        sink_cpu: 0.05,
        sut_bytes: 64 << 20,
        sut_threads: 12,
        in_flight: 3,
        p99_ms,
        ..Sample::default()
    };
    Run {
        label: label.to_owned(),
        sut: "otelcol --config a.yaml".to_owned(),
        rate: Some(20_000.0),
        valid: true,
        spans_per_second: 19_990.0,
        load_ms: 1_000.0,
        drain_ms: 250.0,
        accounts: Accounts {
            planned: 20_000,
            delivered_once: 19_970,
            duplicated: 10,
            corrupted: 9,
            lost: 1,
            never_sent: 10,
            ..Accounts::default()
        },
        latency_ms: Some(latency),
        latency_from: "intended send time".to_owned(),
        answer_ms: Some(latency),
        sut_used: Some(used(1_234.5, 64, 12)),
        generator: used(150.0, 32, 2),
        sink: Some(used(75.0, 16, 2)),
        lag_ms: Some(latency),
        sent: Sent {
            requests: 30,
            bytes: 8_000_000,
            plain_bytes: 8_000_000,
            ..Sent::default()
        },
        series: vec![
            sample(250.0, 18_000.0, Some(12.5)),
            sample(500.0, 22_000.0, Some(4.0)),
            sample(750.0, 20_000.0, None),
        ],
        ..Run::default()
    }
}
