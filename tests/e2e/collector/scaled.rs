//! `scaled/`: two agents, two gateways, and no trace that is split between the gateways.

use std::collections::{BTreeMap, BTreeSet};

use trace::Value;

use super::rig::{set_up, there_is_a_collector};
use crate::support::run_with;

#[tokio::test]
async fn agents_send_all_spans_of_a_trace_to_one_gateway() {
    if !there_is_a_collector() {
        return;
    }
    let out = tempfile::TempDir::new().unwrap();
    let scaled = set_up("scaled");
    let (code, report, stderr) = run_with(
        &[("TAIL_SAMPLING_WAIT", "2s")],
        &[
            "run",
            "card-declined",
            "--only",
            "faulty",
            "--requests",
            "40",
            "--pace",
            "none",
            "--via",
            scaled.to_str().unwrap(),
            "--traces",
            "all",
            "--out",
            out.path().to_str().unwrap(),
        ],
    )
    .await;
    assert_eq!(code, 0, "{report}{stderr}");
    assert_eq!(
        report["scenarios"][0]["passed"], 40,
        "all are errors, so all are kept"
    );

    let mut traces_of: BTreeMap<String, usize> = BTreeMap::new();
    let files = std::fs::read_dir(out.path().join("card-declined/faulty")).unwrap();
    for file in files.map(|entry| entry.unwrap().path()) {
        if !file.to_str().unwrap().ends_with(".otlp.json") {
            continue;
        }
        let spans = trace::otlp::from_json(&std::fs::read(&file).unwrap())
            .unwrap()
            .spans;
        let gateways: BTreeSet<&str> = spans
            .iter()
            .map(|span| {
                let gateway = span.resource.attributes.get("collector.gateway");
                gateway
                    .and_then(Value::as_str)
                    .expect("every span says its gateway")
            })
            .collect();
        let services: BTreeSet<&str> = spans.iter().map(|span| span.service()).collect();
        assert!(services.len() > 2, "through both agents: {services:?}");
        assert_eq!(
            gateways.len(),
            1,
            "{} is split over {gateways:?}",
            file.display()
        );
        for gateway in gateways {
            *traces_of.entry(gateway.to_owned()).or_default() += 1;
        }
    }
    let gateways: Vec<&String> = traces_of.keys().collect();
    assert_eq!(gateways, ["gateway-1", "gateway-2"], "{traces_of:?}");
    assert_eq!(traces_of.values().sum::<usize>(), 40);
}
