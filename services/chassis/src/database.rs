//! Opens the database of a service, SQLite or PostgreSQL, and brings its schema up to date.
//!
//! Every transaction of the shop that writes begins with its write. On SQLite it then waits for the write
//! lock. A transaction that reads first and writes later would be refused at once, because the rows that it
//! has read may have changed.

use std::{path::Path, time::Duration};

use plain::Plain;
use sqlx::{
    AnyConnection, AnyPool, ConnectOptions, Connection, Executor,
    any::{AnyConnectOptions, AnyPoolOptions},
    migrate::{MigrateError, Migrator},
};
use telemetry::sql::{Database, System};

/// How long the first connection may take.
const CONNECT_PATIENCE: Duration = Duration::from_secs(5);

/// How long a request waits for a connection of the pool.
const ACQUIRE_PATIENCE: Duration = Duration::from_secs(10);

/// The pragmas of each SQLite connection.
///
/// The write-ahead log lets readers read while the one writer writes. With it, `synchronous = NORMAL` hands
/// every commit to the operating system before the commit returns, so it survives `kill -9` of the process;
/// only a crash of the machine can lose the last commits.
const SQLITE_SETTINGS: [&str; 4] = [
    "PRAGMA busy_timeout = 10000",
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = NORMAL",
    "PRAGMA foreign_keys = ON",
];

/// The arguments of a service that has a database.
#[derive(Clone, Debug, clap::Args)]
pub struct DatabaseArgs {
    /// The database: sqlite://FILE (made if it is not there) or
    /// postgres://USER:PASSWORD@HOST:PORT/NAME.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, value_name = "URL")]
    pub database: String,
}

/// Why a database cannot be used. The messages contain no password of its address.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// The address is malformed.
    #[error(
        "the database address {url:?} (--database, DATABASE_URL) cannot be used: {}; it must be \
         sqlite://FILE or postgres://USER:PASSWORD@HOST:PORT/NAME",
        Plain(why)
    )]
    Url {
        /// The address.
        url: String,
        /// What is wrong with it.
        why: String,
    },
    /// No server answers at the address, or the server does not accept the shop as a client.
    #[error(
        "cannot open the database {} (--database, DATABASE_URL): {}; {}",
        Plain(url),
        Plain(why),
        Plain(remedy)
    )]
    Unreachable {
        /// The address.
        url: String,
        /// The error of the attempt.
        why: String,
        /// What the user should do.
        remedy: String,
    },
    /// The schema cannot be brought up to date.
    #[error(
        "cannot bring the schema of the database {} up to date: {source}; if it belongs to \
         another version of this service, give this one a new database with --database",
        Plain(url)
    )]
    Migration {
        /// The address.
        url: String,
        /// The error of the migration.
        source: Box<MigrateError>,
    },
}

// === impl DatabaseArgs ===

impl DatabaseArgs {
    /// Opens the database and applies the migrations that it lacks.
    ///
    /// # Errors
    ///
    /// When the address is malformed, the database cannot be reached in time, or a migration fails.
    pub async fn open(&self, migrations: &Migrator) -> Result<Database, DatabaseError> {
        sqlx::any::install_default_drivers();
        let address = Address::parse(&self.database)?;
        address.try_once().await?;
        let pool = address.pool().await?;
        migrations
            .run(&pool)
            .await
            .map_err(|source| DatabaseError::Migration {
                url: address.shown.clone(),
                source: Box::new(source),
            })?;
        Ok(Database::new(
            pool,
            address.system,
            address.namespace,
            address.server,
        ))
    }
}

/// The address of a database, parsed.
struct Address {
    options: AnyConnectOptions,
    system: System,
    /// The name of the database, or the path of its file.
    namespace: String,
    server: Option<(String, u16)>,
    /// The address without its password, for messages.
    shown: String,
}

// === impl Address ===

impl Address {
    fn parse(text: &str) -> Result<Address, DatabaseError> {
        match text.split_once(':').map(|(scheme, _)| scheme) {
            Some("sqlite") => Address::sqlite(text),
            Some("postgres" | "postgresql") => Address::postgresql(text),
            Some(scheme) => Err(unusable(
                text,
                format!("the scheme {scheme} is not supported"),
            )),
            None => Err(unusable(text, "it has no scheme")),
        }
    }

    fn sqlite(text: &str) -> Result<Address, DatabaseError> {
        let (file, settings) = text.split_once('?').unwrap_or((text, ""));
        let path = file
            .trim_start_matches("sqlite:")
            .trim_start_matches("//")
            .to_owned();
        if path.is_empty() {
            return Err(unusable(text, "it names no file"));
        }
        if path == ":memory:" || settings.contains("mode=memory") {
            let why = "a service needs a file, which all of its connections share";
            return Err(unusable(text, why));
        }
        let create = match settings {
            "" => format!("{file}?mode=rwc"),
            _ if settings.contains("mode=") => text.to_owned(),
            _ => format!("{text}&mode=rwc"),
        };
        Ok(Address {
            options: parse_options(text, &create)?,
            system: System::Sqlite,
            namespace: path,
            server: None,
            shown: text.to_owned(),
        })
    }

