//! Reserves stock for an order, and releases it.
//!
//! An order has at most one reservation, which holds all of its lines or does not exist. A repeated request
//! changes nothing, so a caller that lost the reply may send it again. After a release the order cannot
//! reserve again, so a request that arrives later (from a caller that gave up) takes nothing.
//!
//! Each transaction begins with its write; `chassis::database` explains why.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use api::{CartLine, Reservation, ReserveRequest};
use axum::{extract::State, http::StatusCode};
use chassis::http::{Json, Path};
use sqlx::{Acquire, Any, AssertSqlSafe, Transaction};
use telemetry::sql::{Database, System};
use tokio::time::Instant;
use tracing::Instrument;

use crate::{
    Inventory,
    catalogue::select_stock,
    error::{Error, Shortage},
    faulty, skus,
};

/// How long a reservation takes at the textbook pace.
const RESERVATION_TIME: Duration = Duration::from_millis(14);

/// The lines of a reservation: the quantity of each product.
type Wanted = BTreeMap<String, i64>;

/// `POST /reservations`: 201 if the stock is now reserved, 200 if it was already.
pub(crate) async fn reserve(
    State(inventory): State<Inventory>,
    Json(request): Json<ReserveRequest>,
) -> Result<(StatusCode, Json<Reservation>), Error> {
    let start = Instant::now();
    let wanted = add_up(request.lines)?;
    let status = set_aside(&inventory, &request.order_id, &wanted).await?;
    inventory.pace.until(start, RESERVATION_TIME).await;
    let reservation = Reservation {
        order_id: request.order_id,
        lines: to_lines(wanted),
    };
    Ok((status, Json(reservation)))
}

