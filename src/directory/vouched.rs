//! Users in the table of users whom programs vouch for.

use super::Directory;
use super::sql::{DirectoryError, sql};
use super::users::User;

impl Directory {
    /// Adds somebody whom a program vouches for, or changes their name and what is told of them; whether that could be:
    /// not if the id is that of an account, a guest or a deleted user.
    pub async fn vouch(&self, user: &User) -> Result<bool, DirectoryError> {
        let statement =
            sql("INSERT INTO users (id, name, search, about, role, state, origin, created_ms, changed_ms, \
             seen_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8, 0) \
             ON CONFLICT (id) DO UPDATE SET name = excluded.name, search = excluded.search, about = excluded.about, \
             origin = excluded.origin, changed_ms = excluded.changed_ms \
             WHERE users.origin NOT IN ('account', 'guest') AND users.state <> 'deleted'")
            .bind(&user.id)
            .bind(&user.name)
            .bind(user.search())
            .bind(&user.about)
            .bind(user.role.name())
            .bind(user.state.name())
            .bind(&user.origin)
            .bind(user.created_ms);
        Ok(self.db.run(statement).await? > 0)
    }
}
