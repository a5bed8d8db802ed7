//! The table of memberships: who is in which dialog, as what, and how they keep it.

use super::Directory;
use super::people::Person;
use super::sql::{DirectoryError, Row, Statement, Tx, assembled, places, sql};

/// What a member may do in a dialog.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum MemberRole {
    /// Reads.
    Reader,
    /// Reads and writes.
    Member,
    /// Adds and removes members, changes the dialog, deletes what others wrote.
    Admin,
    /// Everything, also making admins and other owners.
    Owner,
}

/// A membership.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The dialog.
    pub dialog_id: String,
    /// Who.
    pub user_id: String,
    /// As what.
    pub role: MemberRole,
    /// Milliseconds since 1970.
    pub joined_ms: u64,
    /// Whether they have put it away.
    pub archived: bool,
    /// Until when they want no notice of it, milliseconds since 1970.
    pub muted_until_ms: u64,
    /// When they pinned it, milliseconds since 1970; 0: they have not.
    pub pinned_ms: u64,
    /// Put away until the room's last offset is at least this; 0: it is in lists.
    pub hidden_until: u64,
}

/// How a member keeps a dialog from now on; `None`: as it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Keeping {
    /// Whether they have put it away.
    pub archived: Option<bool>,
    /// Until when they want no notice of it, milliseconds since 1970.
    pub muted_until_ms: Option<u64>,
    /// When they pinned it, milliseconds since 1970; 0: not.
    pub pinned_ms: Option<u64>,
    /// Put away until the room's last offset is at least this; 0: it is in lists.
    pub hidden_until: Option<u64>,
}

/// How it stands when somebody changes somebody's membership.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// What the one who changes it is there.
    pub by: Option<MemberRole>,
    /// What the one whose membership it is, is.
    pub user: Option<MemberRole>,
    /// How many own the dialog.
    pub owners: u64,
    /// How many members it has.
    pub members: u64,
}

impl MemberRole {
    /// Its name in the table and in answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Reader => "reader",
            Self::Member => "member",
            Self::Admin => "admin",
            Self::Owner => "owner",
        }
    }

    pub(super) fn of(name: &str) -> Self {
        match name {
            "owner" => Self::Owner,
            "admin" => Self::Admin,
            "member" => Self::Member,
            _ => Self::Reader,
        }
    }
}

impl Member {
    pub(super) fn of(row: &Row) -> Result<Self, DirectoryError> {
        Ok(Self {
            dialog_id: row.text("dialog_id")?,
            user_id: row.text("user_id")?,
            role: MemberRole::of(&row.text("role")?),
            joined_ms: row.count("joined_ms")?,
            archived: row.flag("archived")?,
            muted_until_ms: row.count("muted_until_ms")?,
            pinned_ms: row.count("pinned_ms")?,
            hidden_until: row.count("hidden_until")?,
        })
    }
}

pub(super) fn insert(dialog: &str, user: &str, role: MemberRole, now_ms: u64) -> Statement {
    insert_all(dialog, &[(user, role)], now_ms)
}

/// Members of a dialog, at least one, by one statement.
pub(super) fn insert_all(dialog: &str, members: &[(impl AsRef<str>, MemberRole)], now_ms: u64) -> Statement {
    let rows: Vec<_> =
        (0..members.len()).map(|row| format!("($1, ${}, ${}, $2, 0, 0, 0, 0)", 2 * row + 3, 2 * row + 4)).collect();
    let text = format!(
        "INSERT INTO members (dialog_id, user_id, role, joined_ms, archived, muted_until_ms, pinned_ms, hidden_until) \
         VALUES {}",
        rows.join(", ")
    );
    let statement = assembled(text).bind(dialog).bind(now_ms);
    members.iter().fold(statement, |statement, (user, role)| statement.bind(user.as_ref()).bind(role.name()))
}

impl Directory {
    /// Who is in a dialog, and as what: for deciding what they may do. In a direct dialog in which one has blocked the
    /// other both only read.
    pub async fn roles(&self, dialog: &str) -> Result<Vec<(String, MemberRole)>, DirectoryError> {
        let rows = sql("SELECT m.user_id, m.role, d.pair FROM members m JOIN dialogs d ON d.id = m.dialog_id \
             WHERE m.dialog_id = $1");
        let rows = self.db.gather(&["user_id", "role", "pair"], rows.bind(dialog)).await?;
        let pair = rows.first().map(|row| row.maybe_text("pair")).transpose()?.flatten();
        let blocked = match pair.as_deref().and_then(|pair| pair.split_once(' ')) {
            Some((a, b)) => self.is_blocked(a, b).await?,
            None => false,
        };
        let role = |row: &Row| Ok::<_, DirectoryError>(MemberRole::of(&row.text("role")?));
        let role = |row: &Row| if blocked { Ok(MemberRole::Reader) } else { role(row) };
        rows.iter().map(|row| Ok((row.text("user_id")?, role(row)?))).collect()
    }

    /// What these users are in a dialog of many; those who are nothing there are left out.
    pub async fn roles_of(&self, dialog: &str, users: &[&str]) -> Result<Vec<(String, MemberRole)>, DirectoryError> {
        if users.is_empty() {
            return Ok(Vec::new());
        }
        let places = places(2, users.len());
        let text = format!("SELECT user_id, role FROM members WHERE dialog_id = $1 AND user_id IN ({places})");
        let rows = self.db.all(assembled(text).bind(dialog).bind_all(users.iter().copied())).await?;
        rows.iter().map(|row| Ok((row.text("user_id")?, MemberRole::of(&row.text("role")?)))).collect()
    }

