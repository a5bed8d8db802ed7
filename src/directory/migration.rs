//! The tables' form, and how an older one becomes today's.
//!
//! Owns the list of migrations and the backup before them. Invariant: a database written by a newer version is refused
//! and left as it is; a migration that was released never changes.

use std::borrow::Cow;
use std::path::Path;

use sqlx::SqlSafeStr;
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::postgres::PgPool;

use super::sql::{Db, DirectoryError, Tx, assembled, sql};

/// Every migration, oldest first. The texts are understood by both databases.
const ALL: &[(i64, &str, &str)] = &[
    (1, "accounts", include_str!("migrations/0001_accounts.sql")),
    (2, "dialogs", include_str!("migrations/0002_dialogs.sql")),
    (3, "contacts", include_str!("migrations/0003_contacts.sql")),
    (4, "limits", include_str!("migrations/0004_limits.sql")),
    (5, "blobs", include_str!("migrations/0005_blobs.sql")),
    (6, "outside", include_str!("migrations/0006_outside.sql")),
    (7, "removed", include_str!("migrations/0007_removed.sql")),
    (8, "words", include_str!("migrations/0008_words.sql")),
    (9, "changed", include_str!("migrations/0009_changed.sql")),
];

/// Brings the tables to today's form. What has something to lose is copied first, under a name that tells its version: a
/// SQLite file into `backups`, the tables of PostgreSQL into a schema beside them. Returns where the copy is.
///
/// # Errors
/// When the form is newer than this server, or a migration fails; then nothing was changed.
pub async fn migrate(db: &Db, backups: &Path) -> Result<Option<String>, DirectoryError> {
    let backup = back_up(db, backups).await?;
    let list = ALL.iter().map(|&(version, name, text)| {
        Migration::new(version, Cow::Borrowed(name), MigrationType::Simple, text.into_sql_str(), false)
    });
    let migrator = Migrator::with_migrations(list.collect());
    let done = match db {
        Db::Sqlite { writer, .. } => migrator.run(writer).await,
        Db::Postgres(pool) => run_to_the_end(pool, &migrator).await,
    };
    done.map_err(|error| match error {
        MigrateError::VersionMissing(version) => DirectoryError::Unavailable(format!(
            "its form {version} is newer than this server, which knows {}; start the newer server, or restore a backup",
            ALL.last().map_or(0, |(version, ..)| *version)
        )),
        error => DirectoryError::Unavailable(error.to_string()),
    })?;
    Ok(backup)
}

/// However long a migration takes: nobody is served before it. What uses the connection next is bounded again.
async fn run_to_the_end(pool: &PgPool, migrator: &Migrator) -> Result<(), MigrateError> {
    let mut connection = pool.acquire().await?;
    sqlx::query("SET statement_timeout = 0").execute(&mut *connection).await?;
    migrator.run(&mut *connection).await?;
    sqlx::query("RESET statement_timeout").execute(&mut *connection).await?;
    Ok(())
}

/// The form that the database has: 0 for an empty one.
async fn version(db: &Db) -> Result<i64, DirectoryError> {
    let tables = match db {
        Db::Sqlite { .. } => sql("SELECT COUNT(*) AS n FROM sqlite_master WHERE name = '_sqlx_migrations'"),
        Db::Postgres(_) => sql("SELECT COUNT(*) AS n FROM pg_tables WHERE schemaname = current_schema() \
                 AND tablename = '_sqlx_migrations'"),
    };
    if db.one(tables).await?.is_none_or(|row| row.int("n").is_ok_and(|count| count == 0)) {
        return Ok(0);
    }
    let row = db.one(sql("SELECT COALESCE(MAX(version), 0) AS version FROM _sqlx_migrations")).await?;
    row.map_or(Ok(0), |row| row.int("version"))
}

async fn back_up(db: &Db, backups: &Path) -> Result<Option<String>, DirectoryError> {
    let version = version(db).await?;
    let newest = ALL.last().map_or(0, |(version, ..)| *version);
    if version == 0 || version >= newest {
        return Ok(None);
    }
    match db {
        Db::Sqlite { .. } => copy_file(db, backups, version).await.map(Some),
        Db::Postgres(pool) => copy_schema(pool, version).await.map(Some),
    }
}

async fn copy_file(db: &Db, backups: &Path, version: i64) -> Result<String, DirectoryError> {
    let failed = |error: std::io::Error| DirectoryError::Unavailable(format!("{}: {error}", backups.display()));
    std::fs::create_dir_all(backups).map_err(failed)?;
    let path = backups.join(format!("directory-form-{version}.sqlite"));
    let name = path.display().to_string();
    if path.exists() {
        // From an attempt that failed after it: the database is as it was then, or older.
        return Ok(name);
    }
    // Under its name only when it is whole and on disk.
    let partial = path.with_extension("partial");
    if partial.exists() {
        std::fs::remove_file(&partial).map_err(failed)?;
    }
    let target = partial.display().to_string().replace('\'', "''");
    db.run(assembled(format!("VACUUM INTO '{target}'"))).await?;
    std::fs::File::open(&partial).and_then(|file| file.sync_all()).map_err(failed)?;
    std::fs::rename(&partial, &path).map_err(failed)?;
    std::fs::File::open(backups).and_then(|directory| directory.sync_all()).map_err(failed)?;
    Ok(name)
}

/// What refers to what, written so that it holds for the tables of whichever schema is looked in first.
const REFERENCES: &str = "SELECT CAST(conrelid::regclass AS TEXT) AS its_table, quote_ident(conname) AS name, \
     pg_get_constraintdef(oid) AS text FROM pg_constraint \
     WHERE contype = 'f' AND connamespace = (SELECT oid FROM pg_namespace WHERE nspname = current_schema())";

/// Copies every table with its rows, indexes and references, so that a server which looks there finds all that it had.
async fn copy_schema(pool: &PgPool, version: i64) -> Result<String, DirectoryError> {
    let schema = format!("konvert_form_{version}");
    // All or nothing, and as of one moment.
    let mut tx = Tx::Postgres(pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ").await?);
    let made = sql("SELECT 1 AS x FROM pg_namespace WHERE nspname = $1").bind(&schema);
    if tx.one(made).await?.is_some() {
        // From an attempt that failed after it: the tables are as they were then.
        return Ok(format!("schema {schema}"));
    }
    // However long it takes: nobody is served before it.
    tx.run(sql("SET LOCAL statement_timeout = 0")).await?;
    tx.run(assembled(format!("CREATE SCHEMA {schema}"))).await.map_err(|error| {
        let hint = "the tables cannot be copied before they change; give the user CREATE on the database";
        DirectoryError::Refused(format!("{hint}: {error}"))
    })?;
    let tables =
        sql("SELECT CAST(quote_ident(tablename) AS TEXT) AS name FROM pg_tables WHERE schemaname = current_schema()");
    for table in tx.all(tables).await? {
        let table = table.text("name")?;
        tx.run(assembled(format!("CREATE TABLE {schema}.{table} (LIKE {table} INCLUDING ALL)"))).await?;
        tx.run(assembled(format!("INSERT INTO {schema}.{table} SELECT * FROM {table}"))).await?;
    }
    let references = tx.all(sql(REFERENCES)).await?;
    tx.run(assembled(format!("SET LOCAL search_path = {schema}"))).await?;
    for reference in references {
        let (table, name) = (reference.text("its_table")?, reference.text("name")?);
        let text = reference.text("text")?;
        tx.run(assembled(format!("ALTER TABLE {table} ADD CONSTRAINT {name} {text}"))).await?;
    }
    tx.commit().await?;
    Ok(format!("schema {schema}"))
}
