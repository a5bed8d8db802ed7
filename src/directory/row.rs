//! One row of an answer, from whichever database, and how many rows travel as one.
//!
//! Owns the conversion of columns. Refuses to know tables.

use serde_json::Value;
use sqlx::postgres::{PgRow, Postgres};
use sqlx::sqlite::{Sqlite, SqliteRow};
use sqlx::{AssertSqlSafe, Row as _, SqlSafeStr as _, SqlStr};

use super::error::DirectoryError;

/// Names of the columns of an answer, in their order.
pub type Columns = &'static [&'static str];

/// One row of an answer.
#[derive(Debug)]
pub enum Row {
    /// From SQLite.
    Sqlite(SqliteRow),
    /// From SQLite, where it came together with others.
    Gathered(Columns, Vec<Value>),
    /// From PostgreSQL.
    Postgres(PgRow),
}

/// The statement whose only row has all rows of this one.
pub(super) fn together(columns: Columns, text: &str) -> SqlStr {
    let columns = columns.join(", ");
    let text = format!("SELECT json_group_array(json_array({columns})) AS gathered FROM ({text})");
    // From constants, and from a text that was put together from constants.
    AssertSqlSafe(text).into_sql_str()
}

/// What came together, row by row.
pub(super) fn apart(columns: Columns, answer: &SqliteRow) -> Result<Vec<Row>, DirectoryError> {
    let rows: Vec<Vec<Value>> = serde_json::from_str(answer.try_get("gathered")?)
        .map_err(|error| DirectoryError::Refused(format!("rows that came together: {error}")))?;
    Ok(rows.into_iter().map(|values| Row::Gathered(columns, values)).collect())
}

impl Row {
    fn get<T>(&self, column: &str, gathered: impl FnOnce(&Value) -> Option<T>) -> Result<T, DirectoryError>
    where
        T: for<'r> sqlx::Decode<'r, Sqlite>
            + sqlx::Type<Sqlite>
            + for<'r> sqlx::Decode<'r, Postgres>
            + sqlx::Type<Postgres>,
    {
        Ok(match self {
            Self::Sqlite(row) => row.try_get(column)?,
            Self::Postgres(row) => row.try_get(column)?,
            Self::Gathered(columns, values) => {
                let at = columns.iter().position(|name| *name == column);
                let value = at.and_then(|at| values.get(at)).and_then(gathered);
                value.ok_or_else(|| DirectoryError::Refused(format!("column {column} is not as it should be")))?
            }
        })
    }

    /// A number that is there.
    pub fn int(&self, column: &str) -> Result<i64, DirectoryError> {
        self.get(column, Value::as_i64)
    }

    /// A number that is there and not negative: a time, an offset, a size, a count.
    pub fn count(&self, column: &str) -> Result<u64, DirectoryError> {
        Ok(u64::try_from(self.int(column)?).unwrap_or(0))
    }

    /// A number that may be absent.
    pub fn maybe_count(&self, column: &str) -> Result<Option<u64>, DirectoryError> {
        let number = self.get(column, |value| if value.is_null() { Some(None) } else { value.as_i64().map(Some) })?;
        Ok(number.map(|value| u64::try_from(value).unwrap_or(0)))
    }

    /// Zero or one.
    pub fn flag(&self, column: &str) -> Result<bool, DirectoryError> {
        Ok(self.int(column)? != 0)
    }

    /// A text that is there.
    pub fn text(&self, column: &str) -> Result<String, DirectoryError> {
        self.get(column, |value| value.as_str().map(str::to_owned))
    }

    /// A text that may be absent.
    pub fn maybe_text(&self, column: &str) -> Result<Option<String>, DirectoryError> {
        self.get(
            column,
            |value| if value.is_null() { Some(None) } else { value.as_str().map(|text| Some(text.into())) },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::sql::{Db, sql};

    #[tokio::test]
    async fn rows_that_came_together_are_those_that_come_one_by_one() {
        let data = tempfile::tempdir().unwrap();
        let db = Db::sqlite(&data.path().join("t.sqlite")).await.unwrap();
        db.run(sql("CREATE TABLE t (id BIGINT NOT NULL, word TEXT, number BIGINT)")).await.unwrap();
        let texts =
            ["", "plain", "\"quoted\" \\ / ' ]}, ", "two\nlines\u{1}\u{7f}", "é 𝄞 \u{FFFD} \u{2028}", "[1, null]", "7"];
        for (id, text) in texts.into_iter().enumerate() {
            let number = [0, 1, i64::MAX, i64::MIN, 1 << 53, -1, 7][id];
            let insert = sql("INSERT INTO t VALUES ($1, $2, $3)").bind(id as u64).bind(text).bind(number);
            db.run(insert).await.unwrap();
        }
        db.run(sql("INSERT INTO t VALUES (100, NULL, NULL)")).await.unwrap();

        let all = || sql("SELECT * FROM t WHERE id >= $1").bind(0_u64);
        let read = |rows: Vec<Row>| {
            let row = |row: &Row| {
                let (word, number) = (row.maybe_text("word").unwrap(), row.maybe_count("number").unwrap());
                // What is absent is not asked for as if it were there.
                let is_there = word.is_some().then(|| (row.text("word").unwrap(), row.int("number").unwrap()));
                (row.count("id").unwrap(), word, number, is_there)
            };
            let mut rows: Vec<_> = rows.iter().map(row).collect();
            rows.sort();
            rows
        };
        let apart = db.all(all()).await.unwrap();
        let together = db.gather(&["id", "word", "number"], all()).await.unwrap();
        assert!(matches!((&apart[0], &together[0]), (Row::Sqlite(_), Row::Gathered(..))));
        assert!(together[0].text("id").is_err() && together[0].text("other").is_err());
        assert_eq!(together.len(), texts.len() + 1);
        assert_eq!(read(together), read(apart));
        let none = db.gather(&["id"], sql("SELECT * FROM t WHERE id > $1").bind(100_u64)).await.unwrap();
        assert!(none.is_empty());
        assert!(db.gather(&["nothing"], all()).await.is_err());
    }
}
