//! Users in the table of users whom programs vouch for.

use super::Directory;
use super::sql::{DirectoryError, sql};
use super::users::{User, UserState};
use super::words;

impl Directory {
    /// Adds somebody whom a program vouches for, or changes their name and what is told of them; whether that could be:
    /// not if others vouch for them, or they were deleted.
    pub async fn vouch(&self, user: &User) -> Result<bool, DirectoryError> {
        let statement =
            sql("INSERT INTO users (id, name, search, about, role, state, origin, created_ms, changed_ms, \
             seen_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8, 0) \
             ON CONFLICT (id) DO UPDATE SET name = excluded.name, search = excluded.search, about = excluded.about, \
             changed_ms = excluded.changed_ms WHERE users.origin = excluded.origin AND users.state <> 'deleted'")
            .bind(&user.id)
            .bind(&user.name)
            .bind(user.search())
            .bind(&user.about)
            .bind(user.role.name())
            .bind(user.state.name())
            .bind(&user.origin)
            .bind(user.created_ms);
        let mut tx = self.db.begin().await?;
        let is_theirs = tx.run(statement).await? > 0;
        if is_theirs {
            words::keep(&mut tx, user).await?;
        }
        tx.commit().await?;
        Ok(is_theirs)
    }

    /// Adds somebody whom a program vouches for, if they are not there; whether nobody else vouches for them now.
    pub async fn claim_vouched(&self, user: &User) -> Result<bool, DirectoryError> {
        // Most come again and again, and reading does not wait for the one who writes.
        let known = match self.user(&user.id).await? {
            Some(known) => known,
            None => {
                self.keep_vouched(user, false).await?;
                self.user(&user.id).await?.ok_or(DirectoryError::Missing)?
            }
        };
        Ok(known.origin == user.origin && known.state != UserState::Deleted)
    }
}
