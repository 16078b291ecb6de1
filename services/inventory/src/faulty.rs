//! The faults of inventory. Each has a mechanism that programs contain by mistake.

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
    time::Duration,
};

use api::Price;
use faults::Setting;
use sqlx::{Any, AssertSqlSafe, Transaction, pool::PoolConnection};
use telemetry::sql::{Database, System};
use tokio::{
    sync::oneshot,
    time::{Instant, timeout},
};

use crate::{
    Inventory,
    calibration::{Speed, Table},
    catalogue::{PriceRow, to_price},
    error::Error,
    skus::placeholders,
};

/// Counts the orders, so that every other order locks in the opposite direction.
static ORDERS: AtomicU64 = AtomicU64::new(0);

/// The prices, if a fault changes how they are queried; `None` if no fault does.
pub(crate) async fn select_prices(
    inventory: &Inventory,
    skus: &BTreeSet<&str>,
) -> sqlx::Result<Option<Vec<Price>>> {
    let database = &inventory.database;
    let mut rest: Vec<&str> = skus.iter().copied().collect();
    let one_by_one = inventory.faults.acts(&faults::N_PLUS_ONE).is_some();
    let mut prices = match inventory.faults.asked(&faults::SLOW_QUERY) {
        None if !one_by_one => return Ok(None),
        None => Vec::new(),
        Some(mut setting) => {
            let speed = inventory.calibration.of(Table::Products, database).await?;
            let rows = size(&mut setting, speed);
            chassis::record_fault(&setting, &[("rows", rows as f64), said(speed)]);
            // With both faults, the first of the many queries is the slow one.
            let first = match one_by_one {
                true => rest.drain(..1).collect(),
                false => std::mem::take(&mut rest),
            };
            select_prices_slowly(inventory, &first, rows).await?
        }
    };
    prices.extend(select_prices_one_by_one(database, &rest).await?);
    Ok(Some(prices))
}

