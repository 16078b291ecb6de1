//! Coupons.

use telemetry::sql::Database;

use crate::{error::OrderError, orders::now_ms};

const SELECT: &str = "SELECT percent_off, expires_at FROM coupons WHERE code = $1";

/// The discount of a coupon, in percent. Codes are not case-sensitive.
pub(crate) async fn percent_off(db: &Database, code: &str) -> Result<i64, OrderError> {
    let code = code.trim().to_uppercase();
    let found: Option<(i64, Option<i64>)> = db
        .trace(SELECT, |sql| {
            sqlx::query_as(sql)
                .bind(code.as_str())
                .fetch_optional(&db.pool)
        })
        .await?;
    match found {
        None => Err(OrderError::UnknownCoupon { code }),
        Some((_, Some(expires_at))) if expires_at * 1_000 < now_ms() => {
            Err(OrderError::ExpiredCoupon { code })
        }
        Some((percent_off, _)) => Ok(percent_off),
    }
}
