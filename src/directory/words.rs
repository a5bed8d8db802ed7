//! The words that people are found by: a beginning is looked up in an index, however many people there are.
//!
//! Invariant: a user's words are those of their login and name, because they change in the same step.

use super::Directory;
use super::sql::{DirectoryError, Tx, assembled, sql};
use super::users::User;

/// The fact that the words of users from before there were any are in the table.
const FILLED: &str = "user_words";
/// Users whose words are put into the table in one step.
const FILL: u64 = 500;

/// Makes what is in the table for a user who is as this one.
pub(super) async fn keep(tx: &mut Tx, user: &User) -> Result<(), DirectoryError> {
    tx.run(sql("DELETE FROM user_words WHERE user_id = $1").bind(&user.id)).await?;
    add(tx, &user.id, &user.search()).await
}

async fn add(tx: &mut Tx, user: &str, search: &str) -> Result<(), DirectoryError> {
    let words: Vec<_> = search.split_whitespace().map(kept).collect();
    if words.is_empty() {
        return Ok(());
    }
    let rows: Vec<_> = (2..words.len() + 2).map(|number| format!("(${number}, $1)")).collect();
    let text = format!("INSERT INTO user_words (word, user_id) VALUES {} ON CONFLICT DO NOTHING", rows.join(", "));
    tx.run(assembled(text).bind(user).bind_all(words)).await.map(drop)
}

/// A word, or the beginning of one, as it is in the table.
fn kept(word: &str) -> String {
    word.bytes().map(|byte| format!("{byte:02x}")).collect()
}

/// From where on words begin so, and where those end.
pub(super) fn beginning(word: &str) -> [String; 2] {
    let from = kept(word);
    // Behind every digit.
    let until = format!("{from}g");
    [from, until]
}

impl Directory {
    /// Puts the words of users into the table who were there before it was. Broken off, it begins again.
    pub(super) async fn fill_words(&self) -> Result<(), DirectoryError> {
        if self.fact(FILLED).await?.is_some() {
            return Ok(());
        }
        let mut after = String::new();
        loop {
            let page = sql("SELECT id, search FROM users WHERE id > $1 ORDER BY id LIMIT $2");
            let users = self.db.all(page.bind(&after).bind(FILL)).await?;
            let Some(last) = users.last() else { break };
            after = last.text("id")?;
            let mut tx = self.db.begin().await?;
            for user in &users {
                add(&mut tx, &user.text("id")?, &user.text("search")?).await?;
            }
            tx.commit().await?;
        }
        self.set_fact(FILLED, "").await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::sql::Db;
    use crate::directory::{DirectoryConfig, Role, UserState};

    fn user(id: &str, login: &str, name: &str) -> User {
        User {
            id: id.into(),
            login: Some(login.into()),
            name: name.into(),
            email: None,
            about: String::new(),
            avatar: None,
            password: None,
            role: Role::User,
            state: UserState::Active,
            origin: "account".into(),
            created_ms: 1,
            seen_ms: 0,
        }
    }

    async fn found(directory: &Directory, query: &str) -> Vec<String> {
        let words: Vec<_> = query.split(' ').map(str::to_owned).collect();
        let people = directory.find_people("me", &words, None, 10).await.unwrap();
        people.into_iter().map(|person| person.id).collect()
    }

    #[tokio::test]
    async fn people_are_found_by_beginnings_of_words_in_any_order() {
        let data = tempfile::tempdir().unwrap();
        let directory = Directory::open(&DirectoryConfig::default(), data.path()).await.unwrap();
        for (id, login, name) in
            [("a", "anna", "Anna Öztürk"), ("b", "ann_b", "100% Bob  Annan"), ("c", "carl", "Joanna")]
        {
            directory.add_user(&user(id, login, name)).await.unwrap();
        }
        for (query, ids) in [
            ("ann", vec!["b", "a"]),
            ("anna", vec!["b", "a"]),
            ("ann_", vec!["b"]),
            ("ö", vec!["a"]),
            ("özt an", vec!["a"]),
            ("annan bo", vec!["b"]),
            ("100%", vec!["b"]),
            ("%", vec![]),
            ("oanna", vec![]),
        ] {
            assert_eq!(found(&directory, query).await, ids, "{query}");
        }
        let rename = |user: &mut User, _| {
            user.name = "Zoe".into();
            Ok::<_, DirectoryError>(())
        };
        directory.change_user("a", 2, rename).await.unwrap();
        assert_eq!((found(&directory, "özt").await.len(), found(&directory, "zo").await), (0, vec!["a".to_owned()]));
        let erase = |user: &mut User, _| {
            (user.login, user.name, user.state) = (None, String::new(), UserState::Deleted);
            Ok::<_, DirectoryError>(())
        };
        directory.change_user("a", 3, erase).await.unwrap();
        let left = directory.db.all(sql("SELECT word FROM user_words WHERE user_id = 'a'")).await.unwrap();
        assert!(left.is_empty(), "a deleted name is nowhere");

        // As after an upgrade: the table is empty.
        directory.db.run(sql("DELETE FROM user_words")).await.unwrap();
        directory.db.run(sql("DELETE FROM facts")).await.unwrap();
        directory.fill_words().await.unwrap();
        assert_eq!(found(&directory, "ann").await, ["b"]);
    }

    #[tokio::test]
    async fn a_search_does_not_look_at_everybody() {
        let data = tempfile::tempdir().unwrap();
        let directory = Directory::open(&DirectoryConfig::default(), data.path()).await.unwrap();
        assert!(matches!(directory.db, Db::Sqlite { .. }));
        let (text, values) = crate::directory::people::finding("me", &["an".to_owned(), "b".to_owned()], None, 10);
        let plan = assembled(format!("EXPLAIN QUERY PLAN {text}")).bind_all(values);
        let steps: Vec<_> =
            directory.db.all(plan).await.unwrap().iter().map(|row| row.text("detail").unwrap()).collect();
        assert!(!steps.iter().any(|step| step.starts_with("SCAN")), "{steps:#?}");
        assert!(steps.iter().any(|step| step.contains("word>? AND word<?")), "{steps:#?}");
    }
}
