//! What is kept in tables of what happens in the journal: mentions that are not read yet, when somebody was last seen,
//! and how far each room was followed.
//!
//! Invariant: a batch is applied whole or not at all, and applying it a second time changes nothing: after a crash the
//! follower reads again what it may have seen before.

use super::Directory;
use super::deliveries::{self, WebhookRow};
use super::naming::{self, BlobRef};
use super::sql::{DirectoryError, Statement, Tx, assembled, rows_of, sql};

/// Rows written by one statement.
const ROWS: usize = 100;

/// What was gathered since the last one. The order of facts inside does not matter but for that of the fields: what was
/// mentioned comes first, what was erased or read goes after.
#[derive(Debug, Default)]
pub struct Batch {
    /// Somebody was mentioned. Kept only if they are a member.
    pub mentions: Vec<Mention>,
    /// Files that messages name. Kept only if they are there.
    pub blobs: Vec<BlobRef>,
    /// Messages that were erased: room and offset.
    pub erased: Vec<(String, u64)>,
    /// How far somebody has read: everything in this dialog up to here.
    pub read: Vec<Mention>,
    /// Users who went, and when, milliseconds since 1970.
    pub seen: Vec<(String, u64)>,
    /// What is to be told to programs outside: for which webhook, and what.
    pub deliveries: Vec<(String, Vec<WebhookRow>)>,
    /// Most deliveries that wait for one webhook.
    pub waiting_max: u64,
    /// How far rooms were followed by what is in this batch; each room once.
    pub positions: Vec<Followed>,
}

/// Somebody, and a message.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Mention {
    /// Who.
    pub user_id: String,
    /// In which dialog.
    pub dialog_id: String,
    /// Which message.
    pub offset: u64,
}

/// How far a room was followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Followed {
    /// Its name.
    pub room: String,
    /// The numbering.
    pub epoch: u64,
    /// Everything up to here was applied.
    pub offset: u64,
}

impl Batch {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        let Self { mentions, blobs, erased, read, seen, deliveries, waiting_max: _, positions } = self;
        deliveries.is_empty()
            && mentions.is_empty()
            && blobs.is_empty()
            && erased.is_empty()
            && read.is_empty()
            && seen.is_empty()
            && positions.is_empty()
    }
}

impl Directory {
    /// Writes everything, in one transaction.
    pub async fn apply(&self, batch: &Batch) -> Result<(), DirectoryError> {
        let mut tx = self.db.begin().await?;
        for mentions in batch.mentions.chunks(ROWS) {
            tx.run(add_mentions(mentions)).await?;
        }
        naming::add(&mut tx, &batch.blobs).await?;
        naming::erase(&mut tx, &batch.erased).await?;
        remove(&mut tx, "dialog_id = ? AND message_offset = ?", &batch.erased, |statement, (dialog, offset)| {
            statement.bind(dialog).bind(*offset)
        })
        .await?;
        let read = "user_id = ? AND dialog_id = ? AND message_offset <= ?";
        remove(&mut tx, read, &batch.read, |statement, read| {
            statement.bind(&read.user_id).bind(&read.dialog_id).bind(read.offset)
        })
        .await?;
        for (user, seen_ms) in &batch.seen {
            let later = sql("UPDATE users SET seen_ms = $2 WHERE id = $1 AND seen_ms < $2 AND state <> 'deleted'");
            tx.run(later.bind(user).bind(*seen_ms)).await?;
        }
        let dropped = deliveries::queue_all(&mut tx, &batch.deliveries, batch.waiting_max).await?;
        if dropped > 0 {
            tracing::warn!(dropped, "queues of webhooks are full; these events were not taken");
        }
        for positions in batch.positions.chunks(ROWS) {
            tx.run(keep(positions)).await?;
        }
        tx.commit().await
    }

    /// Has a room followed of which nothing is known yet.
    pub async fn follow_from_start(&self, room: &str) -> Result<(), DirectoryError> {
        let text = "INSERT INTO followed (room, epoch, message_offset) VALUES ($1, 0, 0) ON CONFLICT DO NOTHING";
        self.db.run(sql(text).bind(room)).await.map(drop)
    }

    /// How far every room was followed.
    pub async fn followed(&self) -> Result<Vec<Followed>, DirectoryError> {
        let rows = self.db.all(sql("SELECT room, epoch, message_offset FROM followed")).await?;
        let followed = rows.iter().map(|row| {
            Ok(Followed { room: row.text("room")?, epoch: row.count("epoch")?, offset: row.count("message_offset")? })
        });
        followed.collect()
    }

    /// For each of these how many mentions somebody has in a dialog behind an offset.
    pub async fn mention_counts(&self, wanted: &[Mention]) -> Result<Vec<u64>, DirectoryError> {
        let mut counts = std::collections::HashMap::new();
        for wanted in wanted.chunks(ROWS) {
            let condition = repeated("user_id = ? AND dialog_id = ? AND message_offset > ?", wanted.len());
            let text = format!(
                "SELECT user_id, dialog_id, COUNT(*) AS mentions FROM mentions WHERE {condition} \
                 GROUP BY user_id, dialog_id"
            );
            let statement = wanted.iter().fold(assembled(text), |statement, wanted| {
                statement.bind(&wanted.user_id).bind(&wanted.dialog_id).bind(wanted.offset)
            });
            for row in self.db.gather(&["user_id", "dialog_id", "mentions"], statement).await? {
                counts.insert((row.text("user_id")?, row.text("dialog_id")?), row.count("mentions")?);
            }
        }
        let count = |wanted: &Mention| counts.get(&(wanted.user_id.clone(), wanted.dialog_id.clone())).copied();
        Ok(wanted.iter().map(|wanted| count(wanted).unwrap_or(0)).collect())
    }
}

