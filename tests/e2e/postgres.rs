//! Tests that need PostgreSQL: locks on rows, and two orders that wait for each other.

use serde_json::Value;
use sqlx::{Connection, Executor, PgConnection};

use crate::real::Postgres;
use crate::support::{Up, run};

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

#[tokio::test]
async fn a_database_that_is_half_migrated_or_of_another_version_is_named() {
    let server = Postgres::start();
    let shop = ["--database", &server.url()];
    Up::start_with(&shop).await.stop().await;
    let database = format!("{}/inventory", server.url());
    let data = tempfile::TempDir::new().unwrap();
    let data = data.path().to_str().unwrap();
    let mut inventory = PgConnection::connect(&database).await.unwrap();
    for (what_happens, what_mends_it, said) in [
        (
            "UPDATE _sqlx_migrations SET success = FALSE WHERE version = 2",
            "UPDATE _sqlx_migrations SET success = TRUE",
            "migration 2 is partially applied",
        ),
        (
            "ALTER TABLE _sqlx_migrations RENAME TO elsewhere",
            "DROP TABLE _sqlx_migrations; ALTER TABLE elsewhere RENAME TO _sqlx_migrations",
            "already exists",
        ),
        (
            "UPDATE _sqlx_migrations SET version = 9 WHERE version = 2",
            "UPDATE _sqlx_migrations SET version = 2 WHERE version = 9",
            "migration 9 was previously applied but is missing",
        ),
    ] {
        inventory.execute(what_happens).await.unwrap();
        let up = ["up", "--free-ports", "--data", data];
        let (code, stdout, stderr) = run(&[&up[..], &shop].concat()).await;
        assert_eq!((code, stdout.as_str()), (3, ""), "{stderr}");
        for word in [
            "the inventory stopped",
            "/inventory",
            said,
            "give this one a new database",
        ] {
            assert!(stderr.contains(word), "{word} is missing in {stderr}");
        }
        inventory.execute(what_mends_it).await.unwrap();
    }
    let up = Up::start_with(&shop).await;
    up.order().await.expect(201);
}