/// `n-plus-one`: one query for each product, where one query would be enough for all.
async fn select_prices_one_by_one(database: &Database, skus: &[&str]) -> sqlx::Result<Vec<Price>> {
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

/// `slow-query`: besides the prices, the query compares rows by a condition that no index supports.
async fn select_prices_slowly(
    inventory: &Inventory,
    skus: &[&str],
    rows: i64,
) -> sqlx::Result<Vec<Price>> {
    let sql = format!(
        "SELECT sku, name, price_cents FROM products WHERE sku IN ({}) AND {} ORDER BY sku",
        placeholders(skus.len()),
        Table::Products.comparisons(skus.len() + 1)
    );
    let database = &inventory.database;
    let mut connection = database.connection().await?;
    let begun = Instant::now();
    let found: Vec<PriceRow> = database
        .trace(&sql, |sql| {
            // Safe: the text contains placeholders, never a value.
            let mut query = sqlx::query_as(AssertSqlSafe(sql));
            for sku in skus {
                query = query.bind((*sku).to_owned());
            }
            query.bind(rows).fetch_all(&mut *connection)
        })
        .await?;
    inventory
        .calibration
        .learn(Table::Products, rows, begun.elapsed());
    Ok(found.into_iter().map(to_price).collect())
}

/// The number of rows that `slow-query` reads: the parameter `rows`, or else the number that takes the time
/// of the parameter `ms`. If `rows` is given, both parameters are removed from the setting, because the
/// event of the fault gets the number of rows separately.
fn size(setting: &mut Setting, speed: Speed) -> i64 {
    match setting.given_integer("rows") {
        Some(rows) => {
            for decided in ["ms", "rows"] {
                setting.unset(decided);
            }
            rows
        }
        None => speed.rows(setting.milliseconds("ms")),
    }
}

/// The facts of the fault's event that describe the measured speed.
fn said(speed: Speed) -> (&'static str, f64) {
    ("rows_per_ms", speed.rows_per_ms.round())
}

/// `lock-contention`: further queries between the lock and the commit, for the time of `hold_ms`.
pub(crate) async fn linger(
    inventory: &Inventory,
    transaction: &mut Transaction<'_, Any>,
) -> sqlx::Result<()> {
    let Some(setting) = inventory.faults.asked(&faults::LOCK_CONTENTION) else {
        return Ok(());
    };
    let database = &inventory.database;
    let speed = inventory.calibration.of(Table::Stock, database).await?;
    chassis::record_fault(&setting, &[said(speed)]);
    let time = setting.milliseconds("hold_ms");
    keep_busy(database, transaction, speed, &CHECKS, time).await
}

/// `deadlock`: locks the products of an order one after another; every other order begins at the other end.
pub(crate) async fn lock_crosswise(
    inventory: &Inventory,
    transaction: &mut Transaction<'_, Any>,
    skus: impl DoubleEndedIterator<Item = &String>,
) -> Result<(), Error> {
    const SQL: &str = "SELECT sku FROM stock WHERE sku = $1 FOR UPDATE";
    let Some(setting) = inventory.faults.asked(&faults::DEADLOCK) else {
        return Ok(());
    };
    let database = &inventory.database;
    if database.system() != System::Postgresql {
        chassis::record_fault(&setting, &[]);
        return Err(Error::NeedsPostgresql);
    }
    let speed = inventory.calibration.of(Table::Stock, database).await?;
    chassis::record_fault(&setting, &[said(speed)]);
    let mut skus: Vec<&String> = skus.collect();
    if ORDERS.fetch_add(1, Ordering::Relaxed) % 2 == 1 {
        skus.reverse();
    }
    for (sku, check) in skus.into_iter().zip(CHECKS.iter().cycle()) {
        database
            .trace(SQL, |sql| {
                sqlx::query(sql)
                    .bind(sku.clone())
                    .execute(&mut **transaction)
            })
            .await?;
        let time = setting.milliseconds("hold_ms");
        keep_busy(database, transaction, speed, &[*check], time).await?;
    }
    Ok(())
}

/// The number of reports that hold connections now.
static REPORTS: AtomicUsize = AtomicUsize::new(0);

/// `pool-exhaustion`: takes connections, and gives them back when a report ends that uses one of them.
/// Returns when the connections are taken.
pub(crate) async fn take_connections(database: &Database, setting: &Setting) {
    let database = database.clone();
    let there_are = database.pool.options().get_max_connections() as usize;
    let wanted = usize::try_from(setting.integer("connections")).unwrap_or(usize::MAX);
    let wanted = wanted.min(there_are);
    let hold = setting.milliseconds("hold_ms");
    let (taken, are_taken) = oneshot::channel();
    // A separate task without a trace, like a report that runs at night.
    tokio::spawn(async move {
        let is_first = REPORTS.fetch_add(1, Ordering::Relaxed) == 0;
        let connections = take(&database, wanted, is_first).await;
        let _ = taken.send(());
        if let Err(error) = keep(connections, hold).await {
            tracing::warn!("the report that keeps connections failed: {error}");
        }
        REPORTS.fetch_sub(1, Ordering::Relaxed);
    });
    let _ = are_taken.await;
}

/// How long a report waits for a connection that is in use. Requests give theirs back sooner; a connection
/// whose transaction waits for a lock for longer is as good as taken.
const A_MOMENT: Duration = Duration::from_millis(50);

/// Takes connections: free ones, ones that must be opened first (without a time limit), and ones that are
/// given back within a moment. If another report holds some, two waiting reports could each hold what the
/// other waits for; then only the free ones are taken.
async fn take(database: &Database, wanted: usize, is_first: bool) -> Vec<PoolConnection<Any>> {
    let pool = &database.pool;
    let mut connections = Vec::new();
    while connections.len() < wanted {
        let connection = match pool.try_acquire() {
            None if is_first && pool.size() < pool.options().get_max_connections() => {
                pool.acquire().await.ok()
            }
            None if is_first => match timeout(A_MOMENT, pool.acquire()).await {
                Ok(acquired) => acquired.ok(),
                Err(_) => None,
            },
            free => free,
        };
        match connection {
            Some(connection) => connections.push(connection),
            None => break,
        }
    }
    connections
}

/// Reads with one of the connections until the time is over.
async fn keep(mut connections: Vec<PoolConnection<Any>>, time: Duration) -> sqlx::Result<()> {
    let start = Instant::now();
    let Some(connection) = connections.first_mut() else {
        return Ok(());
    };
    while start.elapsed() < time {
        sqlx::query(READ_ALL).fetch_all(&mut **connection).await?;
    }
    Ok(())
}

/// The query of the report, which it repeats.
const READ_ALL: &str = "SELECT count(*) FROM stock a CROSS JOIN stock b \
                        WHERE a.sku || b.sku <> b.sku || a.sku";

/// The queries of a transaction that holds a lock. Each reads something else: the same query repeated would
/// be another fault.
const CHECKS: [&str; 5] = [
    "count(*)",
    "min(sku)",
    "max(sku)",
    "min(available)",
    "max(available)",
];

/// The factor by which the last query is sized longer than the remaining time.
const RESERVE: f64 = 1.1;

/// Runs one query for each check; together they take `time`, whatever the speed of the machine.
///
/// The first query is sized by the speed that was measured at the start of the process; each further one by
/// the remaining time and by the speed of the queries before it. The last one is sized a little longer,
/// because no query after it could fill the rest.
async fn keep_busy(
    database: &Database,
    transaction: &mut Transaction<'_, Any>,
    mut speed: Speed,
    checks: &[&str],
    time: Duration,
) -> sqlx::Result<()> {
    let start = Instant::now();
    for (done, check) in checks.iter().enumerate() {
        let left = u32::try_from(checks.len() - done).unwrap_or(u32::MAX);
        let mut share = time.saturating_sub(start.elapsed()) / left;
        if left == 1 {
            share = share.mul_f64(RESERVE);
        }
        let rows = speed.rows(share);
        let sql = format!(
            "SELECT {check} FROM stock WHERE {}",
            Table::Stock.comparisons(1)
        );
        let began = Instant::now();
        database
            .trace(&sql, |sql| {
                // Safe: the text contains a placeholder, never a value.
                sqlx::query(AssertSqlSafe(sql))
                    .bind(rows)
                    .fetch_all(&mut **transaction)
            })
            .await?;
        speed = speed.corrected(rows, began.elapsed());
    }
    Ok(())
}
