//! Finding people, and what one may know of them.
//!
//! Owns the one rule of who sees whether somebody is online and when they last were: friends, and the other one of a direct
//! dialog, wherever they look; members of the same dialog in the list of its members. Nobody else, and nobody whom they
//! have blocked. To friends and in direct dialogs it is told live; in a dialog of many its room's presence tells it.
//! Presence in a room is the core's: it tells everybody who reads there who has it open, whoever blocked whom.
//!
//! Invariant: nobody learns an e-mail address, nor whether somebody who blocked them is there.

use std::collections::HashSet;

use konvert_protocol::ErrorCode;
use serde::Deserialize;
use utoipa::IntoParams;

use super::dialogs::user_id;
use super::page::{self, List, Page};
use super::view::PersonView;
use super::{Caller, Service, ServiceError};
use crate::directory::{DirectoryError, Person, UserState};

/// Shortest and longest text to look for, characters and bytes; most words in it.
const QUERY_CHARS_MIN: usize = 2;
const QUERY_BYTES_MAX: usize = 128;
const WORDS_MAX: usize = 8;

/// Who is looked for.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PeopleQuery {
    /// Beginnings of the login or of words of the name, all of which must be there; 2 characters or more.
    pub query: String,
    /// `next` of the page before.
    pub cursor: Option<String>,
    /// Most on this page, 1 to 100; absent: 50.
    pub limit: Option<u32>,
}

/// Where people look at each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Within {
    /// In a dialog that both are members of.
    Dialog,
    /// Anywhere else.
    Server,
}

/// Who may see of whom whether they are there. Nobody of anybody, by default.
#[derive(Debug, Default)]
pub(super) struct Shown(HashSet<(String, String)>);

impl Shown {
    pub fn has(&self, person: &str, viewer: &str) -> bool {
        self.0.contains(&(person.to_owned(), viewer.to_owned()))
    }
}

impl Service {
    /// One page of people by login or name.
    ///
    /// # Errors
    /// `bad_request` when the text is too short or too long.
    pub async fn find_people(&self, caller: &Caller, query: PeopleQuery) -> Result<Page<PersonView>, ServiceError> {
        let text = query.query.trim().to_lowercase();
        let words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
        let is_bad = text.chars().count() < QUERY_CHARS_MIN
            || text.len() > QUERY_BYTES_MAX
            || words.len() > WORDS_MAX
            || text.chars().any(char::is_control);
        if is_bad {
            return Err(ServiceError::bad(format!(
                "`query` has {QUERY_CHARS_MIN} characters or more, at most {QUERY_BYTES_MAX} bytes and {WORDS_MAX} words."
            )));
        }
        let limit = page::limit(query.limit)?;
        let name = format!("users {text}");
        let list = List { name: &name, caller: &caller.identity.user };
        let after: Option<(String, String)> = list.after(query.cursor.as_deref())?;
        let people = self.directory.find_people(&caller.identity.user, &words, after, limit + 1).await?;
        let page = Page::cut(people, limit, list, |last| (last.search.clone(), last.id.clone()));
        let shown = self.shown_to(caller, page.items.iter()).await?;
        Ok(page.map(|person| self.person_view(&person, &caller.identity.user, &shown)))
    }

    /// What one may know of somebody.
    ///
    /// # Errors
    /// `not_found`.
    pub async fn person(&self, caller: &Caller, id: &str) -> Result<PersonView, ServiceError> {
        let person = self.directory.people(&[user_id(id)?]).await?.pop();
        let person = person.filter(|person| person.state != UserState::Deleted).ok_or(ErrorCode::NotFound)?;
        let shown = self.shown_to(caller, [&person].into_iter()).await?;
        Ok(self.person_view(&person, &caller.identity.user, &shown))
    }

    /// Which of these people the caller may see to be there, outside of dialogs.
    async fn shown_to(&self, caller: &Caller, people: impl Iterator<Item = &Person>) -> Result<Shown, DirectoryError> {
        let pairs: Vec<_> = people.map(|person| (person.id.as_str(), &*caller.identity.user)).collect();
        self.shown(Within::Server, &pairs).await
    }

    /// In which of these pairs, somebody and who looks at them, the latter may know whether the former is there and when
    /// they last were. The rule is at the head of the file.
    pub(super) async fn shown(&self, within: Within, pairs: &[(&str, &str)]) -> Result<Shown, DirectoryError> {
        let own = pairs.iter().filter(|(person, viewer)| person == viewer);
        let mut shown: HashSet<_> = match within {
            Within::Dialog => owned(pairs.iter()).collect(),
            Within::Server => {
                let viewed: Vec<_> = pairs.iter().map(|(person, viewer)| (*viewer, *person)).collect();
                let (friends, partners) =
                    tokio::try_join!(self.directory.friends(&viewed), self.directory.partners(pairs))?;
                let friends = friends.into_iter().map(|(viewer, person)| (person, viewer));
                friends.chain(partners).chain(owned(own)).collect()
            }
        };
        for pair in self.directory.blocks(pairs).await? {
            shown.remove(&pair);
        }
        Ok(Shown(shown))
    }
}

fn owned<'a>(pairs: impl Iterator<Item = &'a (&'a str, &'a str)>) -> impl Iterator<Item = (String, String)> {
    pairs.map(|(person, viewer)| ((*person).to_owned(), (*viewer).to_owned()))
}
