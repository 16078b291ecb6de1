//! Measures how quickly the database reads, so that a fault can be given a time instead of a number of rows.
//!
//! A query of two million rows is slow on one machine and fast on another. So the process measures once, on
//! the table itself, how many rows it compares in a millisecond; a fault then reads the number of rows that
//! takes the requested time. The machine may have been busy just then: a query that proves to be faster corrects
//! the measure.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use sqlx::AnyConnection;
use telemetry::sql::Database;
use tokio::{sync::OnceCell, time::Instant};

/// A shorter sample says nothing reliable about the speed.
const LONG_ENOUGH: Duration = Duration::from_millis(2);

/// The number of samples without a better one after which the best one counts: other load on the machine can only
/// make a sample slower.
const SAMPLES: usize = 16;

/// The share by which a sample must be shorter to be better.
const BETTER: f64 = 0.02;

/// The longest time for the samples of a table, on a machine whose speed changes all the time.
const PATIENCE: Duration = Duration::from_millis(300);

/// The number of rows in the first sample.
const FIRST: i64 = 1_000;

/// The most rows that are read, as for the parameter `rows`.
const MOST: i64 = 200_000_000;

/// A table of the service that a fault reads.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Table {
    /// `products`.
    Products,
    /// `stock`.
    Stock,
}

/// The cost of reading a table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Speed {
    /// The fixed time of a statement, without any rows, in milliseconds.
    pub(crate) least_ms: f64,
    /// The number of rows that are compared in a millisecond.
    pub(crate) rows_per_ms: f64,
}

/// The speeds of a process: each is measured when the process starts or when it is first needed. A query that proves
/// to be faster corrects it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Calibration {
    products: Arc<OnceCell<Mutex<Speed>>>,
    stock: Arc<OnceCell<Mutex<Speed>>>,
}

// === impl Table ===

impl Table {
    /// A condition that is true after the number of rows in its only parameter was compared. No index can
    /// shorten it.
    pub(crate) fn comparisons(self, parameter: usize) -> String {
        let table = match self {
            Table::Products => "products",
            Table::Stock => "stock",
        };
        format!(
            "0 < (SELECT count(*) FROM (SELECT a.sku FROM {table} a CROSS JOIN {table} b \
             CROSS JOIN {table} c CROSS JOIN {table} d WHERE a.sku || b.sku <> c.sku || d.sku || '.' \
             LIMIT ${parameter}) AS compared)"
        )
    }
}

// === impl Speed ===

impl Speed {
    /// The number of rows whose comparison takes this time; at least one.
    pub(crate) fn rows(self, time: Duration) -> i64 {
        let ms = time.as_secs_f64() * 1e3 - self.least_ms;
        // In range: the quotient is finite, and the cast of a number that is too large gives the largest
        // integer.
        ((ms * self.rows_per_ms) as i64).clamp(1, MOST)
    }

    /// The speed as a query of `rows` rows in the time `took` shows it; unchanged if the query was too short.
    pub(crate) fn corrected(self, rows: i64, took: Duration) -> Speed {
        let ms = took.as_secs_f64() * 1e3 - self.least_ms;
        if ms * 1e-3 < LONG_ENOUGH.as_secs_f64() {
            return self;
        }
        Speed {
            rows_per_ms: rows as f64 / ms,
            ..self
        }
    }
}

// === impl Calibration ===

impl Calibration {
    /// Measures all speeds now, so that no request has to wait for a measurement.
    ///
    /// # Errors
    ///
    /// When the database cannot be read. The first fault that needs a speed then measures again.
    pub(crate) async fn measure(&self, database: &Database) -> sqlx::Result<()> {
        self.of(Table::Products, database).await?;
        self.of(Table::Stock, database).await.map(drop)
    }

    /// The speed of a table.
    ///
    /// # Errors
    ///
    /// When the speed was not measured yet and the database cannot be read.
    pub(crate) async fn of(&self, table: Table, database: &Database) -> sqlx::Result<Speed> {
        let measured = async || measure(table, database).await.map(Mutex::new);
        let speed = self.cell(table).get_or_try_init(measured).await?;
        Ok(*speed.lock())
    }

    /// Learns from a query of `rows` rows that took this time. A faster one corrects the speed: the samples fell into
    /// a time in which the machine was slower. A slower one says nothing, since it may have waited.
    pub(crate) fn learn(&self, table: Table, rows: i64, took: Duration) {
        if let Some(speed) = self.cell(table).get() {
            let mut speed = speed.lock();
            let seen = speed.corrected(rows, took);
            if seen.rows_per_ms > speed.rows_per_ms {
                *speed = seen;
            }
        }
    }

    fn cell(&self, table: Table) -> &OnceCell<Mutex<Speed>> {
        match table {
            Table::Products => &self.products,
            Table::Stock => &self.stock,
        }
    }
}

async fn measure(table: Table, database: &Database) -> sqlx::Result<Speed> {
    let mut connection = database.pool.acquire().await?;
    let mut least = Duration::MAX;
    for _ in 0..SAMPLES {
        least = least.min(sample(table, &mut connection, 1).await?);
    }
    let mut rows = FIRST;
    let mut best = sample(table, &mut connection, rows).await?;
    while best < least + LONG_ENOUGH && rows < MOST {
        rows *= 2;
        best = sample(table, &mut connection, rows).await?;
    }
    let (begun, mut since_better) = (Instant::now(), 0);
    while since_better < SAMPLES && begun.elapsed() < PATIENCE {
        let sample = sample(table, &mut connection, rows).await?;
        match sample < best.mul_f64(1.0 - BETTER) {
            true => since_better = 0,
            false => since_better += 1,
        }
        best = best.min(sample);
    }
    let compared = best.saturating_sub(least).max(Duration::from_micros(1));
    Ok(Speed {
        least_ms: least.as_secs_f64() * 1e3,
        rows_per_ms: rows as f64 / (compared.as_secs_f64() * 1e3),
    })
}

async fn sample(table: Table, connection: &mut AnyConnection, rows: i64) -> sqlx::Result<Duration> {
    // Safe: the text contains a placeholder, never a value.
    let sql = format!("SELECT count(*) FROM stock WHERE {}", table.comparisons(1));
    let start = Instant::now();
    sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(rows)
        .fetch_all(connection)
        .await?;
    Ok(start.elapsed())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_those_of_a_time_and_at_least_one() {
        let speed = Speed {
            least_ms: 1.0,
            rows_per_ms: 500.0,
        };
        assert_eq!(speed.rows(Duration::from_millis(101)), 50_000);
        assert_eq!(speed.rows(Duration::ZERO), 1);
        assert_eq!(speed.rows(Duration::from_secs(1_000_000)), MOST);
    }

    #[test]
    fn a_query_of_some_length_corrects_the_speed() {
        let speed = Speed {
            least_ms: 1.0,
            rows_per_ms: 500.0,
        };
        let corrected = speed.corrected(5_000, Duration::from_millis(21));
        assert_eq!(corrected.rows_per_ms, 250.0);
        assert_eq!(corrected.least_ms, 1.0);
        let short = speed.corrected(1, Duration::from_millis(2));
        assert_eq!(short.rows_per_ms, 500.0);
    }
}
