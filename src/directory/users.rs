//! The table of users: accounts, guests who stayed, and those whom others vouch for.

use super::Directory;
use super::people::like;
use super::sql::{DirectoryError, Row, Statement, Tx, Value, assembled, sql};
use super::words;

/// What somebody may do on the whole server.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Their own things.
    User,
    /// As users, with quotas of their own: for those who answer visitors.
    Operator,
    /// Everything.
    Administrator,
}

/// Whether somebody may come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum UserState {
    /// Yes.
    Active,
    /// Not until an administrator says so.
    Blocked,
    /// Never again; only the id is left.
    Deleted,
}

/// Somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The user id, as in messages.
    pub id: String,
    /// What they sign in with, if they do.
    pub login: Option<String>,
    /// How they want to be shown.
    pub name: String,
    /// For themselves and administrators.
    pub email: Option<String>,
    /// What they tell of themselves.
    pub about: String,
    /// A blob.
    pub avatar: Option<String>,
    /// The hash of their password, if they have one.
    pub password: Option<String>,
    /// What they may do on the whole server.
    pub role: Role,
    /// Whether they may come in.
    pub state: UserState,
    /// `account`, `guest`, or who vouches for them.
    pub origin: String,
    /// Milliseconds since 1970.
    pub created_ms: u64,
    /// When they were last connected, milliseconds since 1970; 0: never.
    pub seen_ms: u64,
}

impl Role {
    /// Its name in the table and in answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Operator => "operator",
            Self::Administrator => "administrator",
        }
    }

    fn of(name: &str) -> Self {
        match name {
            "administrator" => Self::Administrator,
            "operator" => Self::Operator,
            _ => Self::User,
        }
    }
}

impl UserState {
    /// Its name in the table and in answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Blocked => "blocked",
            Self::Deleted => "deleted",
        }
    }

    pub(super) fn of(name: &str) -> Self {
        match name {
            "active" => Self::Active,
            "deleted" => Self::Deleted,
            // What is not known does not come in.
            _ => Self::Blocked,
        }
    }
}

impl User {
    fn of(row: &Row) -> Result<Self, DirectoryError> {
        Ok(Self {
            id: row.text("id")?,
            login: row.maybe_text("login")?,
            name: row.text("name")?,
            email: row.maybe_text("email")?,
            about: row.text("about")?,
            avatar: row.maybe_text("avatar")?,
            password: row.maybe_text("password")?,
            role: Role::of(&row.text("role")?),
            state: UserState::of(&row.text("state")?),
            origin: row.text("origin")?,
            created_ms: row.count("created_ms")?,
            seen_ms: row.count("seen_ms")?,
        })
    }

    /// Login and name, folded for searching.
    pub(super) fn search(&self) -> String {
        format!("{} {}", self.login.as_deref().unwrap_or_default(), self.name).to_lowercase()
    }
}

impl Directory {
    /// Somebody by id.
    pub async fn user(&self, id: &str) -> Result<Option<User>, DirectoryError> {
        let row = self.db.one(sql("SELECT * FROM users WHERE id = $1").bind(id)).await?;
        row.as_ref().map(User::of).transpose()
    }

    /// Somebody by login, which is in lower case.
    pub async fn user_by_login(&self, login: &str) -> Result<Option<User>, DirectoryError> {
        let row = self.db.one(sql("SELECT * FROM users WHERE login = $1").bind(login)).await?;
        row.as_ref().map(User::of).transpose()
    }

    /// Adds somebody.
    ///
    /// # Errors
    /// [`DirectoryError::Exists`] when the login or the id is taken.
    pub async fn add_user(&self, user: &User) -> Result<(), DirectoryError> {
        let mut tx = self.db.begin().await?;
        tx.run(insert(user, "")).await?;
        words::keep(&mut tx, user).await?;
        tx.commit().await
    }

