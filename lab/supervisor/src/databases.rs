//! The databases of a lab on a PostgreSQL server: one for each service, created at the start.

use rand::RngExt;
use reqwest::Url;
use sqlx::{Connection, Executor, PgConnection, SqlSafeStr};

use crate::{Component, Error};

/// The databases of a lab.
#[derive(Debug)]
pub(crate) struct Databases {
    server: Url,
    prefix: String,
    /// Whether the databases stay when the lab ends.
    kept: bool,
}

// === impl Databases ===

impl Databases {
    /// Creates the missing databases. Kept databases have the names of their services; other databases have
    /// unique names and are dropped with the lab.
    pub(crate) async fn open(server: &str, kept: bool) -> Result<Databases, Error> {
        let unusable = |why: String| Error::Database {
            server: without_password(server),
            why,
        };
        let url: Url = server
            .parse()
            .map_err(|error| unusable(format!("{error}")))?;
        let prefix = match kept {
            true => String::new(),
            false => format!("lab_{:08x}_", rand::rng().random::<u32>()),
        };
        let databases = Databases {
            server: url,
            prefix,
            kept,
        };
        let made = databases.make().await;
        made.map_err(|error| match error.as_database_error() {
            Some(said) => unusable(said.message().to_owned()),
            None => unusable(error.to_string()),
        })?;
        Ok(databases)
    }

    /// The address of a service's database.
    pub(crate) fn of(&self, component: Component) -> String {
        let mut url = self.server.clone();
        url.set_path(&self.name(component));
        url.to_string()
    }

    /// Drops the databases, unless they are kept.
    pub(crate) async fn close(self) {
        if self.kept {
            return;
        }
        let Ok(mut server) = self.connect().await else {
            return;
        };
        for component in Component::SERVICES {
            // The names are generated here, from letters, digits and underscores.
            let sql = format!(
                "DROP DATABASE IF EXISTS {} WITH (FORCE)",
                self.name(component)
            );
            let _ = server
                .execute(sqlx::AssertSqlSafe(sql).into_sql_str())
                .await;
        }
        let _ = server.close().await;
    }

    async fn make(&self) -> sqlx::Result<()> {
        let mut server = self.connect().await?;
        for component in Component::SERVICES {
            let name = self.name(component);
            let there: Option<i32> =
                sqlx::query_scalar("SELECT 1 FROM pg_database WHERE datname = $1")
                    .bind(&name)
                    .fetch_optional(&mut server)
                    .await?;
            if there.is_none() {
                let sql = format!("CREATE DATABASE {name}");
                server
                    .execute(sqlx::AssertSqlSafe(sql).into_sql_str())
                    .await?;
            }
        }
        server.close().await
    }

    /// Connects to the database that every server has, unless the address names another.
    async fn connect(&self) -> sqlx::Result<PgConnection> {
        let mut url = self.server.clone();
        if url.path().trim_start_matches('/').is_empty() {
            url.set_path("postgres");
        }
        PgConnection::connect(url.as_str()).await
    }

    fn name(&self, component: Component) -> String {
        format!("{}{}", self.prefix, component.name())
    }
}

/// The address without its password, for messages.
fn without_password(server: &str) -> String {
    match server.parse::<Url>() {
        // An address is ASCII: an ellipsis would be shown as its percent code.
        Ok(mut url) if url.password().is_some() => {
            let _ = url.set_password(Some("***"));
            url.to_string()
        }
        _ => server.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_not_shown() {
        assert_eq!(
            without_password("postgres://shop:secret@db.example:5433"),
            "postgres://shop:***@db.example:5433"
        );
        assert_eq!(
            without_password("postgres://shop@db.example"),
            "postgres://shop@db.example"
        );
    }
}