    fn postgresql(text: &str) -> Result<Address, DatabaseError> {
        let options = parse_options(text, text)?;
        let url = &options.database_url;
        let host = url.host_str().unwrap_or("localhost").to_owned();
        let namespace = url.path().trim_start_matches('/').to_owned();
        if namespace.is_empty() {
            return Err(unusable(text, "it names no database"));
        }
        Ok(Address {
            system: System::Postgresql,
            namespace,
            server: Some((host, url.port().unwrap_or(5432))),
            shown: without_password(text),
            options,
        })
    }

    /// Connects once and returns the error: a pool would retry until its timeout, and then lose the reason.
    async fn try_once(&self) -> Result<(), DatabaseError> {
        let attempt = async {
            let mut connection = AnyConnection::connect_with(&self.options).await?;
            if self.system == System::Sqlite {
                set_up_sqlite(&mut connection).await?;
            }
            connection.close().await
        };
        match tokio::time::timeout(CONNECT_PATIENCE, attempt).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(self.unreachable(error.to_string())),
            Err(_) => {
                let why = format!("no answer in {} s", CONNECT_PATIENCE.as_secs());
                Err(self.unreachable(why))
            }
        }
    }

    async fn pool(&self) -> Result<AnyPool, DatabaseError> {
        let options = AnyPoolOptions::new().acquire_timeout(ACQUIRE_PATIENCE);
        let options = match self.system {
            // One connection writes at a time; more connections would only wait for it.
            System::Sqlite => options
                .max_connections(4)
                .test_before_acquire(false)
                .after_connect(|connection, _| Box::pin(set_up_sqlite(connection))),
            System::Postgresql => options.max_connections(10),
        };
        options
            .connect_with(self.options.clone().disable_statement_logging())
            .await
            .map_err(|error| self.unreachable(error.to_string()))
    }

    fn unreachable(&self, why: String) -> DatabaseError {
        let remedy = match (self.system, &self.server) {
            (System::Sqlite, _) => match Path::new(&self.namespace).parent() {
                Some(folder) if !folder.as_os_str().is_empty() && !folder.is_dir() => {
                    format!("there is no folder {}", folder.display())
                }
                _ => "it must be a file that can be read and written".to_owned(),
            },
            (System::Postgresql, Some((host, port))) => format!(
                "PostgreSQL must listen on {host}:{port} and have the database {}; a file needs no \
                 server: sqlite://FILE",
                self.namespace
            ),
            (System::Postgresql, None) => "PostgreSQL must run at this address".to_owned(),
        };
        DatabaseError::Unreachable {
            url: self.shown.clone(),
            why,
            remedy,
        }
    }
}

async fn set_up_sqlite(connection: &mut AnyConnection) -> sqlx::Result<()> {
    for setting in SQLITE_SETTINGS {
        connection.execute(setting).await?;
    }
    Ok(())
}

fn parse_options(text: &str, url: &str) -> Result<AnyConnectOptions, DatabaseError> {
    url.parse().map_err(|error: sqlx::Error| {
        let why = match error {
            sqlx::Error::Configuration(why) => why.to_string(),
            other => other.to_string(),
        };
        unusable(text, why)
    })
}

fn unusable(text: &str, why: impl Into<String>) -> DatabaseError {
    DatabaseError::Url {
        url: without_password(text),
        why: why.into(),
    }
}

/// Hides the text between the first colon of the user's part and the `@` after it. It does not use a URL
/// parser, because it must also work for addresses that cannot be parsed.
fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let Some((user, place)) = rest.rsplit_once('@') else {
        return url.to_owned();
    };
    match user.split_once(':') {
        Some((name, _)) => format!("{scheme}://{name}:…@{place}"),
        None => url.to_owned(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    use super::*;

    fn error(url: &str) -> String {
        match Address::parse(url) {
            Ok(_) => panic!("{url} was taken for an address"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn the_address_of_a_server_is_taken_apart() {
        let address = Address::parse("postgres://shop:secret@db.example:5433/inventory").unwrap();
        assert_eq!(address.system, System::Postgresql);
        assert_eq!(address.namespace, "inventory");
        assert_eq!(address.server, Some(("db.example".into(), 5433)));
        assert_eq!(address.shown, "postgres://shop:…@db.example:5433/inventory");
    }

    #[test]
    fn the_address_of_a_file_is_taken_apart() {
        let address = Address::parse("sqlite:///var/lib/shop/inventory.db").unwrap();
        assert_eq!(address.system, System::Sqlite);
        assert_eq!(address.namespace, "/var/lib/shop/inventory.db");
        assert_eq!(address.server, None);
    }

    #[test]
    fn an_address_that_cannot_be_used_is_answered_with_what_would_be_right() {
        for url in [
            "inventory.db",
            "mysql://shop:secret@localhost/inventory",
            "postgres://shop:secret@localhost:port/inventory",
            "postgres://shop:secret@localhost",
            "sqlite://",
            "sqlite::memory:",
        ] {
            let error = error(url);
            assert!(error.contains("it must be sqlite://FILE or"), "{error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
