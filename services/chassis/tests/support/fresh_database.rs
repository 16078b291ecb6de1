//! A new database for one test.
//!
//! It is a file that is deleted with its folder. Where `TEST_POSTGRES_URL` names a database of a PostgreSQL
//! server, it is a new database on that server, and is not deleted before the server.

use std::{
    env, process,
    sync::atomic::{AtomicUsize, Ordering},
};

use chassis::DatabaseArgs;
use sqlx::{AnyConnection, AssertSqlSafe, Connection, Executor};
use tempfile::TempDir;

/// The arguments that open the database; `name` identifies it within the test.
pub(crate) async fn fresh_database(folder: &TempDir, name: &str) -> DatabaseArgs {
    let database = match env::var("TEST_POSTGRES_URL") {
        Ok(server) => create_database(&server, name).await,
        Err(_) => {
            let file = folder.path().join(format!("{name}.db"));
            format!("sqlite://{}", file.display())
        }
    };
    DatabaseArgs { database }
}

async fn create_database(server: &str, name: &str) -> String {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!("{name}_{}_{count}", process::id());
    sqlx::any::install_default_drivers();
    let mut connection = AnyConnection::connect(server)
        .await
        .expect("TEST_POSTGRES_URL names a server that can be reached");
    let sql = AssertSqlSafe(format!("CREATE DATABASE {name}"));
    connection
        .execute(sql)
        .await
        .expect("the user of TEST_POSTGRES_URL may create databases");
    let (place, _) = server
        .rsplit_once('/')
        .expect("TEST_POSTGRES_URL names one of the server's databases");
    format!("{place}/{name}")
}
