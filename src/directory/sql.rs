//! One SQL text over two databases: SQLite in the data directory, or PostgreSQL.
//!
//! Owns connections, transactions and the conversion of values. Refuses to know tables. Every text is written with `$1`,
//! `$2`, … and with what both databases understand; times are milliseconds since 1970 as BIGINT, identities and hashes
//! are TEXT.
//!
//! Invariant: SQLite has one writer, so that a write waits for its turn and never fails for another one's lock.

use std::path::Path;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions, Postgres};
use sqlx::sqlite::{Sqlite, SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{AssertSqlSafe, SqlSafeStr, SqlStr, Transaction};

pub use super::error::DirectoryError;
use super::readers::Readers;
use super::row;
pub use super::row::{Columns, Row};

/// Connections that only read, to SQLite.
const READERS: u32 = 4;
/// How long a caller waits for a connection before the directory counts as unavailable.
const ACQUIRE: Duration = Duration::from_secs(5);

/// Something bound to a `$N`.
#[derive(Debug, Clone)]
pub enum Value {
    /// A number, or none.
    Int(Option<i64>),
    /// A text, or none.
    Text(Option<String>),
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(Some(value))
    }
}

impl From<u64> for Value {
    /// Numbers beyond 2^63 do not occur: offsets, sizes and milliseconds stay far below.
    fn from(value: u64) -> Self {
        Self::Int(Some(i64::try_from(value).unwrap_or(i64::MAX)))
    }
}

impl From<u32> for Value {
    fn from(value: u32) -> Self {
        Self::Int(Some(value.into()))
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Int(Some(value.into()))
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        value.to_owned().into()
    }
}

impl From<&String> for Value {
    fn from(value: &String) -> Self {
        value.as_str().into()
    }
}

impl From<String> for Value {
    /// PostgreSQL has no character zero in texts: what holds one becomes another text, which is found nowhere.
    fn from(value: String) -> Self {
        Self::Text(Some(if value.contains('\0') { value.replace('\0', "\u{FFFD}") } else { value }))
    }
}

impl From<Option<&str>> for Value {
    fn from(value: Option<&str>) -> Self {
        value.map(str::to_owned).into()
    }
}

impl From<Option<String>> for Value {
    fn from(value: Option<String>) -> Self {
        value.map_or(Self::Text(None), Self::from)
    }
}

impl From<Option<u64>> for Value {
    fn from(value: Option<u64>) -> Self {
        Self::Int(value.map(|value| i64::try_from(value).unwrap_or(i64::MAX)))
    }
}

/// A text with its values.
#[derive(Debug, Clone)]
pub struct Statement {
    sql: SqlStr,
    values: Vec<Value>,
}

/// A statement; bind its values next.
pub fn sql(text: &'static str) -> Statement {
    Statement { sql: text.into_sql_str(), values: Vec::new() }
}

/// A statement whose text is put together at run time, from constants only: values are bound, never written into it.
pub fn assembled(text: String) -> Statement {
    Statement { sql: AssertSqlSafe(text).into_sql_str(), values: Vec::new() }
}

/// `$from, $from+1, …`: placeholders for `count` values of an `IN (…)`.
pub fn places(from: usize, count: usize) -> String {
    (from..from + count).map(|number| format!("${number}")).collect::<Vec<_>>().join(", ")
}

/// `($1, $2, …), ($4, $5, …), …`: placeholders for `count` rows of `VALUES`.
pub fn rows_of(columns: usize, count: usize) -> String {
    let rows = (0..count).map(|row| format!("({})", places(row * columns + 1, columns)));
    rows.collect::<Vec<_>>().join(", ")
}

impl Statement {
    /// Gives the next `$N` its value.
    #[must_use]
    pub fn bind(mut self, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        self
    }

    /// Gives the next `$N`s theirs.
    #[must_use]
    pub fn bind_all<T: Into<Value>>(mut self, values: impl IntoIterator<Item = T>) -> Self {
        self.values.extend(values.into_iter().map(Into::into));
        self
    }

    fn sqlite(self) -> sqlx::query::Query<'static, Sqlite, sqlx::sqlite::SqliteArguments> {
        self.values.into_iter().fold(sqlx::query(self.sql), |query, value| match value {
            Value::Int(value) => query.bind(value),
            Value::Text(value) => query.bind(value),
        })
    }

    fn postgres(self) -> sqlx::query::Query<'static, Postgres, sqlx::postgres::PgArguments> {
        self.values.into_iter().fold(sqlx::query(self.sql), |query, value| match value {
            Value::Int(value) => query.bind(value),
            Value::Text(value) => query.bind(value),
        })
    }
}

/// The connections.
#[derive(Debug, Clone)]
pub enum Db {
    /// A file in the data directory.
    Sqlite {
        /// Many who read.
        readers: Readers,
        /// The one who writes.
        writer: SqlitePool,
    },
    /// A server elsewhere.
    Postgres(PgPool),
}

