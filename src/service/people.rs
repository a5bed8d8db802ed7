//! Finding people, and what one may know of them.
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
use crate::directory::{Person, UserState};

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
        Ok(page.map(|person| self.person_view(&person, true)))
    }

    /// What one may know of somebody.
    ///
    /// # Errors
    /// `not_found`.
    pub async fn person(&self, caller: &Caller, id: &str) -> Result<PersonView, ServiceError> {
        let person = self.directory.people(&[user_id(id)?]).await?.pop();
        let person = person.filter(|person| person.state != UserState::Deleted).ok_or(ErrorCode::NotFound)?;
        let hidden = self.hidden_from(caller, [&person].into_iter()).await?;
        Ok(self.person_view(&person, !hidden.contains(id)))
    }

    /// Those of these people who have blocked the caller.
    pub(super) async fn hidden_from(
        &self,
        caller: &Caller,
        people: impl Iterator<Item = &Person>,
    ) -> Result<HashSet<String>, ServiceError> {
        let pairs: Vec<_> = people.map(|person| (person.id.as_str(), &*caller.identity.user)).collect();
        Ok(self.directory.blocks(&pairs).await?.into_iter().map(|(user, _)| user).collect())
    }
}
