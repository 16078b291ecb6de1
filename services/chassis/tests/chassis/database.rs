//! Opens existing databases, and databases that do not exist.

use std::sync::LazyLock;

use chassis::DatabaseArgs;
use sqlx::migrate::Migrator;
use tempfile::TempDir;
use tokio::net::TcpListener;

static MIGRATIONS: LazyLock<Migrator> = chassis::migrations!("0001_notes");

fn at(url: String) -> DatabaseArgs {
    DatabaseArgs { database: url }
}

fn file_in(folder: &TempDir) -> String {
    format!("sqlite://{}", folder.path().join("notes.db").display())
}

async fn refusal(url: String) -> String {
    match at(url.clone()).open(&MIGRATIONS).await {
        Ok(_) => panic!("{url} was opened"),
        Err(error) => error.to_string(),
    }
}

#[tokio::test]
async fn a_file_is_made_and_keeps_what_it_is_given() {
    let folder = TempDir::new().unwrap();
    let args = at(file_in(&folder));
    let database = args.open(&MIGRATIONS).await.unwrap();
    sqlx::query("INSERT INTO notes (id, text) VALUES ($1, $2)")
        .bind("n-1")
        .bind("kept")
        .execute(&database.pool)
        .await
        .unwrap();
    database.pool.close().await;

    let database = args.open(&MIGRATIONS).await.unwrap();
    let text: String = sqlx::query_scalar("SELECT text FROM notes WHERE id = $1")
        .bind("n-1")
        .fetch_one(&database.pool)
        .await
        .unwrap();
    assert_eq!(text, "kept");
}

#[tokio::test]
async fn readers_go_on_beside_the_writer() {
    let folder = TempDir::new().unwrap();
    let database = at(file_in(&folder)).open(&MIGRATIONS).await.unwrap();
    let mode: String = sqlx::query_scalar("PRAGMA journal_mode")
        .fetch_one(&database.pool)
        .await
        .unwrap();
    assert_eq!(mode, "wal");

    let mut writer = database.pool.begin().await.unwrap();
    sqlx::query("INSERT INTO notes (id, text) VALUES ('n-1', 'not yet')")
        .execute(&mut *writer)
        .await
        .unwrap();
    let seen: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM notes")
        .fetch_one(&database.pool)
        .await
        .unwrap();
    assert_eq!(seen, 0, "what is not committed is not seen");
    writer.commit().await.unwrap();
}

#[tokio::test]
async fn a_missing_folder_is_named() {
    let folder = TempDir::new().unwrap();
    let missing = folder.path().join("missing");
    let error = refusal(format!("sqlite://{}/notes.db", missing.display())).await;
    let named = format!("there is no folder {}", missing.display());
    assert!(error.contains(&named), "{error}");
}

#[tokio::test]
async fn a_file_that_is_no_database_is_an_error_that_names_it() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("notes.db"), "a shopping list".repeat(99)).unwrap();
    let error = refusal(file_in(&folder)).await;
    assert!(error.contains("notes.db"), "{error}");
    assert!(error.contains("not a database"), "{error}");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_an_error_that_says_where_and_what_would_be_right() {
    let port = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let error = refusal(format!("postgres://shop:secret@127.0.0.1:{port}/notes")).await;
    assert!(error.contains(&format!("127.0.0.1:{port}")), "{error}");
    assert!(error.contains("refused"), "{error}");
    assert!(error.contains("have the database notes"), "{error}");
    assert!(!error.contains("secret"), "{error}");
}