fn add_mentions(mentions: &[Mention]) -> Statement {
    let text = format!(
        "INSERT INTO mentions (user_id, dialog_id, message_offset) SELECT m.user_id, m.dialog_id, CAST(v.column3 AS BIGINT) \
         FROM (VALUES {}) AS v JOIN members m ON m.user_id = v.column1 AND m.dialog_id = v.column2 WHERE 1 = 1 \
         ON CONFLICT DO NOTHING",
        rows_of(3, mentions.len())
    );
    mentions.iter().fold(assembled(text), |statement, mention| {
        statement.bind(&mention.user_id).bind(&mention.dialog_id).bind(mention.offset)
    })
}

fn keep(positions: &[Followed]) -> Statement {
    let text = format!(
        "INSERT INTO followed (room, epoch, message_offset) VALUES {} ON CONFLICT (room) DO UPDATE SET \
         epoch = excluded.epoch, message_offset = excluded.message_offset",
        rows_of(3, positions.len())
    );
    positions.iter().fold(assembled(text), |statement, position| {
        statement.bind(&position.room).bind(position.epoch).bind(position.offset)
    })
}

/// Removes the mentions that are meant by any of `items`.
async fn remove<T>(
    tx: &mut Tx,
    condition: &'static str,
    items: &[T],
    bind: impl Fn(Statement, &T) -> Statement,
) -> Result<(), DirectoryError> {
    for items in items.chunks(ROWS) {
        let text = format!("DELETE FROM mentions WHERE {}", repeated(condition, items.len()));
        tx.run(items.iter().fold(assembled(text), &bind)).await?;
    }
    Ok(())
}

/// `(condition) OR (condition) …` with every `?` numbered.
pub(super) fn repeated(condition: &'static str, count: usize) -> String {
    let mut number = 0;
    let mut text = String::new();
    for index in 0..count {
        text.push_str(if index == 0 { "(" } else { " OR (" });
        for part in condition.split_inclusive('?') {
            match part.strip_suffix('?') {
                Some(before) => {
                    number += 1;
                    text.push_str(&format!("{before}${number}"));
                }
                None => text.push_str(part),
            }
        }
        text.push(')');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::{DirectoryConfig, MemberRole};

    #[test]
    fn conditions_are_numbered_through() {
        assert_eq!(repeated("a = ? AND b < ?", 2), "(a = $1 AND b < $2) OR (a = $3 AND b < $4)");
        assert_eq!(repeated("x", 1), "(x)");
    }

    /// More than one statement takes, members and strangers, twice.
    #[tokio::test]
    async fn mentions_of_members_are_kept_and_of_nobody_else() {
        let data = tempfile::tempdir().unwrap();
        let directory = Directory::open(&DirectoryConfig::default(), data.path()).await.unwrap();
        for id in ["ann", "bob"] {
            let user = "INSERT INTO users (id, name, search, about, role, state, origin, created_ms, changed_ms, seen_ms) \
                 VALUES ($1, $1, $1, '', 'user', 'active', 'token', 1, 1, 0)";
            directory.db.run(sql(user).bind(id)).await.unwrap();
        }
        let dialog = "INSERT INTO dialogs (id, kind, mode, title, about, created_by, created_ms, changed_ms) \
             VALUES ('dialog-a', 'group', 'server_readable', 'A', '', 'ann', 1, 1)";
        directory.db.run(sql(dialog)).await.unwrap();
        directory.db.run(super::super::members::insert("dialog-a", "ann", MemberRole::Owner, 1)).await.unwrap();
        let mention =
            |user: &str, dialog: &str, offset| Mention { user_id: user.into(), dialog_id: dialog.into(), offset };
        let everybody = ["ann", "bob", "nobody"].map(|user| (1..=150).map(move |offset| (user, offset)));
        let mentions = everybody.into_iter().flatten().map(|(user, offset)| mention(user, "dialog-a", offset));
        let mentions = mentions.chain([mention("ann", "dialog-b", 1), mention("ann", "dialog-a", 1)]).collect();
        let batch = Batch { mentions, ..Batch::default() };
        for _ in 0..2 {
            directory.apply(&batch).await.unwrap();
            let counts = [mention("ann", "dialog-a", 0), mention("bob", "dialog-a", 0), mention("ann", "dialog-b", 0)];
            assert_eq!(directory.mention_counts(&counts).await.unwrap(), [150, 0, 0]);
        }
        let read = Batch { read: vec![mention("ann", "dialog-a", 120)], ..Batch::default() };
        directory.apply(&read).await.unwrap();
        assert_eq!(directory.mention_counts(&[mention("ann", "dialog-a", 0)]).await.unwrap(), [30]);
    }
}
