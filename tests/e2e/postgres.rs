//! What needs PostgreSQL: locks on rows, and two orders that wait for each other.

use serde_json::Value;
use sqlx::{Connection, PgConnection};

use crate::real::Postgres;
use crate::support::run;

async fn databases(server: &Postgres) -> Vec<String> {
    let mut connection = PgConnection::connect(&format!("{}/postgres", server.url()))
        .await
        .unwrap();
    sqlx::query_scalar("SELECT datname FROM pg_database WHERE datname LIKE 'lab%'")
        .fetch_all(&mut connection)
        .await
        .unwrap()
}

#[tokio::test]
async fn with_locks_on_rows_contention_is_of_one_product_and_a_deadlock_is_real() {
    let server = Postgres::start();
    let (code, stdout, stderr) = run(&[
        "run",
        "deadlock",
        "lock-contention",
        "checkout",
        "--database",
        &server.url(),
        "--format",
        "json",
        "--strict",
    ])
    .await;
    assert_eq!(code, 0, "{stdout}\n{stderr}");
    let report: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(report["verdict"], "pass", "{stdout}");
    assert_eq!(report["scenarios"].as_array().unwrap().len(), 7, "{stdout}");
    assert_eq!(
        databases(&server).await,
        Vec::<String>::new(),
        "they are dropped with the lab"
    );
}

#[tokio::test]
async fn a_server_that_cannot_be_used_is_named() {
    let (code, _, stderr) = run(&[
        "run",
        "checkout",
        "--database",
        "postgres://shop:secret@127.0.0.1:1",
    ])
    .await;
    assert_eq!(code, 3, "{stderr}");
    assert!(
        stderr.contains("127.0.0.1:1") && !stderr.contains("secret"),
        "{stderr}"
    );
    let (code, ..) = run(&["run", "checkout", "--database", "mysql://127.0.0.1"]).await;
    assert_eq!(code, 2);
}
