//! The table of devices: where an account is signed in, and which refresh token is the current one.

use super::Directory;
use super::sql::{DirectoryError, Row, sql};
use super::users::UserState;

/// A sign-in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// Its id, also in tokens.
    pub id: String,
    /// Whose.
    pub user_id: String,
    /// What it said of itself.
    pub agent: String,
    /// Where it signed in from.
    pub address: String,
    /// Milliseconds since 1970.
    pub created_ms: u64,
    /// When its token was last refreshed, milliseconds since 1970.
    pub used_ms: u64,
    /// When it must sign in again, milliseconds since 1970.
    pub expires_ms: u64,
    /// Which refresh token is the current one.
    pub rotation: u64,
    /// When it became so, milliseconds since 1970.
    pub rotated_ms: u64,
    /// When it was signed out, milliseconds since 1970; 0: it is signed in.
    pub revoked_ms: u64,
}

impl Device {
    fn of(row: &Row) -> Result<Self, DirectoryError> {
        Ok(Self {
            id: row.text("id")?,
            user_id: row.text("user_id")?,
            agent: row.text("agent")?,
            address: row.text("address")?,
            created_ms: row.count("created_ms")?,
            used_ms: row.count("used_ms")?,
            expires_ms: row.count("expires_ms")?,
            rotation: row.count("rotation")?,
            rotated_ms: row.count("rotated_ms")?,
            revoked_ms: row.count("revoked_ms")?,
        })
    }
}

impl Directory {
    /// A device by id.
    pub async fn device(&self, id: &str) -> Result<Option<Device>, DirectoryError> {
        let row = self.db.one(sql("SELECT * FROM devices WHERE id = $1").bind(id)).await?;
        row.as_ref().map(Device::of).transpose()
    }

