//! The table of which messages name which files. What is in it follows the journal.

use super::Directory;
use super::followed::repeated;
use super::sql::{DirectoryError, Statement, Tx, assembled, rows_of, sql};

/// Rows written by one statement.
const ROWS: usize = 100;

/// A message names a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlobRef {
    /// The room.
    pub room: String,
    /// The message.
    pub offset: u64,
    /// With which message it is erased: itself, or what it edits or continues.
    pub with: u64,
    /// The file's SHA-256, hex.
    pub blob: String,
}

/// Adds what was said; files that are not there are passed over, so that nothing that comes later is named by them.
pub(super) async fn add(tx: &mut Tx, refs: &[BlobRef]) -> Result<(), DirectoryError> {
    for refs in refs.chunks(ROWS) {
        let text = format!(
            "INSERT INTO blob_refs (room, message_offset, with_offset, blob) \
             SELECT v.column1, CAST(v.column2 AS BIGINT), CAST(v.column3 AS BIGINT), b.id \
             FROM (VALUES {}) AS v JOIN blobs b ON b.id = v.column4 WHERE b.state <> 'unsettled' ON CONFLICT DO NOTHING",
            rows_of(4, refs.len())
        );
        let add = refs.iter().fold(assembled(text), |statement, BlobRef { room, offset, with, blob }| {
            statement.bind(room).bind(*offset).bind(*with).bind(blob)
        });
        tx.run(add).await?;
    }
    Ok(())
}

/// Removes what erased messages named.
pub(super) async fn erase(tx: &mut Tx, erased: &[(String, u64)]) -> Result<(), DirectoryError> {
    for erased in erased.chunks(ROWS) {
        // In two statements: each condition has an index of its own.
        for of_message in ["room = ? AND message_offset = ?", "room = ? AND with_offset = ?"] {
            let text = format!("DELETE FROM blob_refs WHERE {}", repeated(of_message, erased.len()));
            let bind = |statement: Statement, (room, offset): &(String, u64)| statement.bind(room).bind(*offset);
            tx.run(erased.iter().fold(assembled(text), bind)).await?;
        }
    }
    Ok(())
}

impl Directory {
    /// Rooms in which a file is named: for those who read a room without being a member.
    pub async fn rooms_naming_blob(&self, blob: &str, most: u32) -> Result<Vec<String>, DirectoryError> {
        let statement = sql("SELECT DISTINCT room FROM blob_refs WHERE blob = $1 LIMIT $2");
        self.db.all(statement.bind(blob).bind(most)).await?.iter().map(|row| row.text("room")).collect()
    }

    /// The next rooms behind `after`, in order of their names, in which files are named; each with its first such message.
    pub async fn rooms_with_blobs(&self, after: &str, most: u32) -> Result<Vec<(String, u64)>, DirectoryError> {
        let statement = sql("SELECT room, MIN(message_offset) AS first_offset FROM blob_refs WHERE room > $1 \
             GROUP BY room ORDER BY room LIMIT $2")
        .bind(after)
        .bind(most);
        let rows = self.db.all(statement).await?;
        rows.iter().map(|row| Ok((row.text("room")?, row.count("first_offset")?))).collect()
    }

    /// Removes what messages before `first_offset` named.
    pub async fn trim_blob_refs(&self, room: &str, first_offset: u64) -> Result<(), DirectoryError> {
        let statement = sql("DELETE FROM blob_refs WHERE room = $1 AND message_offset < $2");
        self.db.run(statement.bind(room).bind(first_offset)).await.map(drop)
    }
}
