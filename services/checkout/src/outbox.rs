//! The outbox: a message is written in the transaction of the order that it announces, and sent afterwards.
//! So no order is without its message, and no message without its order.
//!
//! Usually the request sends its message itself. If it cannot, the relay sends the message later, in the
//! same trace: the row contains the context in which the message was written.

use std::time::Duration;

use api::OrderPlaced;
use chassis::{Claim, Claims, amqp::Broker};
use sqlx::{Any, FromRow, Row, Transaction, any::AnyRow};
use telemetry::{
    SavedContext,
    amqp::{self, Message},
    sql::Database,
};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::orders::now_ms;

/// The exchange of the shop, a topic exchange.
pub(crate) const EXCHANGE: &str = "shop";
const ORDER_PLACED: &str = "order.placed";

const INSERT: &str = "INSERT INTO outbox (message_id, exchange, routing_key, body, context, \
     created_at) VALUES ($1, $2, $3, $4, $5, $6)";
const DELETE: &str = "DELETE FROM outbox WHERE message_id = $1";
const SELECT: &str = "SELECT message_id, exchange, routing_key, body, context FROM outbox \
     ORDER BY created_at LIMIT 100";
const SELECT_ONE: &str = "SELECT message_id FROM outbox WHERE message_id = $1";

/// The interval at which the relay looks for unsent messages.
const LOOK: Duration = Duration::from_secs(1);

/// The connection to the broker.
#[derive(Clone, Debug)]
pub(crate) struct Outbox {
    db: Database,
    broker: Broker,
    in_hand: Claims,
}

/// A message with its exchange and routing key.
#[derive(Clone, Debug)]
pub(crate) struct Letter {
    message_id: String,
    exchange: String,
    routing_key: String,
    body: String,
    context: String,
}

// === impl Outbox ===

impl Outbox {
    /// An outbox in this database, for this broker.
    pub(crate) fn new(db: Database, broker: Broker) -> Self {
        Outbox {
            db,
            broker,
            in_hand: Claims::default(),
        }
    }

    /// Makes the message that announces an order, with the current context.
    pub(crate) fn letter(message: &OrderPlaced) -> Letter {
        Letter {
            message_id: message.message_id.clone(),
            exchange: EXCHANGE.to_owned(),
            routing_key: ORDER_PLACED.to_owned(),
            body: serde_json::to_string(message).expect("strings and numbers are valid JSON"),
            context: SavedContext::current().to_json(),
        }
    }

    /// Claims a message that the caller will write and send: the relay then skips it.
    pub(crate) fn hold(&self, letter: &Letter) -> Option<Claim> {
        self.in_hand.try_claim(&letter.message_id)
    }

    /// Writes a message, in the transaction of the order that it announces.
    pub(crate) async fn write(
        db: &Database,
        transaction: &mut Transaction<'static, Any>,
        letter: &Letter,
    ) -> sqlx::Result<()> {
        db.trace(INSERT, |sql| {
            sqlx::query(sql)
                .bind(letter.message_id.as_str())
                .bind(letter.exchange.as_str())
                .bind(letter.routing_key.as_str())
                .bind(letter.body.as_str())
                .bind(letter.context.as_str())
                .bind(now_ms())
                .execute(&mut **transaction)
        })
        .await?;
        Ok(())
    }

    /// Sends a message that was written. If that fails the relay will send it: the PRODUCER span records the
    /// failure, and no caller has to wait.
    pub(crate) async fn send(&self, letter: &Letter) -> bool {
        let message = Message {
            exchange: &letter.exchange,
            routing_key: &letter.routing_key,
            id: &letter.message_id,
            content_type: "application/json",
            body: letter.body.as_bytes(),
        };
        if amqp::send(self.broker.channel().as_ref(), message)
            .await
            .is_err()
        {
            return false;
        }
        // If the row cannot be deleted the message is sent again, and its consumer recognizes the duplicate.
        let deleted = self
            .db
            .trace(DELETE, |sql| {
                sqlx::query(sql)
                    .bind(letter.message_id.as_str())
                    .execute(&self.db.pool)
            })
            .await;
        deleted.is_ok()
    }

    /// The relay: sends unsent messages until `shutdown`.
    pub(crate) async fn relay(self, shutdown: CancellationToken) {
        let mut broker = self.broker.clone();
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(LOOK) => {}
                channel = broker.next_channel() => if channel.is_none() { return },
            }
            if self.broker.channel().is_some()
                && let Err(error) = self.send_what_is_left().await
            {
                tracing::warn!("the outbox cannot be read: {error}; trying again");
            }
        }
    }

    async fn send_what_is_left(&self) -> sqlx::Result<()> {
        // Not traced: the relay polls, without a request.
        let letters: Vec<Letter> = sqlx::query_as(SELECT).fetch_all(&self.db.pool).await?;
        for letter in letters {
            // A message that is claimed is being sent by a request; one that is missing now was sent after
            // the query.
            let Some(_held) = self.in_hand.try_claim(&letter.message_id) else {
                continue;
            };
            if !self.is_written(&letter).await? {
                continue;
            }
            let span = tracing::info_span!(parent: None, "relay outbox");
            SavedContext::from_json(&letter.context).adopt(&span);
            if !self.send(&letter).instrument(span).await {
                break;
            }
        }
        Ok(())
    }

    async fn is_written(&self, letter: &Letter) -> sqlx::Result<bool> {
        let row: Option<(String,)> = sqlx::query_as(SELECT_ONE)
            .bind(letter.message_id.as_str())
            .fetch_optional(&self.db.pool)
            .await?;
        Ok(row.is_some())
    }
}

// === impl Letter ===

impl FromRow<'_, AnyRow> for Letter {
    fn from_row(row: &AnyRow) -> sqlx::Result<Self> {
        Ok(Letter {
            message_id: row.try_get("message_id")?,
            exchange: row.try_get("exchange")?,
            routing_key: row.try_get("routing_key")?,
            body: row.try_get("body")?,
            context: row.try_get("context")?,
        })
    }
}
