//! The table of contacts: who knows whom, each side's view in a row of its own.

use std::collections::HashSet;

use super::Directory;
use super::followed::repeated;
use super::sql::{DirectoryError, Row, Tx, assembled, places, sql};

/// What somebody is to somebody else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ContactState {
    /// Asked, and not answered yet.
    Sent,
    /// Was asked by them.
    Received,
    /// Both agreed.
    Friend,
    /// Wants nothing of them.
    Blocked,
}

/// One side's view.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Contact {
    /// Of whom.
    pub other_id: String,
    /// What they are.
    pub state: ContactState,
    /// Since when, milliseconds since 1970.
    pub since_ms: u64,
}

/// Both sides' views of one pair.
pub type Sides = (Option<ContactState>, Option<ContactState>);

impl ContactState {
    /// Its name in the table and in answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Received => "received",
            Self::Friend => "friend",
            Self::Blocked => "blocked",
        }
    }

    fn of(name: &str) -> Self {
        match name {
            "sent" => Self::Sent,
            "received" => Self::Received,
            "friend" => Self::Friend,
            _ => Self::Blocked,
        }
    }
}

impl Contact {
    fn of(row: &Row) -> Result<Self, DirectoryError> {
        Ok(Self {
            other_id: row.text("other_id")?,
            state: ContactState::of(&row.text("state")?),
            since_ms: row.count("since_ms")?,
        })
    }
}

/// Pairs that are asked for at once, and the condition that a row is one of them.
const PAIRS: usize = 200;
const PAIR: &str = "user_id = ? AND other_id = ?";

impl Directory {
    /// Up to `limit` contacts of somebody, of one state or of any, behind a user id.
    pub async fn contacts(
        &self,
        user: &str,
        state: Option<ContactState>,
        after: &str,
        limit: usize,
    ) -> Result<Vec<Contact>, DirectoryError> {
        let statement = sql("SELECT other_id, state, since_ms FROM contacts \
             WHERE user_id = $1 AND other_id > $2 AND ($3 = '' OR state = $3) ORDER BY other_id LIMIT $4")
        .bind(user)
        .bind(after)
        .bind(state.map_or("", ContactState::name))
        .bind(limit as u64);
        self.db.all(statement).await?.iter().map(Contact::of).collect()
    }

    /// What somebody is to `user`, if anything.
    pub async fn contact(&self, user: &str, other: &str) -> Result<Option<Contact>, DirectoryError> {
        let statement = sql("SELECT other_id, state, since_ms FROM contacts WHERE user_id = $1 AND other_id = $2");
        let row = self.db.one(statement.bind(user).bind(other)).await?;
        row.as_ref().map(Contact::of).transpose()
    }

    /// Those who have one of these users among their contacts, and what that one is to them, friends first; at most `limit`
    /// of all together.
    pub async fn contacts_to(&self, users: &[&str], limit: usize) -> Result<Vec<(String, Contact)>, DirectoryError> {
        const USERS: usize = 200;
        let mut contacts = Vec::new();
        // Asked for one after the other: to sort all that a popular user has would cost more than the limit allows.
        for is_friend in ["=", "<>"] {
            for users in users.chunks(USERS) {
                let left = limit - contacts.len();
                if left == 0 {
                    return Ok(contacts);
                }
                let text = format!(
                    "SELECT user_id, other_id, state, since_ms FROM contacts \
                     WHERE other_id IN ({}) AND state {is_friend} 'friend' LIMIT {left}",
                    places(1, users.len())
                );
                for row in self.db.all(assembled(text).bind_all(users.iter().copied())).await? {
                    contacts.push((row.text("user_id")?, Contact::of(&row)?));
                }
            }
        }
        Ok(contacts)
    }

