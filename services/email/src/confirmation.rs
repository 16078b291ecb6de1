//! The confirmation of one order: a message is answered with one mail, however often it is delivered.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use api::OrderPlaced;
use chassis::Claims;
use lapin::message::Delivery;
use telemetry::{Failed, sql::Database, step, step_within};
use thiserror::Error;
use tracing::info_span;

use crate::{
    Config, faulty,
    mail::{Letter, MailError},
};

const SELECT: &str = "SELECT sent_at FROM mails WHERE message_id = $1";
const INSERT: &str = "INSERT INTO mails (message_id, order_id, recipient, sent_at) \
     VALUES ($1, $2, $3, $4) ON CONFLICT (message_id) DO NOTHING";

/// How long a mail server takes. Writing a file is faster, so the time is simulated.
const DELIVERY: Duration = Duration::from_millis(42);

/// Why a message was not answered with a mail.
#[derive(Debug, Error)]
pub enum Failure {
    /// The message is malformed: a retry would not help.
    #[error("the message cannot be read: {0}")]
    Unreadable(#[from] serde_json::Error),
    /// The mail could not be written or sent.
    #[error(transparent)]
    Mail(#[from] MailError),
    /// The database failed.
    #[error("the database failed: {0}")]
    Database(#[from] sqlx::Error),
}

/// Sends the confirmation that a message asks for, unless it was sent before, in the current span. `failed`
/// is the number of earlier attempts that failed.
///
/// # Errors
///
/// When the message cannot be read, the mail cannot be sent, or the database fails.
pub async fn confirm(
    config: &Config,
    claims: &Claims,
    delivery: &Delivery,
    failed: i64,
) -> Result<(), Failure> {
    let sent = step_within(async {
        let order: OrderPlaced = serde_json::from_slice(&delivery.data)?;
        let _claim = claims.claim(&order.message_id).await;
        if was_sent(&config.database, &order.message_id).await? {
            return Ok(());
        }
        let order = faulty::poison(config.faults, delivery, &order, failed);
        let letter = render(&order).await.map_err(in_mail)?;
        send(config, delivery, letter).await.map_err(in_mail)?;
        remember(&config.database, &order).await?;
        Ok(())
    });
    sent.await.map_err(Failed::into_error)
}

fn in_mail(failed: Failed<MailError>) -> Failed<Failure> {
    failed.map(Failure::Mail)
}

async fn render(order: &OrderPlaced) -> Result<Letter, Failed<MailError>> {
    step(info_span!("render"), async {
        Ok(Letter::confirming(order)?)
    })
    .await
}

async fn send(
    config: &Config,
    delivery: &Delivery,
    letter: Letter,
) -> Result<(), Failed<MailError>> {
    let span = info_span!("send mail", otel.kind = "client");
    step(span, async {
        match faulty::slowness(config.faults, delivery) {
            Some(slowness) => tokio::time::sleep(slowness).await,
            None => config.pace.step(DELIVERY).await,
        }
        Ok(config.mailer.send(letter).await?)
    })
    .await
}

async fn was_sent(db: &Database, message_id: &str) -> sqlx::Result<bool> {
    let row: Option<(i64,)> = db
        .trace(SELECT, |sql| {
            sqlx::query_as(sql)
                .bind(message_id)
                .fetch_optional(&db.pool)
        })
        .await?;
    Ok(row.is_some())
}

async fn remember(db: &Database, order: &OrderPlaced) -> sqlx::Result<()> {
    let since_epoch = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let now_ms = i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX);
    db.trace(INSERT, |sql| {
        sqlx::query(sql)
            .bind(order.message_id.as_str())
            .bind(order.order_id.as_str())
            .bind(order.email.as_str())
            .bind(now_ms)
            .execute(&db.pool)
    })
    .await?;
    Ok(())
}
