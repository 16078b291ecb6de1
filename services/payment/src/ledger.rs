//! The charges of all orders. The ledger does not know HTTP or the provider.

use api::{Charge, ChargeRequest, ChargeStatus};
use telemetry::sql::Database;

/// The charges, in a database.
#[derive(Clone, Debug)]
pub(crate) struct Ledger {
    database: Database,
}

type Row = (String, Option<String>, i64, String);

// === impl Ledger ===

impl Ledger {
    pub(crate) fn new(database: Database) -> Ledger {
        Ledger { database }
    }

    /// The charge of an order.
    pub(crate) async fn find(&self, order_id: &str) -> sqlx::Result<Option<Charge>> {
        const SQL: &str = "SELECT order_id, charge_id, amount_cents, status FROM charges \
                           WHERE order_id = $1";
        let row: Option<Row> = self
            .database
            .trace(SQL, |sql| {
                sqlx::query_as(sql)
                    .bind(order_id.to_owned())
                    .fetch_optional(&self.database.pool)
            })
            .await?;
        row.map(to_charge).transpose()
    }

    /// Stores a pending charge. If the order has a charge already, that charge stays unchanged and is
    /// returned.
    pub(crate) async fn open(&self, request: &ChargeRequest) -> sqlx::Result<Option<Charge>> {
        const SQL: &str = "INSERT INTO charges (order_id, amount_cents, currency, status) \
                           VALUES ($1, $2, $3, 'pending') ON CONFLICT (order_id) DO NOTHING";
        let inserted = self
            .database
            .trace(SQL, |sql| {
                sqlx::query(sql)
                    .bind(request.order_id.clone())
                    .bind(request.amount_cents)
                    .bind(request.currency.clone())
                    .execute(&self.database.pool)
            })
            .await?;
        if inserted.rows_affected() == 1 {
            return Ok(None);
        }
        self.find(&request.order_id).await
    }

    /// Records that the provider has charged. Returns `false` if the order was voided in the meantime.
    pub(crate) async fn settle(&self, order_id: &str, charge_id: &str) -> sqlx::Result<bool> {
        const SQL: &str = "UPDATE charges SET status = 'charged', charge_id = $2 \
                           WHERE order_id = $1 AND status <> 'voided'";
        let updated = self
            .database
            .trace(SQL, |sql| {
                sqlx::query(sql)
                    .bind(order_id.to_owned())
                    .bind(charge_id.to_owned())
                    .execute(&self.database.pool)
            })
            .await?;
        Ok(updated.rows_affected() == 1)
    }

    /// Records that the provider refused the card.
    pub(crate) async fn decline(&self, order_id: &str) -> sqlx::Result<()> {
        const SQL: &str = "UPDATE charges SET status = 'declined' \
                           WHERE order_id = $1 AND status = 'pending'";
        self.database
            .trace(SQL, |sql| {
                sqlx::query(sql)
                    .bind(order_id.to_owned())
                    .execute(&self.database.pool)
            })
            .await?;
        Ok(())
    }

    /// Voids the charge of an order, even if it does not exist yet.
    pub(crate) async fn void(&self, order_id: &str) -> sqlx::Result<Charge> {
        const SQL: &str = "INSERT INTO charges (order_id, amount_cents, currency, status) \
                           VALUES ($1, 0, '', 'voided') \
                           ON CONFLICT (order_id) DO UPDATE SET status = 'voided' \
                           RETURNING order_id, charge_id, amount_cents, status";
        let row: Row = self
            .database
            .trace(SQL, |sql| {
                sqlx::query_as(sql)
                    .bind(order_id.to_owned())
                    .fetch_one(&self.database.pool)
            })
            .await?;
        to_charge(row)
    }
}

fn to_charge((order_id, charge_id, amount_cents, status): Row) -> sqlx::Result<Charge> {
    let status = ChargeStatus::parse(&status).ok_or_else(|| {
        sqlx::Error::Decode(format!("unknown status of a charge: {status:?}").into())
    })?;
    Ok(Charge {
        order_id,
        charge_id,
        status,
        amount_cents,
    })
}
