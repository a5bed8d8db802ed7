//! The tables' form, and how an older one becomes today's.
//!
//! Owns the list of migrations and the backup before them. Invariant: a database written by a newer version is refused
//! and left as it is; a migration that was released never changes.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use sqlx::SqlSafeStr;
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};

use super::sql::{Db, DirectoryError, assembled, sql};

/// Every migration, oldest first. The texts are understood by both databases.
const ALL: &[(i64, &str, &str)] = &[
    (1, "accounts", include_str!("migrations/0001_accounts.sql")),
    (2, "dialogs", include_str!("migrations/0002_dialogs.sql")),
    (3, "contacts", include_str!("migrations/0003_contacts.sql")),
    (4, "limits", include_str!("migrations/0004_limits.sql")),
    (5, "blobs", include_str!("migrations/0005_blobs.sql")),
    (6, "outside", include_str!("migrations/0006_outside.sql")),
];

/// Brings the tables to today's form. A SQLite file that has something to lose is copied into `backups` first, under a
/// name that tells its version.
///
/// # Errors
/// When the form is newer than this server, or a migration fails; then nothing was changed.
pub async fn migrate(db: &Db, backups: &Path) -> Result<Option<PathBuf>, DirectoryError> {
    let backup = back_up(db, backups).await?;
    let list = ALL.iter().map(|&(version, name, text)| {
        Migration::new(version, Cow::Borrowed(name), MigrationType::Simple, text.into_sql_str(), false)
    });
    let migrator = Migrator::with_migrations(list.collect());
    let done = match db {
        Db::Sqlite { writer, .. } => migrator.run(writer).await,
        Db::Postgres(pool) => migrator.run(pool).await,
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

/// The form that the database has: 0 for an empty one.
async fn version(db: &Db) -> Result<i64, DirectoryError> {
    let tables = match db {
        Db::Sqlite { .. } => sql("SELECT COUNT(*) AS n FROM sqlite_master WHERE name = '_sqlx_migrations'"),
        Db::Postgres(_) => sql("SELECT COUNT(*) AS n FROM pg_tables WHERE tablename = '_sqlx_migrations'"),
    };
    if db.one(tables).await?.is_none_or(|row| row.int("n").is_ok_and(|count| count == 0)) {
        return Ok(0);
    }
    let row = db.one(sql("SELECT COALESCE(MAX(version), 0) AS version FROM _sqlx_migrations")).await?;
    row.map_or(Ok(0), |row| row.int("version"))
}

async fn back_up(db: &Db, backups: &Path) -> Result<Option<PathBuf>, DirectoryError> {
    let version = version(db).await?;
    let newest = ALL.last().map_or(0, |(version, ..)| *version);
    if !matches!(db, Db::Sqlite { .. }) || version == 0 || version >= newest {
        return Ok(None);
    }
    let failed = |error: std::io::Error| DirectoryError::Unavailable(format!("{}: {error}", backups.display()));
    std::fs::create_dir_all(backups).map_err(failed)?;
    let path = backups.join(format!("directory-form-{version}.sqlite"));
    if path.exists() {
        // From an attempt that failed after it: the database is as it was then, or older.
        return Ok(Some(path));
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
    Ok(Some(path))
}