/// `DELETE /reservations/{order_id}`: 204, even if there was nothing to release.
pub(crate) async fn release(
    State(inventory): State<Inventory>,
    Path(order_id): Path<String>,
) -> Result<StatusCode, Error> {
    give_back(&inventory.database, &order_id).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn add_up(lines: Vec<CartLine>) -> Result<Wanted, Error> {
    let mut wanted = Wanted::new();
    for (position, line) in lines.into_iter().enumerate() {
        skus::check(&line.sku, || format!("lines[{position}].sku"))?;
        if line.quantity == 0 {
            return Err(Error::NoQuantity(line.sku));
        }
        *wanted.entry(line.sku).or_default() += i64::from(line.quantity);
    }
    match wanted.len() {
        0 => Err(Error::NoLines),
        count if count > skus::LIMIT => Err(Error::TooMany {
            count,
            limit: skus::LIMIT,
        }),
        _ => Ok(wanted),
    }
}

fn to_lines(wanted: Wanted) -> Vec<CartLine> {
    wanted
        .into_iter()
        .map(|(sku, quantity)| CartLine {
            sku,
            // The requested quantity is in stock; a quantity above four billion never is.
            quantity: u32::try_from(quantity).unwrap_or(u32::MAX),
        })
        .collect()
}

async fn set_aside(
    inventory: &Inventory,
    order_id: &str,
    wanted: &Wanted,
) -> Result<StatusCode, Error> {
    let database = &inventory.database;
    let mut transaction = database.begin_write().await?;
    faulty::lock_crosswise(inventory, &mut transaction, wanted.keys()).await?;
    if !insert_reservation(database, &mut transaction, order_id, "reserved").await? {
        let agrees = agrees_with_earlier(database, &mut transaction, order_id, wanted).await;
        transaction.rollback().await?;
        return agrees.map(|()| StatusCode::OK);
    }
    insert_lines(database, &mut transaction, order_id, wanted).await?;
    lock_stock(database, &mut transaction, order_id).await?;
    faulty::linger(inventory, &mut transaction).await?;
    let taken = take_stock(database, &mut transaction, order_id).await?;
    if taken.len() == wanted.len() {
        database.commit(transaction).await?;
        Ok(StatusCode::CREATED)
    } else {
        transaction.rollback().await?;
        Err(why_not(database, wanted, &taken).await?)
    }
}

async fn give_back(database: &Database, order_id: &str) -> Result<(), Error> {
    let mut transaction = database.begin_write().await?;
    // An unknown order is stored as released, because its request may still arrive. If its reservation is
    // being made now, this waits for its end.
    if !insert_reservation(database, &mut transaction, order_id, "released").await?
        && mark_released(database, &mut transaction, order_id).await?
    {
        lock_stock(database, &mut transaction, order_id).await?;
        return_stock(database, &mut transaction, order_id).await?;
    }
    database.commit(transaction).await?;
    Ok(())
}

/// Stores the reservation of an order. Returns `false` if the order has one already.
async fn insert_reservation(
    database: &Database,
    transaction: &mut Transaction<'_, Any>,
    order_id: &str,
    status: &'static str,
) -> Result<bool, Error> {
    const SQL: &str = "INSERT INTO reservations (order_id, status) VALUES ($1, $2) \
                       ON CONFLICT (order_id) DO NOTHING";
    let done = database
        .trace(SQL, |sql| {
            sqlx::query(sql)
                .bind(order_id.to_owned())
                .bind(status)
                .execute(&mut **transaction)
        })
        .await?;
    Ok(done.rows_affected() == 1)
}

/// Checks that the existing reservation of an order has the lines of this request, and is not released.
async fn agrees_with_earlier(
    database: &Database,
    transaction: &mut Transaction<'_, Any>,
    order_id: &str,
    wanted: &Wanted,
) -> Result<(), Error> {
    const SQL: &str = "SELECT r.status, l.sku, l.quantity FROM reservations r \
                       LEFT JOIN reservation_lines l ON l.order_id = r.order_id \
                       WHERE r.order_id = $1";
    let rows: Vec<(String, Option<String>, Option<i64>)> = database
        .trace(SQL, |sql| {
            sqlx::query_as(sql)
                .bind(order_id.to_owned())
                .fetch_all(&mut **transaction)
        })
        .await?;
    if rows.iter().any(|(status, ..)| status == "released") {
        return Err(Error::Released(order_id.to_owned()));
    }
    let reserved: Wanted = rows
        .into_iter()
        .filter_map(|(_, sku, quantity)| Some((sku?, quantity?)))
        .collect();
    if reserved == *wanted {
        Ok(())
    } else {
        Err(Error::Differs(order_id.to_owned()))
    }
}

async fn insert_lines(
    database: &Database,
    transaction: &mut Transaction<'_, Any>,
    order_id: &str,
    wanted: &Wanted,
) -> Result<(), Error> {
    let rows: Vec<_> = (0..wanted.len())
        .map(|n| format!("($1, ${}, ${})", 2 * n + 2, 2 * n + 3))
        .collect();
    let sql = format!(
        "INSERT INTO reservation_lines (order_id, sku, quantity) VALUES {}",
        rows.join(", ")
    );
    database
        .trace(&sql, |sql| {
            // Safe: the text contains placeholders, never a value.
            let mut query = sqlx::query(AssertSqlSafe(sql)).bind(order_id.to_owned());
            for (sku, quantity) in wanted {
                query = query.bind(sku.clone()).bind(*quantity);
            }
            query.execute(&mut **transaction)
        })
        .await?;
    Ok(())
}

/// Locks the order's products, in the order of their SKUs: because every order does so, no two orders can
/// each hold what the other waits for. SQLite has one lock for the whole database, which the first write
/// took.
async fn lock_stock(
    database: &Database,
    transaction: &mut Transaction<'_, Any>,
    order_id: &str,
) -> Result<(), Error> {
    const AT_ONCE: &str = "SELECT sku FROM stock \
                           WHERE sku IN (SELECT sku FROM reservation_lines WHERE order_id = $1) \
                           ORDER BY sku FOR UPDATE NOWAIT";
    const WAITING: &str = "SELECT sku FROM stock \
                           WHERE sku IN (SELECT sku FROM reservation_lines WHERE order_id = $1) \
                           ORDER BY sku FOR UPDATE";
    if database.system() != System::Postgresql {
        return Ok(());
    }
    // In a savepoint, because a statement that fails ends its transaction.
    let mut attempt = transaction.begin().await?;
    let locked = sqlx::query(AT_ONCE)
        .bind(order_id.to_owned())
        .execute(&mut *attempt)
        .await;
    match locked {
        Ok(_) => attempt.commit().await?,
        Err(error) if is_locked(&error) => {
            attempt.rollback().await?;
            let wait = async {
                database
                    .trace(WAITING, |sql| {
                        sqlx::query(sql)
                            .bind(order_id.to_owned())
                            .execute(&mut **transaction)
                    })
                    .await
            };
            wait.instrument(database.waiting("wait for lock")).await?;
        }
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

/// Whether PostgreSQL reports that another transaction holds the lock (`lock_not_available`).
fn is_locked(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    code.as_deref() == Some("55P03")
}

/// Takes the order's lines from the stock, and returns the products of which there was enough.
async fn take_stock(
    database: &Database,
    transaction: &mut Transaction<'_, Any>,
    order_id: &str,
) -> Result<BTreeSet<String>, Error> {
    const SQL: &str = "UPDATE stock SET available = available - lines.quantity \
                       FROM reservation_lines AS lines \
                       WHERE lines.order_id = $1 AND lines.sku = stock.sku \
                         AND stock.available >= lines.quantity \
                       RETURNING stock.sku";
    let taken: Vec<String> = database
        .trace(SQL, |sql| {
            sqlx::query_scalar(sql)
                .bind(order_id.to_owned())
                .fetch_all(&mut **transaction)
        })
        .await?;
    Ok(taken.into_iter().collect())
}

async fn return_stock(
    database: &Database,
    transaction: &mut Transaction<'_, Any>,
    order_id: &str,
) -> Result<(), Error> {
    const SQL: &str = "UPDATE stock SET available = available + lines.quantity \
                       FROM reservation_lines AS lines \
                       WHERE lines.order_id = $1 AND lines.sku = stock.sku";
    database
        .trace(SQL, |sql| {
            sqlx::query(sql)
                .bind(order_id.to_owned())
                .execute(&mut **transaction)
        })
        .await?;
    Ok(())
}

/// Marks the reservation of an order as released. Returns `false` if the order has none to release.
async fn mark_released(
    database: &Database,
    transaction: &mut Transaction<'_, Any>,
    order_id: &str,
) -> Result<bool, Error> {
    const SQL: &str = "UPDATE reservations SET status = 'released' \
                       WHERE order_id = $1 AND status = 'reserved'";
    let done = database
        .trace(SQL, |sql| {
            sqlx::query(sql)
                .bind(order_id.to_owned())
                .execute(&mut **transaction)
        })
        .await?;
    Ok(done.rows_affected() == 1)
}

/// Finds out why products could not be taken.
async fn why_not(
    database: &Database,
    wanted: &Wanted,
    taken: &BTreeSet<String>,
) -> Result<Error, Error> {
    let missing: BTreeSet<&str> = wanted
        .keys()
        .filter(|sku| !taken.contains(*sku))
        .map(String::as_str)
        .collect();
    let levels = select_stock(database, &missing).await?;
    let known: BTreeSet<&str> = levels.iter().map(|level| level.sku.as_str()).collect();
    let unknown: Vec<_> = missing.difference(&known).map(|&sku| sku.into()).collect();
    if !unknown.is_empty() {
        return Ok(Error::UnknownLines(unknown));
    }
    let shortages = levels
        .into_iter()
        .map(|level| Shortage {
            wanted: wanted[&level.sku],
            available: level.available,
            sku: level.sku,
        })
        .collect();
    Ok(Error::OutOfStock(shortages))
}