    /// Whether one of two has blocked the other.
    pub async fn is_blocked(&self, a: &str, b: &str) -> Result<bool, DirectoryError> {
        let statement = sql("SELECT 1 AS x FROM contacts WHERE state = 'blocked' \
             AND ((user_id = $1 AND other_id = $2) OR (user_id = $2 AND other_id = $1))");
        Ok(self.db.one(statement.bind(a).bind(b)).await?.is_some())
    }

    /// Those of these users who are members of `most` dialogs or more.
    pub async fn full_users(&self, users: &[&str], most: u64) -> Result<Vec<String>, DirectoryError> {
        if users.is_empty() {
            return Ok(Vec::new());
        }
        let text = format!(
            "SELECT user_id FROM members WHERE user_id IN ({}) GROUP BY user_id HAVING COUNT(*) >= $1",
            places(2, users.len())
        );
        let rows = self.db.all(assembled(text).bind(most).bind_all(users.iter().copied())).await?;
        rows.iter().map(|row| row.text("user_id")).collect()
    }

    /// Up to `limit` members with what others may see of them, behind a user id.
    pub async fn members(
        &self,
        dialog: &str,
        after: &str,
        limit: usize,
    ) -> Result<Vec<(Member, Person)>, DirectoryError> {
        let statement = sql("SELECT m.*, u.id, u.name, u.about, u.avatar, u.seen_ms, u.state, u.search \
             FROM members m JOIN users u ON u.id = m.user_id \
             WHERE m.dialog_id = $1 AND m.user_id > $2 ORDER BY m.user_id LIMIT $3")
        .bind(dialog)
        .bind(after)
        .bind(limit as u64);
        self.db.all(statement).await?.iter().map(|row| Ok((Member::of(row)?, Person::of(row)?))).collect()
    }

    /// Changes how a member keeps a dialog. Returns whether they are one.
    pub async fn keep(&self, dialog: &str, user: &str, how: Keeping) -> Result<bool, DirectoryError> {
        let statement = sql("UPDATE members SET archived = COALESCE($3, archived), \
             muted_until_ms = COALESCE($4, muted_until_ms), pinned_ms = COALESCE($5, pinned_ms), \
             hidden_until = COALESCE($6, hidden_until) WHERE dialog_id = $1 AND user_id = $2")
        .bind(dialog)
        .bind(user)
        .bind(how.archived.map(u64::from))
        .bind(how.muted_until_ms)
        .bind(how.pinned_ms)
        .bind(how.hidden_until);
        Ok(self.db.run(statement).await? > 0)
    }

    /// Changes, makes or ends a membership: `decide` is told how it stands and says what the user shall be. No other
    /// change of the dialog's members comes between. Returns what they were and what they are.
    ///
    /// # Errors
    /// What `decide` says; then nothing changed. [`DirectoryError::Missing`] when the dialog or the user is not there.
    pub async fn change_member<E: From<DirectoryError>>(
        &self,
        dialog: &str,
        by: &str,
        user: &str,
        now_ms: u64,
        decide: impl FnOnce(Standing) -> Result<Option<MemberRole>, E> + Send,
    ) -> Result<(Option<MemberRole>, Option<MemberRole>), E> {
        let mut tx = self.db.begin().await?;
        tx.lock(dialog).await?;
        let counts = sql("SELECT COUNT(*) AS members, COUNT(CASE WHEN role = 'owner' THEN 1 END) AS owners \
             FROM members WHERE dialog_id = $1");
        let counts = tx.one(counts.bind(dialog)).await?.ok_or(DirectoryError::Missing)?;
        let before = role(&mut tx, dialog, user).await?;
        let standing = Standing {
            by: if by == user { before } else { role(&mut tx, dialog, by).await? },
            user: before,
            owners: counts.count("owners")?,
            members: counts.count("members")?,
        };
        let after = decide(standing)?;
        match (before, after) {
            (before, after) if before == after => return Ok((before, after)),
            (None, Some(role)) => tx.run(insert(dialog, user, role, now_ms)).await?,
            (_, Some(role)) => {
                let change = sql("UPDATE members SET role = $3 WHERE dialog_id = $1 AND user_id = $2");
                tx.run(change.bind(dialog).bind(user).bind(role.name())).await?
            }
            (_, None) => {
                for table in ["members", "mentions"] {
                    let text = format!("DELETE FROM {table} WHERE dialog_id = $1 AND user_id = $2");
                    tx.run(assembled(text).bind(dialog).bind(user)).await?;
                }
                1
            }
        };
        tx.commit().await?;
        Ok((before, after))
    }
}

async fn role(tx: &mut Tx, dialog: &str, user: &str) -> Result<Option<MemberRole>, DirectoryError> {
    let statement = sql("SELECT role FROM members WHERE dialog_id = $1 AND user_id = $2");
    let row = tx.one(statement.bind(dialog).bind(user)).await?;
    row.map(|row| Ok(MemberRole::of(&row.text("role")?))).transpose()
}
