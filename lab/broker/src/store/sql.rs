//! The tables of the store file, and the statement for each change.

use amq_protocol::frame::WriteContext;
use amq_protocol::types::{FieldTable, generation::gen_field_table, parsing::parse_field_table};
use rusqlite::{Connection, Transaction, named_params, params};

use crate::journal::Change;
use crate::message::Message;

/// The version of the table layout, which is stored in the file.
pub(super) const VERSION: i32 = 1;

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

/// Creates the tables in an empty file.
pub(super) fn lay_out(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    transaction.execute_batch(LAYOUT)?;
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
        Change::DeclareExchange {
            name,
            kind,
            auto_delete,
            internal,
        } => execute(
            "INSERT OR REPLACE INTO exchanges VALUES (:name, :kind, :auto_delete, :internal)",
            named_params! {
                ":name": name,
                ":kind": kind.name(),
                ":auto_delete": auto_delete,
                ":internal": internal,
            },
        ),
        Change::DeleteExchange { name } => {
            execute(
                "DELETE FROM bindings WHERE exchange = :name",
                named_params! { ":name": name },
            )?;
            execute(
                "DELETE FROM exchanges WHERE name = :name",
                named_params! { ":name": name },
            )
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
            queue,
            key,
            arguments,
        } => execute(
            "INSERT OR IGNORE INTO bindings VALUES (:exchange, :queue, :key, :arguments)",
            named_params! {
                ":exchange": exchange,
                ":queue": queue.cast_signed(),
                ":key": key,
                ":arguments": octets(arguments),
            },
        ),
        Change::Unbind {
            exchange,
            queue,
            key,
            arguments,
        } => execute(
            "DELETE FROM bindings WHERE exchange = :exchange AND queue = :queue AND key = :key
             AND arguments = :arguments",
            named_params! {
                ":exchange": exchange,
                ":queue": queue.cast_signed(),
                ":key": key,
                ":arguments": octets(arguments),
            },
        ),
    }
}

fn keep(
    transaction: &Transaction<'_>,
    id: u64,
    queue: u64,
    message: &Message,
    expires_ms: Option<u64>,
) -> rusqlite::Result<()> {
    let sql = "INSERT INTO messages VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    let values = params![
        id.cast_signed(),
        queue.cast_signed(),
        message.exchange.as_str(),
        message.routing_key.as_str(),
        &*message.header,
        &*message.body,
        expires_ms.map(u64::cast_signed),
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
