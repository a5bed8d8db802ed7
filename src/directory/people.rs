//! What others may see of users. The table's own questions are in `users.rs`.

use super::Directory;
use super::sql::{DirectoryError, Row, assembled, places};
use super::users::UserState;
use super::words::beginning;

/// Users asked for by one statement.
const IDS: usize = 200;

/// What others may see of somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The user id.
    pub id: String,
    /// How they want to be shown.
    pub name: String,
    /// What they tell of themselves.
    pub about: String,
    /// A blob.
    pub avatar: Option<String>,
    /// When they were last connected, milliseconds since 1970; 0: never.
    pub seen_ms: u64,
    /// Whether they may come in.
    pub state: UserState,
    /// What they are found by.
    pub search: String,
}

const COLUMNS: &str = "u.id, u.name, u.about, u.avatar, u.seen_ms, u.state, u.search";

impl Person {
    pub(super) fn of(row: &Row) -> Result<Self, DirectoryError> {
        Ok(Self {
            id: row.text("id")?,
            name: row.text("name")?,
            about: row.text("about")?,
            avatar: row.maybe_text("avatar")?,
            seen_ms: row.count("seen_ms")?,
            state: UserState::of(&row.text("state")?),
            search: row.text("search")?,
        })
    }
}

impl Directory {
    /// Those of these users that there are, in any order.
    pub async fn people(&self, ids: &[&str]) -> Result<Vec<Person>, DirectoryError> {
        let mut people = Vec::with_capacity(ids.len());
        for ids in ids.chunks(IDS) {
            let text = format!("SELECT {COLUMNS} FROM users u WHERE u.id IN ({})", places(1, ids.len()));
            for row in self.db.all(assembled(text).bind_all(ids.iter().copied())).await? {
                people.push(Person::of(&row)?);
            }
        }
        Ok(people)
    }

    /// Up to `limit` users whose login or a word of whose name begins with each of `words`, which are in lower case;
    /// without the asker, without whoever blocked them, behind `after`: what they are found by, and the id.
    pub async fn find_people(
        &self,
        asker: &str,
        words: &[String],
        after: Option<(String, String)>,
        limit: usize,
    ) -> Result<Vec<Person>, DirectoryError> {
        let (text, values) = finding(asker, words, after, limit);
        self.db.all(assembled(text).bind_all(values)).await?.iter().map(Person::of).collect()
    }
}

/// See [`Directory::find_people`].
pub(super) fn finding(
    asker: &str,
    words: &[String],
    after: Option<(String, String)>,
    limit: usize,
) -> (String, Vec<String>) {
    let mut text = format!(
        "SELECT {COLUMNS} FROM users u WHERE u.state = 'active' AND u.origin <> 'guest' AND u.id <> $1 AND NOT EXISTS \
         (SELECT 1 FROM contacts c WHERE c.user_id = u.id AND c.other_id = $1 AND c.state = 'blocked')"
    );
    let mut values = vec![asker.to_owned()];
    for word in words {
        let number = values.len() + 1;
        text.push_str(&format!(
            " AND u.id IN (SELECT user_id FROM user_words WHERE word >= ${number} AND word < ${})",
            number + 1
        ));
        values.extend(beginning(word));
    }
    if let Some((search, id)) = after {
        let number = values.len() + 1;
        text.push_str(&format!(" AND (u.search > ${number} OR (u.search = ${number} AND u.id > ${}))", number + 1));
        values.extend([search, id]);
    }
    text.push_str(&format!(" ORDER BY u.search, u.id LIMIT {limit}"));
    (text, values)
}

/// A text inside a pattern of LIKE.
pub(super) fn like(text: &str) -> String {
    text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")
}
