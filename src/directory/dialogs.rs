//! The table of dialogs: rooms as their members see them.

use std::collections::HashSet;

use super::Directory;
use super::followed::repeated;
use super::members::{Member, MemberRole};
use super::people::like;
use super::sql::{Columns, DirectoryError, Row, Tx, assembled, places, sql};

/// What a dialog is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DialogKind {
    /// Two people; one dialog per pair.
    Direct,
    /// Any number of people.
    Group,
    /// Somebody from outside and those who answer.
    Service,
}

/// A dialog, without its members and messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dialog {
    /// The room's name.
    pub id: String,
    /// What it is for.
    pub kind: DialogKind,
    /// Whether it carries sealed payloads only; fixed.
    pub e2ee: bool,
    /// Its title; empty for a direct one, which is called as the other member.
    pub title: String,
    /// What it is about.
    pub about: String,
    /// A blob.
    pub avatar: Option<String>,
    /// For a direct one its two users.
    pub pair: Option<(String, String)>,
    /// Who made it.
    pub created_by: String,
    /// Milliseconds since 1970.
    pub created_ms: u64,
}

/// What of a dialog shall be different; `None`: as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DialogChange {
    /// Its title.
    pub title: Option<String>,
    /// What it is about.
    pub about: Option<String>,
    /// Its picture; `Some(None)`: none.
    pub avatar: Option<Option<String>>,
}

/// Members added by one statement.
const MEMBERS: usize = 100;

impl DialogKind {
    /// Its name in the table and in answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Group => "group",
            Self::Service => "service",
        }
    }

    fn of(name: &str) -> Self {
        match name {
            "direct" => Self::Direct,
            "service" => Self::Service,
            _ => Self::Group,
        }
    }
}

impl Dialog {
    pub(super) fn of(row: &Row) -> Result<Self, DirectoryError> {
        let pair = row.maybe_text("pair")?;
        Ok(Self {
            id: row.text("id")?,
            kind: DialogKind::of(&row.text("kind")?),
            e2ee: row.text("mode")? == "e2ee",
            title: row.text("title")?,
            about: row.text("about")?,
            avatar: row.maybe_text("avatar")?,
            pair: pair.and_then(|pair| pair.split_once(' ').map(|(a, b)| (a.to_owned(), b.to_owned()))),
            created_by: row.text("created_by")?,
            created_ms: row.count("created_ms")?,
        })
    }
}

impl Directory {
    /// A dialog by id.
    pub async fn dialog(&self, id: &str) -> Result<Option<Dialog>, DirectoryError> {
        let row = self.db.one(sql("SELECT * FROM dialogs WHERE id = $1").bind(id)).await?;
        row.as_ref().map(Dialog::of).transpose()
    }

    /// Adds a dialog with its first members. The pair of a direct one is given in any order.
    ///
    /// # Errors
    /// [`DirectoryError::Exists`] when the pair has a dialog already; [`DirectoryError::Missing`] when a user is not there.
    pub async fn add_dialog(&self, dialog: &Dialog, members: &[(String, MemberRole)]) -> Result<(), DirectoryError> {
        let mut tx = self.db.begin().await?;
        let pair = dialog.pair.as_ref().map(|(a, b)| pair(a, b));
        let statement =
            sql("INSERT INTO dialogs (id, kind, mode, title, about, avatar, pair, created_by, created_ms, \
             changed_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)")
            .bind(&dialog.id)
            .bind(dialog.kind.name())
            .bind(if dialog.e2ee { "e2ee" } else { "server_readable" })
            .bind(&dialog.title)
            .bind(&dialog.about)
            .bind(dialog.avatar.as_deref())
            .bind(pair)
            .bind(&dialog.created_by)
            .bind(dialog.created_ms);
        tx.run(statement).await?;
        for members in members.chunks(MEMBERS) {
            tx.run(super::members::insert_all(&dialog.id, members, dialog.created_ms)).await?;
        }
        tx.commit().await
    }
}

/// A dialog with one membership of it.
const BOTH: &str = "SELECT d.*, m.dialog_id, m.user_id, m.role, m.joined_ms, m.archived, m.muted_until_ms, m.pinned_ms, \
     m.hidden_until FROM members m JOIN dialogs d ON d.id = m.dialog_id";
