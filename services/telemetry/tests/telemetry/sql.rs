//! The boundary to a database, on a real SQLite file.

use std::time::Duration;

use opentelemetry::trace::{SpanKind, Status};
use sqlx::{Any, AnyPool, any::AnyPoolOptions, pool::PoolConnection};
use telemetry::sql::{Database, System};
use tempfile::TempDir;

use crate::recorder::{Recorder, attributes, error_text, expected, named, text};

#[tokio::test]
async fn a_statement_is_a_client_span_named_by_its_summary() {
    let (_folder, db) = database().await;
    let recorder = Recorder::start();
    const SQL: &str = "SELECT sku, price_cents FROM products WHERE sku = $1";
    let row: (String, i64) = db
        .trace(SQL, |sql| {
            sqlx::query_as(sql).bind("TENT-2P-GRN").fetch_one(&db.pool)
        })
        .await
        .unwrap();
    assert_eq!(row, ("TENT-2P-GRN".to_owned(), 24_900));

    let span = recorder.only().await;
    assert_eq!(span.name, "SELECT products");
    assert_eq!(span.span_kind, SpanKind::Client);
    assert_eq!(span.status, Status::Unset);
    assert_eq!(
        attributes(&span),
        expected([
            ("db.collection.name", text("products")),
            ("db.namespace", text("inventory.db")),
            ("db.operation.name", text("SELECT")),
            ("db.query.summary", text("SELECT products")),
            ("db.query.text", text(SQL)),
            ("db.system.name", text("sqlite")),
        ])
    );
}

#[tokio::test]
async fn a_database_with_an_address_names_it() {
    let (_folder, db) = database().await;
    let server = Some(("db.shop".to_owned(), 5432));
    let db = Database::new(db.pool, System::Postgresql, "inventory".to_owned(), server);
    let recorder = Recorder::start();
    db.trace("SELECT 1", |sql| sqlx::query(sql).execute(&db.pool))
        .await
        .unwrap();

    assert_eq!(
        attributes(&recorder.only().await),
        expected([
            ("db.namespace", text("inventory")),
            ("db.operation.name", text("SELECT")),
            ("db.query.summary", text("SELECT")),
            ("db.query.text", text("SELECT 1")),
            ("db.system.name", text("postgresql")),
            ("server.address", text("db.shop")),
            ("server.port", opentelemetry::Value::I64(5432)),
        ])
    );
}

#[tokio::test]
async fn an_error_has_the_code_of_the_database() {
    let (_folder, db) = database().await;
    let recorder = Recorder::start();
    const SQL: &str = "INSERT INTO products (sku, price_cents) VALUES ($1, 1)";
    let twice = db.trace(SQL, |sql| {
        sqlx::query(sql).bind("TENT-2P-GRN").execute(&db.pool)
    });
    assert!(twice.await.is_err());

    let span = recorder.only().await;
    // SQLITE_CONSTRAINT_PRIMARYKEY.
    assert_eq!(attributes(&span)["db.response.status_code"], text("1555"));
    assert_eq!(attributes(&span)["error.type"], text("1555"));
    assert!(
        error_text(&span).contains("products.sku"),
        "{:?}",
        span.status
    );
    assert!(
        !format!("{span:?}").contains("TENT-2P-GRN"),
        "no value of a user: {span:?}"
    );
}

#[tokio::test]
async fn no_row_is_an_answer_and_no_error() {
    let (_folder, db) = database().await;
    let recorder = Recorder::start();
    const SQL: &str = "SELECT price_cents FROM products WHERE sku = $1";
    let none: sqlx::Result<(i64,)> = db
        .trace(SQL, |sql| {
            sqlx::query_as(sql).bind("NO-SUCH").fetch_one(&db.pool)
        })
        .await;
    assert!(matches!(none, Err(sqlx::Error::RowNotFound)));

    let span = recorder.only().await;
    assert_eq!(span.status, Status::Unset);
    assert_eq!(attributes(&span).get("error.type"), None);
}

#[tokio::test]
async fn a_pool_that_is_exhausted_is_an_error_without_a_code() {
    let (_folder, mut db) = database().await;
    let impatient = AnyPoolOptions::new().max_connections(1);
    let impatient = impatient.acquire_timeout(Duration::from_millis(300));
    db.pool = impatient.connect_lazy_with(db.pool.connect_options().as_ref().clone());
    let recorder = Recorder::start();
    let _held = held(&db.pool).await;
    let waiting = db.trace("SELECT 1", |sql| sqlx::query(sql).execute(&db.pool));
    assert!(matches!(waiting.await, Err(sqlx::Error::PoolTimedOut)));

    let span = recorder.only().await;
    assert_eq!(attributes(&span)["error.type"], text("pool_timed_out"));
    assert_eq!(attributes(&span).get("db.response.status_code"), None);
    assert!(matches!(span.status, Status::Error { .. }));
}

#[tokio::test]
async fn statements_are_children_of_the_step_that_runs_them() {
    let (_folder, db) = database().await;
    let recorder = Recorder::start();
    fetch_items(&db).await;
    let spans = recorder.ended(2).await;
    let (step, query) = (
        named(&spans, "fetch_items"),
        named(&spans, "SELECT products"),
    );
    assert_eq!(query.parent_span_id, step.span_context.span_id());
}

#[tracing::instrument(skip_all)]
async fn fetch_items(db: &Database) {
    const SQL: &str = "SELECT sku FROM products";
    db.trace(SQL, |sql| sqlx::query(sql).fetch_all(&db.pool))
        .await
        .unwrap();
}

/// The one connection of a pool. Opening it may take longer than the pool waits.
async fn held(pool: &AnyPool) -> PoolConnection<Any> {
    loop {
        match pool.acquire().await {
            Ok(connection) => return connection,
            Err(error) => assert!(matches!(error, sqlx::Error::PoolTimedOut), "{error}"),
        }
    }
}

/// A file with one product, behind a pool of one connection.
async fn database() -> (TempDir, Database) {
    sqlx::any::install_default_drivers();
    let folder = tempfile::tempdir().unwrap();
    let url = format!(
        "sqlite://{}?mode=rwc",
        folder.path().join("inventory.db").display()
    );
    let pool = AnyPoolOptions::new()
        .max_connections(1)
        .connect(&url)
        .await
        .unwrap();
    for sql in [
        "CREATE TABLE products (sku TEXT PRIMARY KEY, price_cents BIGINT NOT NULL)",
        "INSERT INTO products (sku, price_cents) VALUES ('TENT-2P-GRN', 24900)",
    ] {
        sqlx::query(sql).execute(&pool).await.unwrap();
    }
    let database = Database::new(pool, System::Sqlite, "inventory.db".to_owned(), None);
    (folder, database)
}

/// sqlx passes a span that it sees to its own thread, and such a span may never be closed.
#[tokio::test]
async fn sqlx_never_sees_a_span_that_it_could_hand_on() {
    let (_folder, db) = database().await;
    let recorder = Recorder::start();
    let step = tracing::info_span!("step");
    let seen = async {
        db.trace("SELECT 1", |sql| {
            let run = sqlx::query(sql).execute(&db.pool);
            async {
                let seen = tracing::Span::current().is_none();
                run.await.map(|_| seen)
            }
        })
        .await
        .unwrap()
    };
    assert!(tracing::Instrument::instrument(seen, step.clone()).await);
    drop(step);

    let spans = recorder.ended(2).await;
    let (step, statement) = (named(&spans, "step"), named(&spans, "SELECT"));
    assert_eq!(
        statement.parent_span_id,
        step.span_context.span_id(),
        "it is a child all the same"
    );
}
