//! The boundary to a database: a CLIENT span around one statement of sqlx, on SQLite or PostgreSQL.
//!
//! Semantic conventions: "Database client" (stable). The name of the span is the query's summary,
//! such as `SELECT products`; the text keeps its placeholders, so it holds no value of a user.

use std::{
    future::Future,
    pin::{Pin, pin},
    time::Duration,
};

use opentelemetry::trace::Status;
use opentelemetry_semantic_conventions::attribute::{DB_RESPONSE_STATUS_CODE, ERROR_TYPE};
use sqlx::{
    Any, AnyConnection, AnyPool, AssertSqlSafe, Executor, SqlSafeStr, Transaction,
    pool::PoolConnection,
};
use tokio::time::{Instant, sleep, timeout};
use tracing::{Dispatch, Instrument, Span, instrument::WithSubscriber};
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// A database of a service: its pool, and what the conventions want to know of it.
#[derive(Clone, Debug)]
pub struct Database {
    /// The connections.
    pub pool: AnyPool,
    system: System,
    namespace: String,
    server: Option<(String, u16)>,
    network: Option<Network>,
}

/// The way to a database and back, where it is simulated: the future is ready when a statement would
/// have been there and back.
pub type Network = fn() -> Pin<Box<dyn Future<Output = ()> + Send>>;

/// Which database it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum System {
    /// `sqlite`.
    Sqlite,
    /// `postgresql`.
    Postgresql,
}

// === impl Database ===

impl Database {
    /// A database with its name, and its address where it has one.
    pub fn new(
        pool: AnyPool,
        system: System,
        namespace: String,
        server: Option<(String, u16)>,
    ) -> Self {
        Database {
            pool,
            system,
            namespace,
            server,
            network: None,
        }
    }

    /// The same database, behind a simulated network: each statement takes the way there and back inside
    /// its span, as the client of a database elsewhere sees it.
    pub fn behind(self, network: Option<Network>) -> Self {
        Database { network, ..self }
    }

    /// Which database it is.
    pub fn system(&self) -> System {
        self.system
    }

    /// Runs one statement in its CLIENT span. `run` is given the text once more, so that what is
    /// recorded is what is run.
    ///
    /// # Errors
    ///
    /// Those of `run`.
    pub async fn trace<'q, T, F>(
        &self,
        sql: &'q str,
        run: impl FnOnce(&'q str) -> F,
    ) -> sqlx::Result<T>
    where
        F: Future<Output = sqlx::Result<T>>,
    {
        let span = self.span(sql);
        if let Some(network) = self.network {
            network().await;
        }
        let outcome = out_of_sight(run(sql)).await;
        if let Err(error) = &outcome {
            record_error(&span, error);
        }
        outcome
    }

    /// A connection of the pool. Only if somebody has to wait for one, the wait is a span: time in a
    /// queue is else a gap that nothing explains.
    ///
    /// # Errors
    ///
    /// When no connection is free in the time that the pool allows, or none can be made.
    pub async fn connection(&self) -> sqlx::Result<PoolConnection<Any>> {
        if let Some(connection) = self.pool.try_acquire() {
            return Ok(connection);
        }
        let mut acquire = pin!(out_of_sight(self.pool.acquire()));
        if self.pool.size() < self.pool.options().get_max_connections() {
            return acquire.await;
        }
        if let Ok(acquired) = timeout(NO_WAIT, &mut acquire).await {
            return acquired;
        }
        let span = self.waiting("wait for connection");
        acquire.instrument(span).await
    }

    /// Begins a transaction. What is done in it has spans; that it begins and ends has none, but a
    /// wait for its connection has.
    ///
    /// # Errors
    ///
    /// As [`connection`](Database::connection), and when the database refuses.
    pub async fn begin(&self) -> sqlx::Result<Transaction<'static, Any>> {
        let connection = self.connection().await?;
        out_of_sight(Transaction::begin(connection, None)).await
    }

    /// Begins a transaction that is about to write. SQLite has one lock for all who write, and it
    /// is taken here; only if somebody else has it, the wait is a span.
    ///
    /// # Errors
    ///
    /// As [`begin`](Database::begin), and when the lock is not free within ten seconds.
    pub async fn begin_write(&self) -> sqlx::Result<Transaction<'static, Any>> {
        if self.system == System::Postgresql {
            return self.begin().await;
        }
        let mut connection = self.connection().await?;
        let taken = out_of_sight(take_write_lock(&mut connection, NO_WAIT)).await;
        let taken = match taken {
            Err(error) if is_busy(&error) => {
                let span = self.waiting("wait for lock");
                out_of_sight(wait_for_write_lock(&mut connection))
                    .instrument(span)
                    .await
            }
            taken => taken,
        };
        // Whatever came of it, others who get this connection wait as they always do.
        out_of_sight(busy_timeout(&mut connection, LOCK_PATIENCE)).await?;
        taken?;
        // It has begun already: any statement will do to tell sqlx so.
        let begun = Transaction::begin(connection, Some("SELECT 1".into_sql_str()));
        out_of_sight(begun).await
    }

    /// The span of somebody who has to wait.
    pub fn waiting(&self, what: &'static str) -> Span {
        tracing::info_span!(
            "wait",
            otel.name = what,
            db.system.name = self.system.name(),
            db.namespace = self.namespace,
        )
    }

    /// Ends a transaction and keeps what was done in it.
    ///
    /// # Errors
    ///
    /// When the database could not keep it.
    pub async fn commit(&self, transaction: Transaction<'static, Any>) -> sqlx::Result<()> {
        out_of_sight(transaction.commit()).await
    }

    fn span(&self, sql: &str) -> Span {
        let summary = Summary::of(sql);
        let (address, port) = match &self.server {
            Some((address, port)) => (Some(address.as_str()), Some(i64::from(*port))),
            None => (None, None),
        };
        tracing::info_span!(
            "sql",
            otel.name = summary.to_string(),
            otel.kind = "client",
            db.system.name = self.system.name(),
            db.namespace = self.namespace,
            db.operation.name = summary.operation,
            db.collection.name = summary.collection,
            db.query.summary = summary.to_string(),
            db.query.text = sql,
            server.address = address,
            server.port = port,
        )
    }
}

