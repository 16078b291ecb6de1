//! The schema of each service is what stands in its folder `migrations`.

use std::{path::Path, sync::LazyLock};

use sqlx::migrate::Migrator;

/// The services that have a schema.
static SCHEMAS: [(&str, &LazyLock<Migrator>); 5] = [
    ("checkout", &checkout::MIGRATIONS),
    ("email", &email::MIGRATIONS),
    ("inventory", &inventory::MIGRATIONS),
    ("payment", &payment::MIGRATIONS),
    ("provider", &provider::MIGRATIONS),
];

/// What is compared of a schema: a database that has a migration already is opened only if all of it is the same.
fn of(migrator: &Migrator) -> Vec<(i64, String, Vec<u8>, bool)> {
    let migrations = migrator.iter().map(|migration| {
        (
            migration.version,
            migration.description.to_string(),
            migration.checksum.to_vec(),
            migration.no_tx,
        )
    });
    migrations.collect()
}

#[tokio::test]
async fn a_service_applies_every_migration_of_its_folder() {
    let services = Path::new(&std::env::var("CARGO_MANIFEST_DIR").unwrap()).join("services");
    let mut with_folder: Vec<String> = std::fs::read_dir(&services)
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.path().join("migrations").is_dir())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    with_folder.sort();
    assert_eq!(with_folder, SCHEMAS.map(|(service, _)| service));

    for (service, schema) in SCHEMAS {
        let folder = services.join(service).join("migrations");
        let written = Migrator::new(folder).await.unwrap();
        assert!(!of(&written).is_empty(), "{service}");
        assert_eq!(
            of(schema),
            of(&written),
            "services/{service}/src/lib.rs: name each file of services/{service}/migrations in \
             `chassis::migrations!`"
        );
    }
}
