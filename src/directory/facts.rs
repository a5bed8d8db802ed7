//! The table of single facts of the server itself.

use super::Directory;
use super::sql::{DirectoryError, sql};

impl Directory {
    /// Puts a fact in place, whatever was known before.
    pub async fn set_fact(&self, name: &str, value: &str) -> Result<(), DirectoryError> {
        let statement = sql("INSERT INTO facts (name, value) VALUES ($1, $2) \
             ON CONFLICT (name) DO UPDATE SET value = excluded.value");
        self.db.run(statement.bind(name).bind(value)).await.map(drop)
    }

    /// A fact, if it is known.
    pub async fn fact(&self, name: &str) -> Result<Option<String>, DirectoryError> {
        let row = self.db.one(sql("SELECT value FROM facts WHERE name = $1").bind(name)).await?;
        row.map(|row| row.text("value")).transpose()
    }
}
