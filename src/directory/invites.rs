//! The table of invites: secrets in links that make members of those who follow them. Only their hashes are kept.

use super::Directory;
use super::members::{self, MemberRole};
use super::sql::{DirectoryError, Row, sql};

/// An invite.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invite {
    /// Its id, which opens nothing.
    pub id: String,
    /// Where it leads.
    pub dialog_id: String,
    /// As what.
    pub role: MemberRole,
    /// Who made it.
    pub created_by: String,
    /// Milliseconds since 1970.
    pub created_ms: u64,
    /// When it ends, milliseconds since 1970; 0: never.
    pub expires_ms: u64,
    /// How many may come by it; 0: as many as want.
    pub uses_max: u64,
    /// How many have.
    pub uses: u64,
}

/// What became of an invite that somebody followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepted {
    /// They are a member now.
    Joined,
    /// They were one already; nothing was used up.
    Already,
    /// It has expired or was used up.
    Ended,
}

impl Invite {
    fn of(row: &Row) -> Result<Self, DirectoryError> {
        Ok(Self {
            id: row.text("id")?,
            dialog_id: row.text("dialog_id")?,
            role: MemberRole::of(&row.text("role")?),
            created_by: row.text("created_by")?,
            created_ms: row.count("created_ms")?,
            expires_ms: row.count("expires_ms")?,
            uses_max: row.count("uses_max")?,
            uses: row.count("uses")?,
        })
    }

    /// Whether nobody can come by it any more.
    pub fn has_ended(&self, now_ms: u64) -> bool {
        (self.expires_ms > 0 && self.expires_ms <= now_ms) || (self.uses_max > 0 && self.uses >= self.uses_max)
    }
}

impl Directory {
    /// Adds an invite whose secret has this hash.
    pub async fn add_invite(&self, invite: &Invite, secret_hash: &str) -> Result<(), DirectoryError> {
        let statement =
            sql("INSERT INTO invites (id, secret_hash, dialog_id, role, created_by, created_ms, expires_ms, \
             uses_max, uses) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)")
            .bind(&invite.id)
            .bind(secret_hash)
            .bind(&invite.dialog_id)
            .bind(invite.role.name())
            .bind(&invite.created_by)
            .bind(invite.created_ms)
            .bind(invite.expires_ms)
            .bind(invite.uses_max)
            .bind(invite.uses);
        self.db.run(statement).await.map(drop)
    }

    /// Up to `limit` invites of a dialog, behind an id.
    pub async fn invites(&self, dialog: &str, after: &str, limit: usize) -> Result<Vec<Invite>, DirectoryError> {
        let statement = sql("SELECT * FROM invites WHERE dialog_id = $1 AND id > $2 ORDER BY id LIMIT $3");
        let rows = self.db.all(statement.bind(dialog).bind(after).bind(limit as u64)).await?;
        rows.iter().map(Invite::of).collect()
    }

    /// The invite whose secret has this hash.
    pub async fn invite(&self, secret_hash: &str) -> Result<Option<Invite>, DirectoryError> {
        let row = self.db.one(sql("SELECT * FROM invites WHERE secret_hash = $1").bind(secret_hash)).await?;
        row.as_ref().map(Invite::of).transpose()
    }

    /// Takes an invite back. Returns whether it was there.
    pub async fn remove_invite(&self, dialog: &str, id: &str) -> Result<bool, DirectoryError> {
        let statement = sql("DELETE FROM invites WHERE dialog_id = $1 AND id = $2");
        Ok(self.db.run(statement.bind(dialog).bind(id)).await? > 0)
    }

    /// Makes somebody a member by an invite, and counts it.
    ///
    /// # Errors
    /// [`DirectoryError::Missing`] when the user is not there.
    pub async fn accept_invite(&self, invite: &Invite, user: &str, now_ms: u64) -> Result<Accepted, DirectoryError> {
        let mut tx = self.db.begin().await?;
        tx.lock(&invite.dialog_id).await?;
        let already = sql("SELECT 1 AS x FROM members WHERE dialog_id = $1 AND user_id = $2");
        if tx.one(already.bind(&invite.dialog_id).bind(user)).await?.is_some() {
            return Ok(Accepted::Already);
        }
        let count = sql("UPDATE invites SET uses = uses + 1 WHERE id = $1 AND (uses_max = 0 OR uses < uses_max) \
             AND (expires_ms = 0 OR expires_ms > $2)");
        if tx.run(count.bind(&invite.id).bind(now_ms)).await? == 0 {
            return Ok(Accepted::Ended);
        }
        tx.run(members::insert(&invite.dialog_id, user, invite.role, now_ms)).await?;
        tx.commit().await?;
        Ok(Accepted::Joined)
    }
}