    /// Changes somebody: `change` is told the row as it is and how many other administrators may come in, and makes the
    /// row what it shall be. No other change of a user comes between. Whoever becomes deleted leaves everything they were
    /// part of in the same step. Returns the row, and what was left: nothing of those who stay.
    ///
    /// # Errors
    /// What `change` says; then nothing changed. [`DirectoryError::Missing`] when there is nobody; [`DirectoryError::Exists`]
    /// when the login is taken.
    pub async fn change_user<E: From<DirectoryError>>(
        &self,
        id: &str,
        now_ms: u64,
        change: impl FnOnce(&mut User, u64) -> Result<(), E> + Send,
    ) -> Result<(User, Gone), E> {
        let mut tx = self.db.begin().await?;
        tx.lock("users").await?;
        let row = tx.one(sql("SELECT * FROM users WHERE id = $1").bind(id)).await?.ok_or(DirectoryError::Missing)?;
        let others = sql("SELECT COUNT(*) AS others FROM users WHERE role = 'administrator' AND state = 'active' \
             AND id <> $1");
        let others = tx.one(others.bind(id)).await?.ok_or(DirectoryError::Missing)?.count("others")?;
        let mut user = User::of(&row)?;
        change(&mut user, others)?;
        let statement =
            sql("UPDATE users SET login = $2, name = $3, search = $4, email = $5, about = $6, avatar = $7, \
             password = $8, role = $9, state = $10, changed_ms = $11 WHERE id = $1")
            .bind(id)
            .bind(user.login.as_deref())
            .bind(&user.name)
            .bind(user.search())
            .bind(user.email.as_deref())
            .bind(&user.about)
            .bind(user.avatar.as_deref())
            .bind(user.password.as_deref())
            .bind(user.role.name())
            .bind(user.state.name())
            .bind(now_ms);
        tx.run(statement).await?;
        words::keep(&mut tx, &user).await?;
        let gone = match user.state {
            UserState::Deleted => leave_all(&mut tx, id, now_ms).await?,
            _ => Gone::default(),
        };
        tx.commit().await?;
        Ok((user, gone))
    }

    /// The newest `limit` users made before this time and id, newest first, whose login or name holds each of `words`,
    /// which are in lower case, or whose id is the only one.
    pub async fn users(
        &self,
        words: &[String],
        before: (u64, &str),
        limit: usize,
    ) -> Result<Vec<User>, DirectoryError> {
        let mut text = "SELECT * FROM users WHERE (created_ms, id) < ($1, $2)".to_owned();
        let mut values = vec![Value::from(before.0), before.1.into()];
        for word in words {
            let number = values.len() + 1;
            text.push_str(&format!(" AND (search LIKE ${number} ESCAPE '\\' OR id = ${})", number + 1));
            values.extend([Value::from(format!("%{}%", like(word))), word.into()]);
        }
        text.push_str(&format!(" ORDER BY created_ms DESC, id DESC LIMIT {limit}"));
        self.db.all(assembled(text).bind_all(values)).await?.iter().map(User::of).collect()
    }

    /// Keeps the row of somebody whom others vouch for: it is made, or if `rename` given the name that they have now.
    /// Returns whether they had another one before.
    pub async fn keep_vouched(&self, user: &User, rename: bool) -> Result<bool, DirectoryError> {
        let change = sql("UPDATE users SET name = $2, search = $3, changed_ms = $4 WHERE id = $1 AND name <> $2 \
             AND state <> 'deleted' AND origin <> 'account'");
        let change = change.bind(&user.id).bind(&user.name).bind(user.search()).bind(user.created_ms);
        // Most come again and again as they were, and reading does not wait for the one who writes.
        let as_it_was = sql("SELECT 1 AS x FROM users WHERE id = $1 AND ($3 = 0 OR name = $2)");
        if self.db.one(as_it_was.bind(&user.id).bind(&user.name).bind(rename)).await?.is_some() {
            return Ok(false);
        }
        let mut tx = self.db.begin().await?;
        let is_renamed = rename && tx.run(change).await? > 0;
        if is_renamed || tx.run(insert(user, "ON CONFLICT (id) DO NOTHING")).await? > 0 {
            // Of a row that was there only the name is another: nobody here has a login.
            words::keep(&mut tx, user).await?;
        }
        tx.commit().await?;
        Ok(is_renamed)
    }

    /// Accounts that were changed since then, with their names and when that was, milliseconds since 1970.
    pub async fn changed_accounts(&self, since_ms: u64) -> Result<Vec<(String, String, u64)>, DirectoryError> {
        let statement =
            sql("SELECT id, name, changed_ms FROM users WHERE changed_ms > $1 AND changed_ms > created_ms \
             AND origin = 'account' AND state <> 'deleted'");
        let rows = self.db.all(statement.bind(since_ms)).await?;
        rows.iter().map(|row| Ok((row.text("id")?, row.text("name")?, row.count("changed_ms")?))).collect()
    }

    /// Whether there is an administrator who may come in.
    pub async fn has_administrator(&self) -> Result<bool, DirectoryError> {
        Ok(self.db.one(sql(ADMINISTRATOR)).await?.is_some())
    }