impl Db {
    /// Opens the file, making it if it is not there.
    ///
    /// # Errors
    /// When it cannot be opened or is no database.
    pub async fn sqlite(path: &Path) -> Result<Self, DirectoryError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // An account that was confirmed survives a power cut, as a message does.
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(ACQUIRE)
            .pragma("cache_size", "-16384")
            .pragma("temp_store", "memory");
        // A file does not go away between two questions: to try the connection first would cost as much as the question.
        let pool = SqlitePoolOptions::new().max_connections(1).acquire_timeout(ACQUIRE).test_before_acquire(false);
        let writer = pool.idle_timeout(None).max_lifetime(None).connect_with(options.clone()).await?;
        let readers = Readers::open(options.pragma("query_only", "1"), READERS, ACQUIRE).await?;
        Ok(Self::Sqlite { readers, writer })
    }

    /// Connects to a server: `postgres://user:password@host/database`.
    ///
    /// # Errors
    /// When it cannot be reached or refuses.
    pub async fn postgres(url: &str, connections_max: u32) -> Result<Self, DirectoryError> {
        let options: PgConnectOptions = url.parse()?;
        // So that somebody who holds a lock for ever does not take every connection with them.
        let options = options.options([("lock_timeout", "5s"), ("statement_timeout", "30s")]);
        let pool = PgPoolOptions::new().max_connections(connections_max).acquire_timeout(ACQUIRE);
        Ok(Self::Postgres(pool.connect_with(options).await?))
    }

    /// Every row.
    pub async fn all(&self, statement: Statement) -> Result<Vec<Row>, DirectoryError> {
        Ok(match self {
            Self::Sqlite { readers, .. } => {
                readers.all(statement.sqlite()).await?.into_iter().map(Row::Sqlite).collect()
            }
            Self::Postgres(pool) => {
                statement.postgres().fetch_all(pool).await?.into_iter().map(Row::Postgres).collect()
            }
        })
    }

    /// Every row, in no order; `columns` are all that the statement asks for. For questions with many small rows that are
    /// asked often: SQLite's thread hands over rows one by one, and each wakes whoever waits for them.
    pub async fn gather(&self, columns: Columns, statement: Statement) -> Result<Vec<Row>, DirectoryError> {
        let Self::Sqlite { readers, .. } = self else { return self.all(statement).await };
        let Statement { sql, values } = statement;
        let together = Statement { sql: row::together(columns, sql.as_str()), values };
        match readers.one(together.sqlite()).await? {
            Some(answer) => row::apart(columns, &answer),
            None => Ok(Vec::new()),
        }
    }

    /// The first row, if there is one.
    pub async fn one(&self, statement: Statement) -> Result<Option<Row>, DirectoryError> {
        Ok(match self {
            Self::Sqlite { readers, .. } => readers.one(statement.sqlite()).await?.map(Row::Sqlite),
            Self::Postgres(pool) => statement.postgres().fetch_optional(pool).await?.map(Row::Postgres),
        })
    }

    /// A single change. Returns how many rows it touched.
    pub async fn run(&self, statement: Statement) -> Result<u64, DirectoryError> {
        Ok(match self {
            Self::Sqlite { writer, .. } => statement.sqlite().execute(writer).await?.rows_affected(),
            Self::Postgres(pool) => statement.postgres().execute(pool).await?.rows_affected(),
        })
    }

    /// Several changes, all or none. Dropped without a commit, it changes nothing.
    pub async fn begin(&self) -> Result<Tx, DirectoryError> {
        Ok(match self {
            Self::Sqlite { writer, .. } => Tx::Sqlite(writer.begin_with("BEGIN IMMEDIATE").await?),
            Self::Postgres(pool) => Tx::Postgres(pool.begin().await?),
        })
    }

    /// Waits for what is under way and closes.
    pub async fn close(&self) {
        match self {
            Self::Sqlite { readers, writer } => {
                readers.close().await;
                writer.close().await;
            }
            Self::Postgres(pool) => pool.close().await,
        }
    }
}

/// Several changes, all or none.
#[derive(Debug)]
pub enum Tx {
    /// Alone: no other writes meanwhile.
    Sqlite(Transaction<'static, Sqlite>),
    /// Others write as well; see [`Tx::lock`].
    Postgres(Transaction<'static, Postgres>),
}

impl Tx {
    /// Until the end of this transaction no other one holds the same name. For rules over several rows, such as that a
    /// group keeps an owner.
    pub async fn lock(&mut self, name: &str) -> Result<(), DirectoryError> {
        if let Self::Postgres(_) = self {
            self.one(sql("SELECT 1 AS x FROM (SELECT pg_advisory_xact_lock(hashtextextended($1, 0))) AS l").bind(name))
                .await?;
        }
        Ok(())
    }

    /// Every row.
    pub async fn all(&mut self, statement: Statement) -> Result<Vec<Row>, DirectoryError> {
        Ok(match self {
            Self::Sqlite(tx) => statement.sqlite().fetch_all(&mut **tx).await?.into_iter().map(Row::Sqlite).collect(),
            Self::Postgres(tx) => {
                statement.postgres().fetch_all(&mut **tx).await?.into_iter().map(Row::Postgres).collect()
            }
        })
    }

    /// The first row, if there is one.
    pub async fn one(&mut self, statement: Statement) -> Result<Option<Row>, DirectoryError> {
        Ok(match self {
            Self::Sqlite(tx) => statement.sqlite().fetch_optional(&mut **tx).await?.map(Row::Sqlite),
            Self::Postgres(tx) => statement.postgres().fetch_optional(&mut **tx).await?.map(Row::Postgres),
        })
    }

    /// A change. Returns how many rows it touched.
    pub async fn run(&mut self, statement: Statement) -> Result<u64, DirectoryError> {
        Ok(match self {
            Self::Sqlite(tx) => statement.sqlite().execute(&mut **tx).await?.rows_affected(),
            Self::Postgres(tx) => statement.postgres().execute(&mut **tx).await?.rows_affected(),
        })
    }

    /// Makes the changes last.
    pub async fn commit(self) -> Result<(), DirectoryError> {
        match self {
            Self::Sqlite(tx) => tx.commit().await?,
            Self::Postgres(tx) => tx.commit().await?,
        }
        Ok(())
    }
}
