//! Orders in the database: stored as `pending` before anything is charged, then completed or failed.

use std::time::{SystemTime, UNIX_EPOCH};

use api::{CartLine, OrderReply, OrderStatus};
use sqlx::{Any, FromRow, Row as _, Transaction, any::AnyRow};
use telemetry::{SavedContext, sql::Database};

const INSERT: &str = "INSERT INTO orders (order_id, idempotency_key, fingerprint, email, lines, \
     item_count, percent_off, status, total_cents, discount_cents, context, created_at) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, 'pending', 0, 0, $8, $9) \
     ON CONFLICT (idempotency_key) DO NOTHING";
const COMPLETE: &str = "UPDATE orders SET status = 'completed', total_cents = $2, \
     discount_cents = $3, message_id = $4 WHERE order_id = $1 AND status = 'pending'";
const FAIL: &str =
    "UPDATE orders SET status = 'failed', failure = $2 WHERE order_id = $1 AND status = 'pending'";
const SELECT: &str = "SELECT order_id, status, total_cents, discount_cents, item_count, \
     message_id, failure FROM orders WHERE order_id = $1";
const SELECT_BY_KEY: &str = "SELECT order_id, status, total_cents, discount_cents, item_count, \
     message_id, failure, fingerprint FROM orders WHERE idempotency_key = $1";
const SELECT_STATUS: &str = "SELECT status FROM orders WHERE order_id = $1";
const SELECT_PENDING: &str = "SELECT order_id, email, lines, percent_off, context \
     FROM orders WHERE status = 'pending' ORDER BY created_at";

/// An order that is being processed.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    /// Its id, a UUID.
    pub(crate) id: String,
    /// The e-mail address that receives the confirmation.
    pub(crate) email: String,
    /// The lines of the cart.
    pub(crate) lines: Vec<CartLine>,
    /// The discount of the coupon, in percent.
    pub(crate) percent_off: i64,
}

/// The price of an order.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Amount {
    /// The amount to pay, in cents.
    pub(crate) total_cents: i64,
    /// The discount, in cents.
    pub(crate) discount_cents: i64,
}

/// The idempotency key of a client, and the request that it stands for.
#[derive(Clone, Debug)]
pub(crate) struct Idempotency {
    /// The `Idempotency-Key`; without one, each request is a new order.
    pub(crate) key: Option<String>,
    /// The request in one line, without the card.
    pub(crate) fingerprint: String,
}

/// An earlier order with the same idempotency key.
#[derive(Debug)]
pub(crate) struct Earlier {
    /// The state of the order.
    pub(crate) reply: OrderReply,
    /// The earlier request, in one line.
    pub(crate) fingerprint: String,
}

/// A pending order whose request has ended, and the context of that request.
#[derive(Debug)]
pub(crate) struct Abandoned {
    /// The order.
    pub(crate) order: Order,
    /// The context in which its trace continues.
    pub(crate) context: SavedContext,
}

struct Row {
    order_id: String,
    status: String,
    total_cents: i64,
    discount_cents: i64,
    item_count: i64,
    message_id: Option<String>,
    failure: Option<String>,
}

/// The row of an order, with the request that its idempotency key stands for.
struct WithFingerprint {
    row: Row,
    fingerprint: String,
}

// === Writing ===

/// Stores the order before anything is charged for it. Returns `false` if this idempotency key has an order
/// already.
pub(crate) async fn insert_pending(
    db: &Database,
    order: &Order,
    idempotency: &Idempotency,
) -> sqlx::Result<bool> {
    let lines = serde_json::to_string(&order.lines).expect("strings and numbers are valid JSON");
    let context = SavedContext::current().to_json();
    let done = db
        .trace(INSERT, |sql| {
            sqlx::query(sql)
                .bind(order.id.as_str())
                .bind(idempotency.key.clone())
                .bind(idempotency.fingerprint.as_str())
                .bind(order.email.as_str())
                .bind(lines)
                .bind(order.item_count())
                .bind(order.percent_off)
                .bind(context)
                .bind(now_ms())
                .execute(&db.pool)
        })
        .await?;
    Ok(done.rows_affected() == 1)
}

