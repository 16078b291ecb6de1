//! The boundary to a database: a CLIENT span around one statement of sqlx, on SQLite or PostgreSQL.
//!
//! Semantic conventions: "Database client" (stable). The name of the span is the summary of the query, such
//! as `SELECT products`; the recorded text keeps its placeholders, so it contains no user data.

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

/// A database of a service: its pool, and the attributes that the conventions ask for.
#[derive(Clone, Debug)]
pub struct Database {
    /// The connection pool.
    pub pool: AnyPool,
    system: System,
    namespace: String,
    server: Option<(String, u16)>,
    network: Option<Network>,
}

/// The simulated network between a service and its database: the future is ready after the time of one round
/// trip.
pub type Network = fn() -> Pin<Box<dyn Future<Output = ()> + Send>>;

/// The database system.
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

    /// The same database behind a simulated network: the span of each statement contains a round trip, as a
    /// client of a database on another machine sees it.
    pub fn behind(self, network: Option<Network>) -> Self {
        Database { network, ..self }
    }

    /// The database system.
    pub fn system(&self) -> System {
        self.system
    }

    /// Runs one statement in its CLIENT span. `run` receives the text, so that the recorded statement is the
    /// one that runs.
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

    /// Takes a connection from the pool. A wait for one has a span; otherwise the time in the queue would be
    /// a gap without a cause. Without a wait there is no span.
    ///
    /// # Errors
    ///
    /// When no connection becomes free before the timeout of the pool, or none can be opened.
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

    /// Begins a transaction. Its statements have spans, and so has a wait for its connection; its begin and
    /// its end have none.
    ///
    /// # Errors
    ///
    /// As [`connection`](Database::connection), and when the database refuses.
    pub async fn begin(&self) -> sqlx::Result<Transaction<'static, Any>> {
        let connection = self.connection().await?;
        out_of_sight(Transaction::begin(connection, None)).await
    }

    /// Begins a transaction that is about to write. SQLite has one lock for all writers, which this call
    /// takes; a wait for the lock has a span.
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
        // In both cases the next user of this connection waits as usual.
        out_of_sight(busy_timeout(&mut connection, LOCK_PATIENCE)).await?;
        taken?;
        // The transaction has begun already; sqlx needs some statement to record that.
        let begun = Transaction::begin(connection, Some("SELECT 1".into_sql_str()));
        out_of_sight(begun).await
    }

    /// The span of a wait for a connection or a lock.
    pub fn waiting(&self, what: &'static str) -> Span {
        tracing::info_span!(
            "wait",
            otel.name = what,
            db.system.name = self.system.name(),
            db.namespace = self.namespace,
        )
    }

    /// Commits a transaction.
    ///
    /// # Errors
    ///
    /// When the database could not commit.
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

/// A wait up to this time gets no span: the connection or lock is just being given back.
const NO_WAIT: Duration = Duration::from_millis(1);

/// How long a writer of SQLite waits for the lock.
const LOCK_PATIENCE: Duration = Duration::from_secs(10);

/// Takes SQLite's write lock by beginning a transaction that is about to write.
async fn take_write_lock(connection: &mut AnyConnection, patience: Duration) -> sqlx::Result<()> {
    busy_timeout(connection, patience).await?;
    connection.execute("BEGIN IMMEDIATE").await.map(drop)
}

/// Requests the write lock repeatedly. SQLite's own retries have pauses of up to a tenth of a second, and so
/// would notice a free lock that much later.
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
    // Safe: the text contains a number only.
    let sql = AssertSqlSafe(format!("PRAGMA busy_timeout = {}", patience.as_millis()));
    connection.execute(sql).await.map(drop)
}

/// Whether SQLite reports that another connection holds the lock (`SQLITE_BUSY`, with its extended codes).
fn is_busy(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    code.and_then(|code| code.parse::<i32>().ok())
        .is_some_and(|code| code & 0xff == 5)
}

/// Runs a future of sqlx without a current span.
///
/// For SQLite, sqlx passes the current span to its own thread, which releases it a moment after it has
/// answered. Two threads may then drop one span at the same time, and tracing-subscriber 0.3 may leave one
/// of its ancestors open for ever: a SERVER span was not exported about once in ten thousand requests. A
/// span that never leaves its task is always closed.
async fn out_of_sight<F: Future>(work: F) -> F::Output {
    work.with_subscriber(Dispatch::none()).await
}

/// Records the error of a statement on its span, with the database's own code. A missing row is an answer
/// and not an error.
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
