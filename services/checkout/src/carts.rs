//! Carts: the products that customers want to buy, one row for each line.

use api::{CartLine, PutCart};
use telemetry::sql::Database;

use crate::error::CartError;

const MAX_LINES: usize = 500;
const MAX_QUANTITY: u32 = 1_000;
const MAX_NAME: usize = 128;

const SELECT_LINES: &str =
    "SELECT sku, quantity FROM cart_lines WHERE cart_id = $1 ORDER BY position";
const DELETE_LINES: &str = "DELETE FROM cart_lines WHERE cart_id = $1";

/// Replaces the lines of a cart, if they are valid.
pub(crate) async fn put(db: &Database, cart_id: &str, cart: &PutCart) -> Result<(), CartError> {
    check(cart_id, &cart.lines)?;
    let insert = insert_lines(cart.lines.len());
    let mut transaction = db.begin().await?;
    db.trace(DELETE_LINES, |sql| {
        sqlx::query(sql).bind(cart_id).execute(&mut *transaction)
    })
    .await?;
    db.trace(&insert, |sql| {
        let mut query = sqlx::query(sqlx::AssertSqlSafe(sql.to_owned()));
        for (position, line) in (0_i64..).zip(&cart.lines) {
            query = query
                .bind(cart_id)
                .bind(position)
                .bind(line.sku.as_str())
                .bind(i64::from(line.quantity));
        }
        query.execute(&mut *transaction)
    })
    .await?;
    db.commit(transaction).await?;
    Ok(())
}

/// Reads the lines of a cart, in one query. A cart that was never put has no lines.
pub(crate) async fn lines(db: &Database, cart_id: &str) -> sqlx::Result<Vec<CartLine>> {
    let rows: Vec<(String, i64)> = db
        .trace(SELECT_LINES, |sql| {
            sqlx::query_as(sql).bind(cart_id).fetch_all(&db.pool)
        })
        .await?;
    let line = |(sku, quantity)| CartLine {
        sku,
        quantity: u32::try_from(quantity).unwrap_or(u32::MAX),
    };
    Ok(rows.into_iter().map(line).collect())
}

fn check(cart_id: &str, lines: &[CartLine]) -> Result<(), CartError> {
    if cart_id.len() > MAX_NAME {
        return Err(CartError::LongId { longest: MAX_NAME });
    }
    if cart_id.contains(char::is_control) {
        return Err(CartError::BadId);
    }
    if lines.is_empty() {
        return Err(CartError::Empty);
    }
    if lines.len() > MAX_LINES {
        return Err(CartError::TooManyLines {
            lines: lines.len(),
            most: MAX_LINES,
        });
    }
    for (position, line) in lines.iter().enumerate() {
        if !is_sku(&line.sku) {
            return Err(CartError::BadSku {
                field: format!("lines[{position}].sku"),
                sku: line.sku.chars().take(MAX_NAME).collect(),
                longest: MAX_NAME,
            });
        }
        if !(1..=MAX_QUANTITY).contains(&line.quantity) {
            return Err(CartError::BadQuantity {
                sku: line.sku.clone(),
                quantity: line.quantity,
                most: MAX_QUANTITY,
            });
        }
    }
    Ok(())
}

/// Whether a text can be the SKU of a product. Inventory is asked for several at once, separated by commas.
fn is_sku(text: &str) -> bool {
    (1..=MAX_NAME).contains(&text.len())
        && !text.contains(|c: char| c == ',' || c.is_control())
        && text.trim() == text
}

/// One statement for all lines: `INSERT INTO cart_lines … VALUES ($1, $2, $3, $4), …`.
fn insert_lines(count: usize) -> String {
    let rows: Vec<String> = (0..count)
        .map(|row| 4 * row)
        .map(|n| format!("(${}, ${}, ${}, ${})", n + 1, n + 2, n + 3, n + 4))
        .collect();
    format!(
        "INSERT INTO cart_lines (cart_id, position, sku, quantity) VALUES {}",
        rows.join(", ")
    )
}