impl System {
    /// The value of `db.system.name`.
    pub fn name(self) -> &'static str {
        match self {
            System::Sqlite => "sqlite",
            System::Postgresql => "postgresql",
        }
    }
}

/// What takes no longer is no wait: somebody is just giving back what is wanted.
const NO_WAIT: Duration = Duration::from_millis(1);

/// How long a writer of SQLite waits for the lock.
const LOCK_PATIENCE: Duration = Duration::from_secs(10);

/// Takes SQLite's write lock by beginning a transaction that is about to write.
async fn take_write_lock(connection: &mut AnyConnection, patience: Duration) -> sqlx::Result<()> {
    busy_timeout(connection, patience).await?;
    connection.execute("BEGIN IMMEDIATE").await.map(drop)
}

/// Asks for the write lock again and again. SQLite would do so by itself, but with pauses that grow to
/// a tenth of a second: a lock that is free again would be found so long after.
async fn wait_for_write_lock(connection: &mut AnyConnection) -> sqlx::Result<()> {
    let deadline = Instant::now() + LOCK_PATIENCE;
    busy_timeout(connection, NO_WAIT).await?;
    loop {
        match connection.execute("BEGIN IMMEDIATE").await {
            Err(error) if is_busy(&error) && Instant::now() < deadline => sleep(NO_WAIT).await,
            taken => return taken.map(drop),
        }
    }
}

async fn busy_timeout(connection: &mut AnyConnection, patience: Duration) -> sqlx::Result<()> {
    // Safe: the text holds a number.
    let sql = AssertSqlSafe(format!("PRAGMA busy_timeout = {}", patience.as_millis()));
    connection.execute(sql).await.map(drop)
}

/// Whether SQLite says that somebody else has the lock (`SQLITE_BUSY`, with its extended codes).
fn is_busy(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    code.and_then(|code| code.parse::<i32>().ok())
        .is_some_and(|code| code & 0xff == 5)
}

/// Runs a future of sqlx where it sees no current span.
///
/// For SQLite, sqlx hands the current span to a thread of its own, which lets go of it a moment after
/// it has answered. So two threads drop one span at the same time, and then tracing-subscriber 0.3
/// may leave an ancestor of it open for ever: seen as a SERVER span that was never exported, once in
/// some ten thousand requests. A span that never leaves its task is always closed.
async fn out_of_sight<F: Future>(work: F) -> F::Output {
    work.with_subscriber(Dispatch::none()).await
}

/// Having no row is an answer, not an error; all else is one, with the database's own code.
fn record_error(span: &Span, error: &sqlx::Error) {
    if matches!(error, sqlx::Error::RowNotFound) {
        return;
    }
    let code = error.as_database_error().and_then(|error| error.code());
    if let Some(code) = &code {
        span.set_attribute(DB_RESPONSE_STATUS_CODE, code.to_string());
    }
    let error_type = match (&code, error) {
        (Some(code), _) => code.to_string(),
        (None, sqlx::Error::PoolTimedOut) => "pool_timed_out".to_owned(),
        (None, sqlx::Error::Io(_)) => "io".to_owned(),
        (None, _) => "sqlx::Error".to_owned(),
    };
    span.set_attribute(ERROR_TYPE, error_type);
    span.set_status(Status::error(error.to_string()));
}

/// The summary of a statement: its operation and its first table.
struct Summary<'q> {
    operation: &'q str,
    collection: Option<&'q str>,
}

impl<'q> Summary<'q> {
    fn of(sql: &'q str) -> Self {
        let mut words = sql
            .split(|c: char| c.is_whitespace() || c == '(')
            .filter(|w| !w.is_empty());
        let operation = words.next().unwrap_or_default();
        let collection = if operation.eq_ignore_ascii_case("UPDATE") {
            words.next()
        } else {
            words
                .by_ref()
                .find(|word| {
                    ["FROM", "INTO"]
                        .iter()
                        .any(|key| word.eq_ignore_ascii_case(key))
                })
                .and_then(|_| words.next())
        };
        let collection = collection.map(|word| word.trim_end_matches([',', ';', ')']));
        Summary {
            operation,
            collection: collection.filter(|word| !word.is_empty()),
        }
    }
}

impl std::fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.collection {
            Some(collection) => write!(f, "{} {collection}", self.operation),
            None => f.write_str(self.operation),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_is_the_operation_and_the_first_table() {
        for (sql, summary) in [
            (
                "SELECT sku, price_cents FROM products WHERE sku IN ($1, $2)",
                "SELECT products",
            ),
            ("INSERT INTO orders(id) VALUES ($1)", "INSERT orders"),
            ("UPDATE stock SET available = available - 1", "UPDATE stock"),
            ("DELETE FROM outbox WHERE id = $1", "DELETE outbox"),
            ("SELECT 1", "SELECT"),
            ("BEGIN IMMEDIATE", "BEGIN"),
            ("SELECT\n  a\nFROM\n  cart_lines;", "SELECT cart_lines"),
            ("", ""),
        ] {
            assert_eq!(Summary::of(sql).to_string(), summary, "{sql}");
        }
    }
}
