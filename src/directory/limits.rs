//! The tables of how much users may do, and of how much they have done.

use super::Directory;
use super::sql::{DirectoryError, sql};

/// What was set for a role or for a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitOf {
    /// The role or the user.
    pub whose: String,
    /// Of what.
    pub kind: String,
    /// How much; `None`: no limit.
    pub most: Option<u64>,
}

/// How much somebody used of something in a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Used {
    /// Who.
    pub user_id: String,
    /// Of what.
    pub kind: &'static str,
    /// Days since 1970, UTC.
    pub day: u64,
    /// How much.
    pub used: u64,
}

impl Directory {
    /// Everything that was set for roles.
    pub async fn role_limits(&self) -> Result<Vec<LimitOf>, DirectoryError> {
        self.limits(sql("SELECT role AS whose, kind, most FROM role_limits")).await
    }

    /// Everything that was set for users.
    pub async fn user_limits(&self) -> Result<Vec<LimitOf>, DirectoryError> {
        self.limits(sql("SELECT user_id AS whose, kind, most FROM user_limits")).await
    }

    async fn limits(&self, statement: super::sql::Statement) -> Result<Vec<LimitOf>, DirectoryError> {
        let rows = self.db.all(statement).await?;
        let limit = rows.iter().map(|row| {
            Ok(LimitOf { whose: row.text("whose")?, kind: row.text("kind")?, most: row.maybe_count("most")? })
        });
        limit.collect()
    }

    /// Sets everything for a role; what is not named falls back to the settings.
    pub async fn set_role_limits(&self, role: &str, limits: &[(&str, Option<u64>)]) -> Result<(), DirectoryError> {
        let mut tx = self.db.begin().await?;
        tx.run(sql("DELETE FROM role_limits WHERE role = $1").bind(role)).await?;
        for (kind, most) in limits {
            let statement = sql("INSERT INTO role_limits (role, kind, most) VALUES ($1, $2, $3)");
            tx.run(statement.bind(role).bind(*kind).bind(*most)).await?;
        }
        tx.commit().await
    }

    /// Sets everything for a user; what is not named is as for their role.
    pub async fn set_user_limits(&self, user: &str, limits: &[(&str, Option<u64>)]) -> Result<(), DirectoryError> {
        let mut tx = self.db.begin().await?;
        tx.run(sql("DELETE FROM user_limits WHERE user_id = $1").bind(user)).await?;
        for (kind, most) in limits {
            let statement = sql("INSERT INTO user_limits (user_id, kind, most) VALUES ($1, $2, $3)");
            tx.run(statement.bind(user).bind(*kind).bind(*most)).await?;
        }
        tx.commit().await
    }

    /// Users who are not just users: their role, by id.
    pub async fn special_roles(&self) -> Result<Vec<(String, String)>, DirectoryError> {
        let rows = self.db.all(sql("SELECT id, role FROM users WHERE role <> 'user'")).await?;
        rows.iter().map(|row| Ok((row.text("id")?, row.text("role")?))).collect()
    }

    /// What was used on a day: user, kind, how much.
    pub async fn used(&self, day: u64) -> Result<Vec<(String, String, u64)>, DirectoryError> {
        let rows = self.db.all(sql("SELECT user_id, kind, used FROM used WHERE day = $1").bind(day)).await?;
        rows.iter().map(|row| Ok((row.text("user_id")?, row.text("kind")?, row.count("used")?))).collect()
    }

    /// Keeps what was used, all or nothing, and forgets the days before `day`.
    pub async fn keep_used(&self, used: &[Used], day: u64) -> Result<(), DirectoryError> {
        let mut tx = self.db.begin().await?;
        for Used { user_id, kind, day, used } in used {
            let statement = sql("INSERT INTO used (user_id, kind, day, used) VALUES ($1, $2, $3, $4) \
                 ON CONFLICT (user_id, kind) DO UPDATE SET day = excluded.day, used = excluded.used");
            tx.run(statement.bind(user_id).bind(*kind).bind(*day).bind(*used)).await?;
        }
        tx.run(sql("DELETE FROM used WHERE day < $1").bind(day)).await?;
        tx.commit().await
    }
}
