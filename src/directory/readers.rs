//! Connections that only read a file of SQLite.
//!
//! Owns lending them, so that a question costs its one trip to the connection's thread and nothing more: a pool in front
//! would try each connection before and after, and two threads would wake each other for nothing. Invariant: a connection whose
//! question was broken off or failed is not lent again.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use sqlx::sqlite::{Sqlite, SqliteArguments, SqliteConnectOptions, SqliteConnection, SqliteRow};
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::error::DirectoryError;

/// Cheap to clone.
#[derive(Debug, Clone)]
pub struct Readers(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    options: SqliteConnectOptions,
    /// Open and not lent; the last one was used last and has most in its cache.
    idle: Mutex<Vec<SqliteConnection>>,
    places: Semaphore,
    count: u32,
    patience: Duration,
}

/// What is asked.
type Question = sqlx::query::Query<'static, Sqlite, SqliteArguments>;

impl Readers {
    /// Lends `count` connections; whoever waits longer than `patience` is told that the database has too much to do.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub async fn open(options: SqliteConnectOptions, count: u32, patience: Duration) -> Result<Self, DirectoryError> {
        let first = options.connect().await?;
        let (idle, places) = (Mutex::new(vec![first]), Semaphore::new(count as usize));
        Ok(Self(Arc::new(Shared { options, idle, places, count, patience })))
    }

    /// Every row.
    ///
    /// # Errors
    /// When no connection is free in time or can be opened, or the question fails.
    pub async fn all(&self, question: Question) -> sqlx::Result<Vec<SqliteRow>> {
        let (mut connection, _place) = self.lend().await?;
        let rows = question.fetch_all(&mut connection).await?;
        self.0.idle.lock().push(connection);
        Ok(rows)
    }

    /// The first row, if there is one.
    ///
    /// # Errors
    /// As [`Readers::all`].
    pub async fn one(&self, question: Question) -> sqlx::Result<Option<SqliteRow>> {
        let (mut connection, _place) = self.lend().await?;
        let row = question.fetch_optional(&mut connection).await?;
        self.0.idle.lock().push(connection);
        Ok(row)
    }

    async fn lend(&self) -> sqlx::Result<(SqliteConnection, SemaphorePermit<'_>)> {
        let place = tokio::time::timeout(self.0.patience, self.0.places.acquire()).await;
        let place = place.map_err(|_| sqlx::Error::PoolTimedOut)?.map_err(|_| sqlx::Error::PoolClosed)?;
        let idle = self.0.idle.lock().pop();
        let connection = match idle {
            Some(connection) => connection,
            None => self.0.options.connect().await?,
        };
        Ok((connection, place))
    }

    /// Waits for what is under way and closes.
    pub async fn close(&self) {
        let all = self.0.places.acquire_many(self.0.count).await;
        self.0.places.close();
        drop(all);
        let idle = std::mem::take(&mut *self.0.idle.lock());
        for connection in idle {
            if let Err(error) = connection.close().await {
                tracing::warn!(%error, "a connection that reads was not closed in order");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use futures_util::future::join_all;
    use sqlx::Row as _;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(5);

    async fn open(data: &tempfile::TempDir, count: u32, patience: Duration) -> Readers {
        let options = SqliteConnectOptions::new().filename(data.path().join("t.sqlite")).create_if_missing(true);
        Readers::open(options, count, patience).await.unwrap()
    }

    /// Counts for so long that it can be broken off.
    fn endless() -> Question {
        sqlx::query("WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n) SELECT n FROM n")
    }

    #[tokio::test]
    async fn many_share_a_few() {
        let data = tempfile::tempdir().unwrap();
        let readers = open(&data, 3, PATIENCE).await;
        let answers = join_all((0..50_i64).map(|n| readers.one(sqlx::query("SELECT $1 AS n").bind(n)))).await;
        for (n, answer) in answers.into_iter().enumerate() {
            assert_eq!(answer.unwrap().unwrap().get::<i64, _>("n"), n as i64);
        }
        let idle = readers.0.idle.lock().len();
        assert!((1..=3).contains(&idle), "{idle}");
        assert_eq!(readers.all(sqlx::query("SELECT 1 UNION SELECT 2")).await.unwrap().len(), 2);
    }

    #[tokio::test]
    async fn what_was_broken_off_or_failed_is_not_lent_again() {
        let data = tempfile::tempdir().unwrap();
        let readers = open(&data, 1, Duration::from_millis(1)).await;
        let mut asking = Box::pin(readers.all(endless()));
        assert!((&mut asking).now_or_never().is_none());
        let refused = readers.one(sqlx::query("SELECT 1")).await;
        assert!(matches!(refused, Err(sqlx::Error::PoolTimedOut)), "the only one is lent");
        drop(asking);
        assert_eq!(readers.0.idle.lock().len(), 0);
        assert!(readers.one(sqlx::query("SELECT 1")).await.unwrap().is_some());
        assert_eq!(readers.0.idle.lock().len(), 1);
        assert!(readers.one(sqlx::query("SELECT nonsense")).await.is_err());
        assert_eq!(readers.0.idle.lock().len(), 0);
    }

    #[tokio::test]
    async fn closing_waits_for_what_is_under_way_and_then_nothing_is_lent() {
        let data = tempfile::tempdir().unwrap();
        let readers = open(&data, 2, PATIENCE).await;
        let lent = readers.lend().await.unwrap();
        let mut closing = Box::pin(readers.close());
        assert_eq!((&mut closing).now_or_never(), None);
        drop(lent);
        closing.await;
        assert!(matches!(readers.one(sqlx::query("SELECT 1")).await, Err(sqlx::Error::PoolClosed)));
    }
}
