//! The schema of a service, from the files of its folder `migrations`.

use sqlx::{
    SqlStr,
    migrate::{Migration, MigrationType, Migrator},
};

/// The schema of a service, as a `LazyLock<Migrator>`: `chassis::migrations!("0001_schema", "0002_catalogue")`.
///
/// The arguments are the names of the files in `migrations`, without `.sql`. The call stands in `src/lib.rs`, beside
/// that folder. `sqlx::migrate!` would find the files itself, but sqlx, its drivers and SQLite would then be compiled
/// a second time, for the compiler.
#[macro_export]
macro_rules! migrations {
    ($($name:literal),+ $(,)?) => {
        ::std::sync::LazyLock::new(|| {
            $crate::schema(&[$(
                ($name, include_str!(concat!("../migrations/", $name, ".sql"))),
            )+])
        })
    };
}

/// The schema that these migrations make: the name of each file without `.sql`, such as `0001_schema`, and its text.
///
/// # Panics
///
/// When a name does not begin with a number and `_`.
pub fn schema(files: &[(&'static str, &'static str)]) -> Migrator {
    let migration = |&(name, sql): &(&'static str, &'static str)| {
        let (version, description) = name
            .split_once('_')
            .and_then(|(version, rest)| Some((version.parse().ok()?, rest)))
            .expect("the name of a migration is its number, `_`, and what it does");
        Migration::new(
            version,
            description.replace('_', " ").into(),
            MigrationType::Simple,
            SqlStr::from_static(sql),
            sql.starts_with("-- no-transaction"),
        )
    };
    Migrator::with_migrations(files.iter().map(migration).collect())
}
