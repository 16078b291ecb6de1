//! The provider's ledger: the charge under each key, and its result. It does not know HTTP.

use sqlx::AnyPool;
use uuid::Uuid;

/// The ledger, in a database.
#[derive(Clone, Debug)]
pub(crate) struct Ledger {
    pool: AnyPool,
}

/// The charge under a key, and its result.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) idempotency_key: String,
    pub(crate) charge_id: String,
    pub(crate) amount_cents: i64,
    pub(crate) currency: String,
    pub(crate) status: Status,
}

/// The result of a charge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Succeeded,
    Declined,
    Refunded,
    Cancelled,
}

type Row = (String, String, i64, String, String);

// === impl Ledger ===

impl Ledger {
    pub(crate) fn new(pool: AnyPool) -> Ledger {
        Ledger { pool }
    }

    /// Stores a charge. If its key has an entry already, that entry stays. Returns the entry, and whether it
    /// is new.
    pub(crate) async fn enter(&self, entry: Entry) -> sqlx::Result<(Entry, bool)> {
        let inserted = sqlx::query(
            "INSERT INTO charges (idempotency_key, charge_id, amount_cents, currency, status) \
             VALUES ($1, $2, $3, $4, $5) ON CONFLICT (idempotency_key) DO NOTHING",
        )
        .bind(entry.idempotency_key.clone())
        .bind(entry.charge_id.clone())
        .bind(entry.amount_cents)
        .bind(entry.currency.clone())
        .bind(entry.status.as_str())
        .execute(&self.pool)
        .await?;
        if inserted.rows_affected() == 1 {
            return Ok((entry, true));
        }
        let row: Row = sqlx::query_as(
            "SELECT idempotency_key, charge_id, amount_cents, currency, status FROM charges \
             WHERE idempotency_key = $1",
        )
        .bind(entry.idempotency_key)
        .fetch_one(&self.pool)
        .await?;
        Ok((Entry::from_row(row)?, false))
    }

    /// Refunds the charge with an id, and returns its entry. `None`: there is no such charge.
    pub(crate) async fn refund(&self, charge_id: &str) -> sqlx::Result<Option<Entry>> {
        sqlx::query(
            "UPDATE charges SET status = 'refunded' WHERE charge_id = $1 AND status = 'succeeded'",
        )
        .bind(charge_id.to_owned())
        .execute(&self.pool)
        .await?;
        let row: Option<Row> = sqlx::query_as(
            "SELECT idempotency_key, charge_id, amount_cents, currency, status FROM charges \
             WHERE charge_id = $1 AND status = 'refunded'",
        )
        .bind(charge_id.to_owned())
        .fetch_optional(&self.pool)
        .await?;
        row.map(Entry::from_row).transpose()
    }

    /// Refunds the charge under a key. A key without an entry gets one that prevents a later charge.
    pub(crate) async fn cancel(&self, idempotency_key: &str) -> sqlx::Result<()> {
        sqlx::query(
            "INSERT INTO charges (idempotency_key, charge_id, amount_cents, currency, status) \
             VALUES ($1, $2, 0, '', 'cancelled') \
             ON CONFLICT (idempotency_key) DO UPDATE SET status = 'refunded' \
             WHERE charges.status = 'succeeded'",
        )
        .bind(idempotency_key.to_owned())
        .bind(format!("ch_{}", Uuid::new_v4().simple()))
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}

// === impl Entry ===

impl Entry {
    fn from_row(row: Row) -> sqlx::Result<Entry> {
        let (idempotency_key, charge_id, amount_cents, currency, status) = row;
        let status = Status::parse(&status)
            .ok_or_else(|| sqlx::Error::Decode(format!("unknown status {status:?}").into()))?;
        Ok(Entry {
            idempotency_key,
            charge_id,
            amount_cents,
            currency,
            status,
        })
    }
}

// === impl Status ===

impl Status {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Status::Succeeded => "succeeded",
            Status::Declined => "declined",
            Status::Refunded => "refunded",
            Status::Cancelled => "cancelled",
        }
    }

    fn parse(word: &str) -> Option<Status> {
        [
            Status::Succeeded,
            Status::Declined,
            Status::Refunded,
            Status::Cancelled,
        ]
        .into_iter()
        .find(|status| status.as_str() == word)
    }
}