/// What of it is read.
const BOTH_COLUMNS: Columns = &[
    "id",
    "kind",
    "mode",
    "title",
    "about",
    "avatar",
    "pair",
    "created_by",
    "created_ms",
    "dialog_id",
    "user_id",
    "role",
    "joined_ms",
    "archived",
    "muted_until_ms",
    "pinned_ms",
    "hidden_until",
];

impl Directory {
    /// The dialog of two users, in any order.
    pub async fn dialog_of(&self, a: &str, b: &str) -> Result<Option<Dialog>, DirectoryError> {
        let row = self.db.one(sql("SELECT * FROM dialogs WHERE pair = $1").bind(pair(a, b))).await?;
        row.as_ref().map(Dialog::of).transpose()
    }

    /// Changes a dialog. Returns whether it is there.
    pub async fn change_dialog(&self, id: &str, change: &DialogChange, now_ms: u64) -> Result<bool, DirectoryError> {
        let statement = sql("UPDATE dialogs SET title = COALESCE($2, title), about = COALESCE($3, about), \
             avatar = CASE WHEN $4 = 1 THEN $5 ELSE avatar END, changed_ms = $6 WHERE id = $1")
        .bind(id)
        .bind(change.title.as_deref())
        .bind(change.about.as_deref())
        .bind(change.avatar.is_some())
        .bind(change.avatar.clone().flatten())
        .bind(now_ms);
        Ok(self.db.run(statement).await? > 0)
    }

    /// Removes a dialog with its memberships and invites, and remembers that its messages must go. Returns whether it was
    /// there.
    pub async fn remove_dialog(&self, id: &str, now_ms: u64) -> Result<bool, DirectoryError> {
        let mut tx = self.db.begin().await?;
        let was_there = remove(&mut tx, id, now_ms).await?;
        tx.commit().await?;
        Ok(was_there)
    }

    /// Dialogs that were removed and whose messages must go, and when they were, milliseconds since 1970.
    pub async fn removed_dialogs(&self, limit: u32) -> Result<Vec<(String, u64)>, DirectoryError> {
        let statement = sql("SELECT id, removed_ms FROM removed_dialogs ORDER BY removed_ms, id LIMIT $1").bind(limit);
        self.db.all(statement).await?.iter().map(|row| Ok((row.text("id")?, row.count("removed_ms")?))).collect()
    }

    /// The messages of a removed dialog are gone.
    pub async fn forget_removed_dialog(&self, id: &str) -> Result<(), DirectoryError> {
        self.db.run(sql("DELETE FROM removed_dialogs WHERE id = $1").bind(id)).await.map(drop)
    }

    /// Everything that a user is a member of, with how they keep it.
    pub async fn dialogs_of(&self, user: &str) -> Result<Vec<(Dialog, Member)>, DirectoryError> {
        self.both(assembled(format!("{BOTH} WHERE m.user_id = $1")).bind(user)).await
    }

    /// A dialog as those of these users who are members of it keep it.
    pub async fn dialog_for(&self, dialog: &str, users: &[&str]) -> Result<Vec<(Dialog, Member)>, DirectoryError> {
        const USERS: usize = 200;
        let mut found = Vec::with_capacity(users.len());
        for users in users.chunks(USERS) {
            let text = format!("{BOTH} WHERE m.dialog_id = $1 AND m.user_id IN ({})", places(2, users.len()));
            found.extend(self.both(assembled(text).bind(dialog).bind_all(users.iter().copied())).await?);
        }
        Ok(found)
    }

    /// The direct dialogs of these users as the others in them keep them, at most `limit` of all together.
    pub async fn partners_of(&self, users: &[&str], limit: usize) -> Result<Vec<(Dialog, Member)>, DirectoryError> {
        const USERS: usize = 200;
        let mut found = Vec::new();
        for users in users.chunks(USERS) {
            let left = limit - found.len();
            if left == 0 {
                break;
            }
            let text = format!(
                "{BOTH} JOIN members o ON o.dialog_id = m.dialog_id AND o.user_id <> m.user_id \
                 WHERE d.kind = 'direct' AND o.user_id IN ({}) LIMIT {left}",
                places(1, users.len())
            );
            found.extend(self.both(assembled(text).bind_all(users.iter().copied())).await?);
        }
        Ok(found)
    }

