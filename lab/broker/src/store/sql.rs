//! The tables of the store file, and the statement for each change.

use amq_protocol::frame::WriteContext;
use amq_protocol::types::{FieldTable, generation::gen_field_table, parsing::parse_field_table};
use rusqlite::{Connection, Transaction, named_params, params};

use crate::copies;
use crate::journal::{BoundTo, Change};
use crate::message::Message;

/// The version of the table layout, which is stored in the file.
pub(super) const VERSION: i32 = 2;

/// The layout of version 1.
const LAYOUT: &str = "
    CREATE TABLE exchanges (
        name TEXT PRIMARY KEY,
        kind TEXT NOT NULL,
        auto_delete INTEGER NOT NULL,
        internal INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE queues (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        auto_delete INTEGER NOT NULL,
        arguments BLOB NOT NULL
    );
    CREATE TABLE bindings (
        exchange TEXT NOT NULL,
        queue INTEGER NOT NULL,
        key TEXT NOT NULL,
        arguments BLOB NOT NULL,
        PRIMARY KEY (exchange, queue, key, arguments)
    ) WITHOUT ROWID;
    CREATE TABLE messages (
        id INTEGER PRIMARY KEY,
        queue INTEGER NOT NULL,
        exchange TEXT NOT NULL,
        routing_key TEXT NOT NULL,
        header BLOB NOT NULL,
        body BLOB NOT NULL,
        expires_ms INTEGER
    );
";

/// What version 2 adds: alternate exchanges, bindings between exchanges, and the further routing keys of a
/// message, as a table with `CC`.
const SINCE_1: &str = "
    ALTER TABLE exchanges ADD COLUMN alternate TEXT;
    ALTER TABLE messages ADD COLUMN copies BLOB NOT NULL DEFAULT x'';
    CREATE TABLE exchange_bindings (
        exchange TEXT NOT NULL,
        destination TEXT NOT NULL,
        key TEXT NOT NULL,
        arguments BLOB NOT NULL,
        PRIMARY KEY (exchange, destination, key, arguments)
    ) WITHOUT ROWID;
";

/// Creates the tables in an empty file, or adds what a file of version 1 lacks.
pub(super) fn lay_out(connection: &mut Connection, found: i32) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    if found == 0 {
        transaction.execute_batch(LAYOUT)?;
    }
    transaction.execute_batch(SINCE_1)?;
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.commit()
}

/// Writes a change.
pub(super) fn write(transaction: &Transaction<'_>, change: &Change) -> rusqlite::Result<()> {
    let execute = |sql: &str, values: &[(&str, &dyn rusqlite::ToSql)]| {
        transaction.prepare_cached(sql)?.execute(values).map(|_| ())
    };
    match change {
        Change::Keep {
            id,
            queue,
            message,
            expires_ms,
        } => keep(transaction, *id, *queue, message, *expires_ms),
        Change::Forget { id } => transaction
            .prepare_cached("DELETE FROM messages WHERE id = ?1")?
            .execute(params![id.cast_signed()])
            .map(|_| ()),
        Change::DeclareExchange { name, settings } => execute(
            "INSERT OR REPLACE INTO exchanges
             VALUES (:name, :kind, :auto_delete, :internal, :alternate)",
            named_params! {
                ":name": name,
                ":kind": settings.kind.name(),
                ":auto_delete": settings.auto_delete,
                ":internal": settings.internal,
                ":alternate": settings.alternate,
            },
        ),
        Change::DeleteExchange { name } => {
            for sql in [
                "DELETE FROM bindings WHERE exchange = :name",
                "DELETE FROM exchange_bindings WHERE exchange = :name OR destination = :name",
                "DELETE FROM exchanges WHERE name = :name",
            ] {
                execute(sql, named_params! { ":name": name })?;
            }
            Ok(())
        }
        Change::DeclareQueue {
            id,
            name,
            auto_delete,
            arguments,
        } => execute(
            "INSERT OR REPLACE INTO queues VALUES (:id, :name, :auto_delete, :arguments)",
            named_params! {
                ":id": id.cast_signed(),
                ":name": &**name,
                ":auto_delete": auto_delete,
                ":arguments": octets(arguments),
            },
        ),
        Change::DeleteQueue { id } => {
            let id = id.cast_signed();
            execute(
                "DELETE FROM bindings WHERE queue = :id",
                named_params! { ":id": id },
            )?;
            execute(
                "DELETE FROM queues WHERE id = :id",
                named_params! { ":id": id },
            )
        }
        Change::Bind {
            exchange,
            to,
            key,
            arguments,
        } => {
            let sql = match to {
                BoundTo::Queue(_) => "INSERT OR IGNORE INTO bindings VALUES (?1, ?2, ?3, ?4)",
                BoundTo::Exchange(_) => {
                    "INSERT OR IGNORE INTO exchange_bindings VALUES (?1, ?2, ?3, ?4)"
                }
            };
            let values = params![exchange, destination(to), key, octets(arguments)];
            transaction.prepare_cached(sql)?.execute(values).map(|_| ())
        }
        Change::Unbind {
            exchange,
            to,
            key,
            arguments,
        } => {
            let sql = match to {
                BoundTo::Queue(_) => {
                    "DELETE FROM bindings
                     WHERE exchange = ?1 AND queue = ?2 AND key = ?3 AND arguments = ?4"
                }
                BoundTo::Exchange(_) => {
                    "DELETE FROM exchange_bindings
                     WHERE exchange = ?1 AND destination = ?2 AND key = ?3 AND arguments = ?4"
                }
            };
            let values = params![exchange, destination(to), key, octets(arguments)];
            transaction.prepare_cached(sql)?.execute(values).map(|_| ())
        }
    }
}

fn destination(to: &BoundTo) -> rusqlite::types::Value {
    match to {
        BoundTo::Queue(id) => id.cast_signed().into(),
        BoundTo::Exchange(name) => name.clone().into(),
    }
}

fn keep(
    transaction: &Transaction<'_>,
    id: u64,
    queue: u64,
    message: &Message,
    expires_ms: Option<u64>,
) -> rusqlite::Result<()> {
    let sql = "INSERT INTO messages VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    let copied = match &message.copies[..] {
        [] => Vec::new(),
        keys => octets(&copies::table(keys)),
    };
    let values = params![
        id.cast_signed(),
        queue.cast_signed(),
        message.exchange.as_str(),
        message.routing_key.as_str(),
        &*message.header,
        &*message.body,
        expires_ms.map(u64::cast_signed),
        copied,
    ];
    transaction.prepare_cached(sql)?.execute(values).map(|_| ())
}

/// Encodes a table as on the wire.
fn octets(table: &FieldTable) -> Vec<u8> {
    let context = gen_field_table(table)(WriteContext::from(Vec::new()));
    context.expect("a vector takes all that is written").write
}

/// Decodes the result of [`octets`].
pub(super) fn table(octets: &[u8]) -> FieldTable {
    parse_field_table(octets).map_or_else(|_| FieldTable::default(), |(_, table)| table)
}