    /// Of these pairs, somebody and who may be a contact of theirs, those who are one.
    pub async fn contacts_between(&self, pairs: &[(&str, &str)]) -> Result<HashSet<(String, Contact)>, DirectoryError> {
        let mut found = HashSet::new();
        for pairs in pairs.chunks(PAIRS) {
            let any = repeated(PAIR, pairs.len());
            let text = format!("SELECT user_id, other_id, state, since_ms FROM contacts WHERE {any}");
            let statement = assembled(text).bind_all(pairs.iter().flat_map(|(user, other)| [*user, *other]));
            for row in self.db.all(statement).await? {
                found.insert((row.text("user_id")?, Contact::of(&row)?));
            }
        }
        Ok(found)
    }

    /// Those of these pairs in which the first has blocked the second.
    pub async fn blocks(&self, pairs: &[(&str, &str)]) -> Result<HashSet<(String, String)>, DirectoryError> {
        self.pairs_in(pairs, ContactState::Blocked).await
    }

    /// Those of these pairs in which the second is a friend of the first, as far as the first knows.
    pub async fn friends(&self, pairs: &[(&str, &str)]) -> Result<HashSet<(String, String)>, DirectoryError> {
        self.pairs_in(pairs, ContactState::Friend).await
    }

    async fn pairs_in(
        &self,
        pairs: &[(&str, &str)],
        state: ContactState,
    ) -> Result<HashSet<(String, String)>, DirectoryError> {
        let mut found = HashSet::new();
        for pairs in pairs.chunks(PAIRS) {
            let (any, last) = (repeated(PAIR, pairs.len()), pairs.len() * 2 + 1);
            let text = format!("SELECT user_id, other_id FROM contacts WHERE ({any}) AND state = ${last}");
            let statement = assembled(text).bind_all(pairs.iter().flat_map(|(user, other)| [*user, *other]));
            let statement = statement.bind(state.name());
            for row in self.db.all(statement).await? {
                found.insert((row.text("user_id")?, row.text("other_id")?));
            }
        }
        Ok(found)
    }

    /// Changes what two are to each other: `decide` is told how both sides stand, the first user's first, and says how
    /// they shall. No other change of the pair comes between. Returns both, before and after.
    ///
    /// # Errors
    /// What `decide` says; then nothing changed. [`DirectoryError::Missing`] when one of them is not there.
    pub async fn change_contact<E: From<DirectoryError>>(
        &self,
        user: &str,
        other: &str,
        now_ms: u64,
        decide: impl FnOnce(Sides) -> Result<Sides, E> + Send,
    ) -> Result<(Sides, Sides), E> {
        let mut tx = self.db.begin().await?;
        let (low, high) = if user <= other { (user, other) } else { (other, user) };
        tx.lock(&format!("contact {low} {high}")).await?;
        let before = (side(&mut tx, user, other).await?, side(&mut tx, other, user).await?);
        let after = decide(before)?;
        set_side(&mut tx, (user, other), before.0, after.0, now_ms).await?;
        set_side(&mut tx, (other, user), before.1, after.1, now_ms).await?;
        tx.commit().await?;
        Ok((before, after))
    }
}

async fn side(tx: &mut Tx, user: &str, other: &str) -> Result<Option<ContactState>, DirectoryError> {
    let statement = sql("SELECT state FROM contacts WHERE user_id = $1 AND other_id = $2");
    let row = tx.one(statement.bind(user).bind(other)).await?;
    row.map(|row| Ok(ContactState::of(&row.text("state")?))).transpose()
}

async fn set_side(
    tx: &mut Tx,
    (user, other): (&str, &str),
    before: Option<ContactState>,
    after: Option<ContactState>,
    now_ms: u64,
) -> Result<(), DirectoryError> {
    let statement = match after {
        _ if before == after => return Ok(()),
        None => sql("DELETE FROM contacts WHERE user_id = $1 AND other_id = $2").bind(user).bind(other),
        Some(state) => sql("INSERT INTO contacts (user_id, other_id, state, since_ms) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (user_id, other_id) DO UPDATE SET state = excluded.state, since_ms = excluded.since_ms")
        .bind(user)
        .bind(other)
        .bind(state.name())
        .bind(now_ms),
    };
    tx.run(statement).await.map(drop)
}