/// Completes a pending order, in the transaction that also writes its message to the outbox. Returns `false`
/// if the order is no longer pending.
pub(crate) async fn complete(
    db: &Database,
    transaction: &mut Transaction<'static, Any>,
    order_id: &str,
    amount: Amount,
    message_id: &str,
) -> sqlx::Result<bool> {
    let done = db
        .trace(COMPLETE, |sql| {
            sqlx::query(sql)
                .bind(order_id)
                .bind(amount.total_cents)
                .bind(amount.discount_cents)
                .bind(message_id)
                .execute(&mut **transaction)
        })
        .await?;
    Ok(done.rows_affected() == 1)
}

/// Stores that an order failed, and why. An order that is not pending stays unchanged.
pub(crate) async fn fail(db: &Database, order_id: &str, failure: &str) -> sqlx::Result<()> {
    db.trace(FAIL, |sql| {
        sqlx::query(sql)
            .bind(order_id)
            .bind(failure)
            .execute(&db.pool)
    })
    .await?;
    Ok(())
}

// === Reading ===

/// The order with this id.
pub(crate) async fn find(db: &Database, order_id: &str) -> sqlx::Result<Option<OrderReply>> {
    let row: Option<Row> = db
        .trace(SELECT, |sql| {
            sqlx::query_as(sql).bind(order_id).fetch_optional(&db.pool)
        })
        .await?;
    row.map(Row::into_reply).transpose()
}

/// The order with this idempotency key.
pub(crate) async fn find_by_key(db: &Database, key: &str) -> sqlx::Result<Option<Earlier>> {
    let found: Option<WithFingerprint> = db
        .trace(SELECT_BY_KEY, |sql| {
            sqlx::query_as(sql).bind(key).fetch_optional(&db.pool)
        })
        .await?;
    found
        .map(|found| {
            Ok(Earlier {
                reply: found.row.into_reply()?,
                fingerprint: found.fingerprint,
            })
        })
        .transpose()
}

/// All pending orders. Not traced: recovery polls, without a request.
pub(crate) async fn pending(db: &Database) -> sqlx::Result<Vec<Abandoned>> {
    let rows: Vec<(String, String, String, i64, String)> =
        sqlx::query_as(SELECT_PENDING).fetch_all(&db.pool).await?;
    rows.into_iter()
        .map(|(id, email, lines, percent_off, context)| {
            let lines = serde_json::from_str(&lines)
                .map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
            Ok(Abandoned {
                order: Order {
                    id,
                    email,
                    lines,
                    percent_off,
                },
                context: SavedContext::from_json(&context),
            })
        })
        .collect()
}

/// Whether an order is still pending. Not traced, like [`pending`].
pub(crate) async fn is_pending(db: &Database, order_id: &str) -> sqlx::Result<bool> {
    let status: Option<(String,)> = sqlx::query_as(SELECT_STATUS)
        .bind(order_id)
        .fetch_optional(&db.pool)
        .await?;
    Ok(status.is_some_and(|(status,)| status == OrderStatus::Pending.as_str()))
}

// === impl Order ===

impl Order {
    /// The number of pieces, over all lines.
    pub(crate) fn item_count(&self) -> i64 {
        self.lines.iter().map(|line| i64::from(line.quantity)).sum()
    }
}

// === impl Row ===

impl FromRow<'_, AnyRow> for Row {
    fn from_row(row: &AnyRow) -> sqlx::Result<Self> {
        Ok(Row {
            order_id: row.try_get("order_id")?,
            status: row.try_get("status")?,
            total_cents: row.try_get("total_cents")?,
            discount_cents: row.try_get("discount_cents")?,
            item_count: row.try_get("item_count")?,
            message_id: row.try_get("message_id")?,
            failure: row.try_get("failure")?,
        })
    }
}

impl FromRow<'_, AnyRow> for WithFingerprint {
    fn from_row(row: &AnyRow) -> sqlx::Result<Self> {
        Ok(WithFingerprint {
            row: Row::from_row(row)?,
            fingerprint: row.try_get("fingerprint")?,
        })
    }
}

impl Row {
    fn into_reply(self) -> sqlx::Result<OrderReply> {
        let status = OrderStatus::parse(&self.status).ok_or_else(|| {
            sqlx::Error::Decode(format!("{:?} is no status of an order", self.status).into())
        })?;
        Ok(OrderReply {
            order_id: self.order_id,
            status,
            total_cents: self.total_cents,
            discount_cents: self.discount_cents,
            item_count: self.item_count,
            message_id: self.message_id,
            failure: self.failure,
        })
    }
}

/// Milliseconds since the Unix epoch.
pub(crate) fn now_ms() -> i64 {
    let since_epoch = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX)
}
