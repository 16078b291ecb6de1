//! Every scenario passes: on the embedded parts, on the real parts, and on the real parts through a
//! Collector.

use serde_json::Value;

use crate::{
    collector::{set_up, there_is_a_collector},
    real::{Postgres, a_virtual_host, there_is_rabbitmq},
    support::run_with,
};

/// Runs all scenarios; `unsupported` of their phases need a part that is missing.
async fn all_pass(arguments: &[&str], unsupported: usize) {
    let (code, report, stderr) = run_with(&[], &[&["run", "--all"], arguments].concat()).await;
    let phases = report["scenarios"].as_array().expect(&stderr);
    let with_verdict = |verdict: &str| -> Vec<&Value> {
        let mut found: Vec<&Value> = phases.iter().collect();
        found.retain(|phase| phase["verdict"] == verdict);
        found
    };
    let failed = with_verdict("fail");
    assert!(failed.is_empty(), "{failed:#?}\n{stderr}");
    assert_eq!(code, 0, "{stderr}");
    assert_eq!(with_verdict("unsupported").len(), unsupported, "{report}");
    assert!(
        phases.iter().all(|phase| phase["left_out"].is_null()),
        "{report}"
    );
}

/// The number of phases that need locks on rows, which SQLite does not have.
const NOT_ON_SQLITE: usize = 3;

#[tokio::test]
async fn on_the_embedded_parts() {
    all_pass(&[], NOT_ON_SQLITE).await;
}

#[tokio::test]
async fn on_postgresql_and_rabbitmq() {
    if !there_is_rabbitmq() {
        return;
    }
    let server = Postgres::start();
    let amqp = a_virtual_host().await;
    all_pass(&["--database", &server.url(), "--amqp", &amqp], 0).await;
}

#[tokio::test]
async fn on_postgresql_and_rabbitmq_through_a_collector() {
    if !there_is_rabbitmq() || !there_is_a_collector() {
        return;
    }
    let server = Postgres::start();
    let (database, amqp, base) = (server.url(), a_virtual_host().await, set_up("base.yaml"));
    let via = base.to_str().unwrap();
    let real = ["--database", &database, "--amqp", &amqp, "--via", via];
    all_pass(&real, 0).await;
}