    /// Those of these pairs, a user and a dialog, that are a membership.
    pub async fn memberships(&self, pairs: &[(&str, &str)]) -> Result<Vec<Member>, DirectoryError> {
        const PAIRS: usize = 200;
        let mut found = Vec::with_capacity(pairs.len());
        for pairs in pairs.chunks(PAIRS) {
            let any = repeated("user_id = ? AND dialog_id = ?", pairs.len());
            let statement = assembled(format!("SELECT * FROM members WHERE {any}"));
            let statement = statement.bind_all(pairs.iter().flat_map(|(user, dialog)| [*user, *dialog]));
            for row in self.db.all(statement).await? {
                found.push(Member::of(&row)?);
            }
        }
        Ok(found)
    }

    /// Those of these pairs who have a direct dialog.
    pub async fn partners(&self, pairs: &[(&str, &str)]) -> Result<HashSet<(String, String)>, DirectoryError> {
        const PAIRS: usize = 200;
        let mut found = HashSet::new();
        for pairs in pairs.chunks(PAIRS) {
            let text = format!("SELECT pair FROM dialogs WHERE pair IN ({})", places(1, pairs.len()));
            let statement = assembled(text).bind_all(pairs.iter().map(|(a, b)| pair(a, b)));
            let rows = self.db.all(statement).await?;
            let known = rows.iter().map(|row| row.text("pair")).collect::<Result<HashSet<_>, _>>()?;
            let known = pairs.iter().filter(|(a, b)| known.contains(&pair(a, b)));
            found.extend(known.map(|(a, b)| ((*a).to_owned(), (*b).to_owned())));
        }
        Ok(found)
    }

    async fn both(&self, statement: super::sql::Statement) -> Result<Vec<(Dialog, Member)>, DirectoryError> {
        let rows = self.db.gather(BOTH_COLUMNS, statement).await?;
        rows.iter().map(|row| Ok((Dialog::of(row)?, Member::of(row)?))).collect()
    }

    /// A user's direct dialogs with those whose login or a word of whose name begins with `word`, in lower case.
    pub async fn direct_dialogs_with(&self, user: &str, word: &str) -> Result<Vec<String>, DirectoryError> {
        let statement = sql("SELECT m.dialog_id FROM members m \
             JOIN members o ON o.dialog_id = m.dialog_id AND o.user_id <> m.user_id \
             JOIN dialogs d ON d.id = m.dialog_id AND d.kind = 'direct' JOIN users u ON u.id = o.user_id \
             WHERE m.user_id = $1 AND (u.search LIKE $2 ESCAPE '\\' OR u.search LIKE $3 ESCAPE '\\')")
        .bind(user)
        .bind(format!("{}%", like(word)))
        .bind(format!("% {}%", like(word)));
        self.db.all(statement).await?.iter().map(|row| row.text("dialog_id")).collect()
    }

    /// How many members these dialogs have; those without any are left out.
    pub async fn member_counts(&self, dialogs: &[&str]) -> Result<Vec<(String, u64)>, DirectoryError> {
        if dialogs.is_empty() {
            return Ok(Vec::new());
        }
        let text = format!(
            "SELECT dialog_id, COUNT(*) AS members FROM members WHERE dialog_id IN ({}) GROUP BY dialog_id",
            places(1, dialogs.len())
        );
        let statement = assembled(text).bind_all(dialogs.iter().copied());
        let rows = self.db.gather(&["dialog_id", "members"], statement).await?;
        rows.iter().map(|row| Ok((row.text("dialog_id")?, row.count("members")?))).collect()
    }
}

/// See [`Directory::remove_dialog`].
pub(super) async fn remove(tx: &mut Tx, id: &str, now_ms: u64) -> Result<bool, DirectoryError> {
    let was_there = tx.run(sql("DELETE FROM dialogs WHERE id = $1").bind(id)).await? > 0;
    if was_there {
        let remember = sql("INSERT INTO removed_dialogs (id, removed_ms) VALUES ($1, $2) ON CONFLICT DO NOTHING");
        tx.run(remember.bind(id).bind(now_ms)).await?;
    }
    Ok(was_there)
}

/// A pair in the one form that it has in the table.
fn pair(a: &str, b: &str) -> String {
    if a <= b { format!("{a} {b}") } else { format!("{b} {a}") }
}