    /// Adds the first administrator and takes away the fact that allows it, if it is there with this value and there is
    /// no other. Returns whether it was so.
    ///
    /// # Errors
    /// [`DirectoryError::Exists`] when the login is taken.
    pub async fn add_first_administrator(&self, user: &User, fact: &str, value: &str) -> Result<bool, DirectoryError> {
        let mut tx = self.db.begin().await?;
        tx.lock("users").await?;
        let taken = tx.run(sql("DELETE FROM facts WHERE name = $1 AND value = $2").bind(fact).bind(value)).await?;
        if taken == 0 || tx.one(sql(ADMINISTRATOR)).await?.is_some() {
            return Ok(false);
        }
        tx.run(insert(user, "")).await?;
        words::keep(&mut tx, user).await?;
        tx.commit().await?;
        Ok(true)
    }
}

const ADMINISTRATOR: &str = "SELECT id FROM users WHERE role = 'administrator' AND state = 'active' LIMIT 1";

/// What somebody left by being deleted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Gone {
    /// Dialogs.
    pub dialogs: Vec<Left>,
    /// Users who had them among their contacts.
    pub contacts: Vec<String>,
}

/// A dialog that somebody left by being deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    /// The dialog.
    pub dialog_id: String,
    /// Who became its owner in their place.
    pub heir: Option<String>,
    /// Nobody was left, so it was removed.
    pub is_removed: bool,
}

/// Takes somebody out of every table that says where they belong or what they did. Uploads are given up: whoever sweeps
/// them takes what has arrived of them too. A dialog whose last owner they were goes to the admin, or else to the member,
/// who has been there longest; one that nobody is left in is removed.
async fn leave_all(tx: &mut Tx, user: &str, now_ms: u64) -> Result<Gone, DirectoryError> {
    let rows = tx.all(sql("SELECT dialog_id FROM members WHERE user_id = $1").bind(user)).await?;
    let dialogs = rows.iter().map(|row| row.text("dialog_id")).collect::<Result<Vec<_>, _>>()?;
    for dialog in &dialogs {
        tx.lock(dialog).await?;
    }
    let rows = tx.all(sql("SELECT user_id FROM contacts WHERE other_id = $1").bind(user)).await?;
    let contacts = rows.iter().map(|row| row.text("user_id")).collect::<Result<_, _>>()?;
    for text in [
        "DELETE FROM members WHERE user_id = $1",
        "DELETE FROM mentions WHERE user_id = $1",
        "DELETE FROM contacts WHERE user_id = $1 OR other_id = $1",
        "DELETE FROM devices WHERE user_id = $1",
        "DELETE FROM blob_owners WHERE user_id = $1",
        "DELETE FROM user_limits WHERE user_id = $1",
        "DELETE FROM used WHERE user_id = $1",
        "UPDATE uploads SET metadata = '', expires_ms = 0 WHERE user_id = $1",
        "UPDATE users SET seen_ms = 0 WHERE id = $1",
    ] {
        tx.run(sql(text).bind(user)).await?;
    }
    let mut left = Vec::with_capacity(dialogs.len());
    for dialog_id in dialogs {
        let ranking = sql("SELECT m.user_id, m.role, d.kind FROM members m JOIN dialogs d ON d.id = m.dialog_id \
             WHERE m.dialog_id = $1 ORDER BY CASE m.role WHEN 'owner' THEN 0 WHEN 'admin' THEN 1 WHEN 'member' THEN 2 \
             ELSE 3 END, m.joined_ms, m.user_id LIMIT 1");
        let Some(first) = tx.one(ranking.bind(&dialog_id)).await? else {
            super::dialogs::remove(tx, &dialog_id, now_ms).await?;
            left.push(Left { dialog_id, heir: None, is_removed: true });
            continue;
        };
        let mut heir = None;
        if first.text("kind")? != "direct" && first.text("role")? != "owner" {
            let id = first.text("user_id")?;
            let change = sql("UPDATE members SET role = 'owner' WHERE dialog_id = $1 AND user_id = $2");
            tx.run(change.bind(&dialog_id).bind(&id)).await?;
            heir = Some(id);
        }
        left.push(Left { dialog_id, heir, is_removed: false });
    }
    Ok(Gone { dialogs: left, contacts })
}

fn insert(user: &User, on_conflict: &str) -> Statement {
    assembled(format!(
        "INSERT INTO users (id, login, name, search, email, about, avatar, password, role, state, origin, created_ms, \
         changed_ms, seen_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $12, $13) {on_conflict}"
    ))
    .bind(&user.id)
    .bind(user.login.as_deref())
    .bind(&user.name)
    .bind(user.search())
    .bind(user.email.as_deref())
    .bind(&user.about)
    .bind(user.avatar.as_deref())
    .bind(user.password.as_deref())
    .bind(user.role.name())
    .bind(user.state.name())
    .bind(&user.origin)
    .bind(user.created_ms)
    .bind(user.seen_ms)
}
