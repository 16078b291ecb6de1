//! What inventory does wrong when it is asked to. Each is a mechanism that programs have by mistake.

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use api::Price;
use faults::Setting;
use sqlx::{Any, AssertSqlSafe, Transaction};
use telemetry::sql::{Database, System};
use tokio::{
    sync::oneshot,
    time::{Instant, timeout},
};

use crate::{
    catalogue::{PriceRow, to_price},
    error::Error,
    skus::placeholders,
};

/// Counts orders, to have every other one lock the other way round.
static ORDERS: AtomicU64 = AtomicU64::new(0);

/// `n-plus-one`: a query for each product, where one would do for all.
pub(crate) async fn select_prices_one_by_one(
    database: &Database,
    skus: &BTreeSet<&str>,
) -> sqlx::Result<Vec<Price>> {
    const SQL: &str = "SELECT sku, name, price_cents FROM products WHERE sku = $1";
    let mut prices = Vec::with_capacity(skus.len());
    for sku in skus {
        let mut connection = database.connection().await?;
        let row: Option<PriceRow> = database
            .trace(SQL, |sql| {
                sqlx::query_as(sql)
                    .bind((*sku).to_owned())
                    .fetch_optional(&mut *connection)
            })
            .await?;
        prices.extend(row.map(to_price));
    }
    Ok(prices)
}

/// `slow-query`: a join over everything, of which no index knows anything, beside what is wanted.
pub(crate) async fn select_prices_slowly(
    database: &Database,
    skus: &BTreeSet<&str>,
    setting: &Setting,
) -> sqlx::Result<Vec<Price>> {
    let rows = skus.len() + 1;
    let sql = format!(
        "SELECT sku, name, price_cents FROM products WHERE sku IN ({}) AND 0 < (SELECT count(*) \
         FROM (SELECT a.sku FROM products a CROSS JOIN products b CROSS JOIN products c \
         CROSS JOIN products d WHERE a.name || b.name <> c.name || d.sku LIMIT ${rows}) AS compared) \
         ORDER BY sku",
        placeholders(skus.len())
    );
    let mut connection = database.connection().await?;
    let found: Vec<PriceRow> = database
        .trace(&sql, |sql| {
            // Safe: the text holds placeholders, never a value.
            let mut query = sqlx::query_as(AssertSqlSafe(sql));
            for sku in skus {
                query = query.bind((*sku).to_owned());
            }
            query
                .bind(setting.integer("rows"))
                .fetch_all(&mut *connection)
        })
        .await?;
    Ok(found.into_iter().map(to_price).collect())
}

/// `lock-contention`: further queries between the lock and the commit, for as long as `hold_ms`.
pub(crate) async fn linger(
    database: &Database,
    transaction: &mut Transaction<'_, Any>,
    setting: &Setting,
) -> sqlx::Result<()> {
    keep_busy(database, transaction, setting.milliseconds("hold_ms")).await
}

/// `deadlock`: locks the products of an order one at a time, every other order from the other end.
pub(crate) async fn lock_crosswise(
    database: &Database,
    transaction: &mut Transaction<'_, Any>,
    skus: impl DoubleEndedIterator<Item = &String>,
    setting: &Setting,
) -> Result<(), Error> {
    const SQL: &str = "SELECT sku FROM stock WHERE sku = $1 FOR UPDATE";
    if database.system() != System::Postgresql {
        return Err(Error::NeedsPostgresql);
    }
    let mut skus: Vec<&String> = skus.collect();
    if ORDERS.fetch_add(1, Ordering::Relaxed) % 2 == 1 {
        skus.reverse();
    }
    for sku in skus {
        database
            .trace(SQL, |sql| {
                sqlx::query(sql)
                    .bind(sku.clone())
                    .execute(&mut **transaction)
            })
            .await?;
        keep_busy(database, transaction, setting.milliseconds("hold_ms")).await?;
    }
    Ok(())
}

/// `pool-exhaustion`: takes connections, and gives them back when a report is done that one of them
/// is used for. Returns when they are taken.
pub(crate) async fn take_connections(database: &Database, setting: &Setting) {
    let database = database.clone();
    let there_are = database.pool.options().get_max_connections() as usize;
    let wanted = usize::try_from(setting.integer("connections")).unwrap_or(usize::MAX);
    let wanted = wanted.min(there_are);
    let hold = setting.milliseconds("hold_ms");
    let (taken, are_taken) = oneshot::channel();
    // A task of its own, in nobody's trace, as a report that is made at night.
    tokio::spawn(async move {
        let mut connections = Vec::new();
        while connections.len() < wanted {
            // One that is just being given back, or must be opened first, takes a moment. If there is
            // none then, somebody else has taken them.
            match timeout(A_MOMENT, database.pool.acquire()).await {
                Ok(Ok(connection)) => connections.push(connection),
                _ => break,
            }
        }
        let _ = taken.send(());
        let Some(connection) = connections.first_mut() else {
            return;
        };
        let start = Instant::now();
        while start.elapsed() < hold {
            let read = sqlx::query(READ_ALL).fetch_all(&mut **connection).await;
            if let Err(error) = read {
                tracing::warn!("the report that keeps connections failed: {error}");
                return;
            }
        }
    });
    let _ = are_taken.await;
}

/// How long it may take to get a connection that nobody has.
const A_MOMENT: Duration = Duration::from_millis(10);

/// A query that takes some milliseconds.
const READ_ALL: &str = "SELECT count(*) FROM stock a CROSS JOIN stock b \
                        WHERE a.sku || b.sku <> b.sku || a.sku";

/// Queries that take some milliseconds, each asking for something else: as a transaction looks at
/// this and that while it keeps a lock. The same one again and again would be another fault.
const CHECKS: [&str; 6] = [
    READ_ALL,
    "SELECT min(a.sku || b.sku) FROM stock a CROSS JOIN stock b WHERE a.sku || b.sku <> b.sku || a.sku",
    "SELECT max(a.sku || b.sku) FROM stock a CROSS JOIN stock b WHERE a.sku || b.sku <> b.sku || a.sku",
    "SELECT min(a.available) FROM stock a CROSS JOIN stock b WHERE a.sku || b.sku <> b.sku || a.sku",
    "SELECT count(DISTINCT a.available) FROM stock a CROSS JOIN stock b WHERE a.sku || b.sku <> b.sku || a.sku",
    "SELECT max(a.available) FROM stock a CROSS JOIN stock b WHERE a.sku || b.sku <> b.sku || a.sku",
];

async fn keep_busy(
    database: &Database,
    transaction: &mut Transaction<'_, Any>,
    time: Duration,
) -> sqlx::Result<()> {
    let start = Instant::now();
    for check in CHECKS.into_iter().cycle() {
        if start.elapsed() >= time {
            break;
        }
        database
            .trace(check, |sql| sqlx::query(sql).fetch_all(&mut **transaction))
            .await?;
    }
    Ok(())
}