    /// Adds a sign-in of somebody who proved this password, if it still is theirs and they may come in. Returns whether.
    pub async fn add_device(&self, device: &Device, password: Option<&str>) -> Result<bool, DirectoryError> {
        let mut tx = self.db.begin().await?;
        // Whoever changes a user holds this too and then ends the sign-ins there are: this one is among them, or refused.
        tx.lock("users").await?;
        let user = tx.one(sql("SELECT password, state FROM users WHERE id = $1").bind(&device.user_id)).await?;
        let user = user.ok_or(DirectoryError::Missing)?;
        if user.maybe_text("password")?.as_deref() != password || user.text("state")? != UserState::Active.name() {
            return Ok(false);
        }
        let statement = sql("INSERT INTO devices (id, user_id, agent, address, created_ms, used_ms, expires_ms, \
             rotation, rotated_ms, revoked_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)")
        .bind(&device.id)
        .bind(&device.user_id)
        .bind(&device.agent)
        .bind(&device.address)
        .bind(device.created_ms)
        .bind(device.used_ms)
        .bind(device.expires_ms)
        .bind(device.rotation)
        .bind(device.rotated_ms)
        .bind(device.revoked_ms);
        tx.run(statement).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Makes the next rotation the current one, if `rotation` still is and the device is signed in. Returns whether it
    /// was: of several at once it is for one.
    pub async fn rotate(&self, id: &str, rotation: u64, now_ms: u64, expires_ms: u64) -> Result<bool, DirectoryError> {
        let statement = sql("UPDATE devices SET rotation = rotation + 1, rotated_ms = $3, used_ms = $3, \
             expires_ms = $4 WHERE id = $1 AND rotation = $2 AND revoked_ms = 0")
        .bind(id)
        .bind(rotation)
        .bind(now_ms)
        .bind(expires_ms);
        Ok(self.db.run(statement).await? == 1)
    }

    /// Where somebody is signed in now, the most recently used first.
    pub async fn devices(&self, user: &str, now_ms: u64) -> Result<Vec<Device>, DirectoryError> {
        let statement = sql("SELECT * FROM devices WHERE user_id = $1 AND revoked_ms = 0 AND expires_ms > $2 \
             ORDER BY used_ms DESC, id")
        .bind(user)
        .bind(now_ms);
        self.db.all(statement).await?.iter().map(Device::of).collect()
    }

    /// Signs a device of somebody out. Returns whether it was signed in.
    pub async fn revoke_device(&self, user: &str, id: &str, now_ms: u64) -> Result<bool, DirectoryError> {
        let statement = sql("UPDATE devices SET revoked_ms = $3 WHERE id = $1 AND user_id = $2 AND revoked_ms = 0")
            .bind(id)
            .bind(user)
            .bind(now_ms);
        Ok(self.db.run(statement).await? == 1)
    }

    /// Signs all of somebody's devices out, but for one. Returns which.
    pub async fn revoke_devices(
        &self,
        user: &str,
        but: Option<&str>,
        now_ms: u64,
    ) -> Result<Vec<String>, DirectoryError> {
        let mut tx = self.db.begin().await?;
        // In one statement, so that a sign-in beside it is either ended and told, or neither.
        let statement = sql("UPDATE devices SET revoked_ms = $3 WHERE user_id = $1 AND id <> $2 AND revoked_ms = 0 \
             RETURNING id")
        .bind(user)
        .bind(but.unwrap_or_default())
        .bind(now_ms);
        let ids = tx.all(statement).await?.iter().map(|row| row.text("id")).collect::<Result<_, _>>()?;
        tx.commit().await?;
        Ok(ids)
    }

    /// Forgets devices that were signed out or expired before `before_ms`.
    pub async fn trim_devices(&self, before_ms: u64) -> Result<u64, DirectoryError> {
        let statement =
            sql("DELETE FROM devices WHERE expires_ms < $1 OR (revoked_ms > 0 AND revoked_ms < $1)").bind(before_ms);
        self.db.run(statement).await
    }

    /// Devices that were signed out after `since_ms` and users who may not come in: what must be refused although its
    /// token still holds.
    pub async fn revocations(
        &self,
        since_ms: u64,
    ) -> Result<(Vec<(String, u64)>, Vec<(String, UserState)>), DirectoryError> {
        let devices =
            self.db.all(sql("SELECT id, revoked_ms FROM devices WHERE revoked_ms > $1").bind(since_ms)).await?;
        let users = self.db.all(sql("SELECT id, state FROM users WHERE state <> 'active'")).await?;
        let devices = devices.iter().map(|row| Ok((row.text("id")?, row.count("revoked_ms")?)));
        let devices = devices.collect::<Result<_, DirectoryError>>()?;
        let users = users.iter().map(|row| Ok((row.text("id")?, UserState::of(&row.text("state")?))));
        let users = users.collect::<Result<_, DirectoryError>>()?;
        Ok((devices, users))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::{DirectoryConfig, Role, User};

    fn device(id: &str) -> Device {
        let (agent, address) = (String::new(), String::new());
        let (user_id, id) = ("acc-a".to_owned(), id.to_owned());
        let (created_ms, used_ms, expires_ms, rotation, rotated_ms, revoked_ms) = (1, 1, 9, 1, 1, 0);
        Device { id, user_id, agent, address, created_ms, used_ms, expires_ms, rotation, rotated_ms, revoked_ms }
    }

    #[tokio::test]
    async fn a_sign_in_with_a_password_that_was_changed_meanwhile_is_none() {
        let data = tempfile::tempdir().unwrap();
        let directory = Directory::open(&DirectoryConfig::default(), data.path()).await.unwrap();
        let user = User {
            id: "acc-a".into(),
            login: Some("a".into()),
            name: "A".into(),
            email: None,
            about: String::new(),
            avatar: None,
            password: Some("old".into()),
            role: Role::User,
            state: UserState::Active,
            origin: "account".into(),
            created_ms: 1,
            seen_ms: 0,
        };
        directory.add_user(&user).await.unwrap();
        assert!(directory.add_device(&device("one"), Some("old")).await.unwrap());
        let set = |state, password: &str| {
            let password = password.to_owned();
            move |user: &mut User, _| {
                (user.state, user.password) = (state, Some(password));
                Ok::<_, DirectoryError>(())
            }
        };
        directory.change_user("acc-a", 2, set(UserState::Active, "new")).await.unwrap();
        assert!(!directory.add_device(&device("two"), Some("old")).await.unwrap());
        assert!(directory.add_device(&device("three"), Some("new")).await.unwrap());
        directory.change_user("acc-a", 3, set(UserState::Blocked, "new")).await.unwrap();
        assert!(!directory.add_device(&device("four"), Some("new")).await.unwrap());
        let ids: Vec<_> = directory.devices("acc-a", 2).await.unwrap().into_iter().map(|device| device.id).collect();
        assert_eq!(ids, ["one", "three"]);
    }
}
