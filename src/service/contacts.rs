//! Contacts: asking, agreeing, refusing, blocking.
//!
//! Owns what two people may be to each other and how that changes. Invariants: friendship is mutual. Whoever is blocked
//! sees nothing of it: for them everything stays as it was, and what they ask for looks sent. In a direct dialog neither
//! writes while one has blocked the other. When the block ends, things are as the other one still sees them.

use std::collections::{HashMap, HashSet};

use konvert_protocol::ErrorCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::dialogs::{no_such_user, user_id};
use super::live::segment;
use super::page::{self, List, Page};
use super::people::{Shown, Within};
use super::view::PersonView;
use super::{Caller, Service, ServiceError};
use crate::directory::{Contact, ContactState, Person, Sides, UserState};

/// Contacts that are looked at again at once, before they are told.
const AGAIN: usize = 200;

/// Somebody one knows, in one way or another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ContactView {
    /// Who.
    pub user: PersonView,
    /// What they are to one.
    pub state: ContactState,
    /// Since when, milliseconds since 1970.
    pub since_ms: u64,
}

/// Which contacts are wanted.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ContactsQuery {
    /// Only those of this state.
    #[param(inline)]
    pub state: Option<ContactState>,
    /// `next` of the page before.
    pub cursor: Option<String>,
    /// Most on this page, 1 to 100; absent: 50.
    pub limit: Option<u32>,
}

/// What somebody wants of somebody else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContactAct {
    /// To be friends.
    Request,
    /// To agree to that.
    Accept,
    /// Not to.
    Decline,
    /// To take the request back.
    Cancel,
    /// To be friends no more.
    Remove,
    /// Nothing at all.
    Block,
    /// That no more.
    Unblock,
}

impl Service {
    /// One page of the caller's contacts, by user id.
    ///
    /// # Errors
    /// `bad_request`.
    pub async fn contacts(&self, caller: &Caller, query: ContactsQuery) -> Result<Page<ContactView>, ServiceError> {
        let me = &*caller.identity.user;
        let limit = page::limit(query.limit)?;
        let name = format!("contacts {:?}", query.state);
        let list = List { name: &name, caller: me };
        let after: Option<String> = list.after(query.cursor.as_deref())?;
        let contacts =
            self.directory.contacts(me, query.state, after.as_deref().unwrap_or_default(), limit + 1).await?;
        let page = Page::cut(contacts, limit, list, |last| last.other_id.clone());
        let ids: Vec<&str> = page.items.iter().map(|contact| &*contact.other_id).collect();
        let people = self.directory.people(&ids).await?;
        let pairs: Vec<_> = ids.iter().map(|other| (*other, me)).collect();
        let shown = self.shown(Within::Server, &pairs).await?;
        let view = |contact: &Contact| {
            let person = people.iter().find(|person| person.id == contact.other_id)?;
            Some(self.contact_view(me, contact, person, &shown))
        };
        Ok(Page { items: page.items.iter().filter_map(view).collect(), next: page.next })
    }

    /// One contact.
    ///
    /// # Errors
    /// `not_found` when they are none.
    pub async fn contact(&self, caller: &Caller, user: &str) -> Result<ContactView, ServiceError> {
        self.contact_of(&caller.identity.user, user_id(user)?).await
    }

    pub(super) async fn contact_of(&self, me: &str, other: &str) -> Result<ContactView, ServiceError> {
        let person = self.directory.people(&[other]).await?.pop().ok_or(ErrorCode::NotFound)?;
        let shown = self.shown(Within::Server, &[(other, me)]).await?;
        // Last: this is told too, and must not come behind what is newer.
        let contact = self.directory.contact(me, other).await?.ok_or(ErrorCode::NotFound)?;
        Ok(self.contact_view(me, &contact, &person, &shown))
    }

    fn contact_view(&self, me: &str, contact: &Contact, person: &Person, shown: &Shown) -> ContactView {
        ContactView { user: self.person_view(person, me, shown), state: contact.state, since_ms: contact.since_ms }
    }

    /// Does something to a contact; what they are to the caller afterwards, `None` when nothing.
    ///
    /// # Errors
    /// `not_found` when there is no such user, or nothing to accept, decline, cancel or remove; `not_possible` when the
    /// caller has blocked them.
    pub async fn act(&self, caller: &Caller, user: &str, act: ContactAct) -> Result<Option<ContactView>, ServiceError> {
        let me = &*caller.identity.user;
        let person = self.directory.people(&[user_id(user)?]).await?.pop();
        let is_there = person.is_some_and(|person| person.state != UserState::Deleted);
        if !is_there || user == me {
            return Err(no_such_user());
        }
        let change = self.directory.change_contact(me, user, (self.now_ms)(), |sides| decide(act, sides));
        let (before, after) = change.await?;
        if (before.0 == Some(ContactState::Blocked)) != (after.0 == Some(ContactState::Blocked)) {
            self.block_changed(me, user).await?;
        }
        for (whose, other, before, after) in [(me, user, before.0, after.0), (user, me, before.1, after.1)] {
            if before != after {
                self.tell_contact(whose, other).await;
            }
        }
        match after.0 {
            Some(_) => self.contact_of(me, user).await.map(Some),
            None => Ok(None),
        }
    }

    /// The direct dialog of two may be written in no more, or again.
    async fn block_changed(&self, a: &str, b: &str) -> Result<(), ServiceError> {
        if let Some(dialog) = self.directory.dialog_of(a, b).await? {
            self.reread(&dialog.id).await;
            self.access_changed(&dialog.id, [a, b]);
        }
        Ok(())
    }

    /// Tells those who have one of these among their contacts how that one looks now, friends first; up to `contacts_max`
    /// contacts are looked at. Of `presence` those alone are told who may know it.
    pub(super) async fn tell_contacts(
        &self,
        users: &[&str],
        presence: bool,
        contacts_max: usize,
    ) -> Result<(), ServiceError> {
        let mut contacts = self.directory.contacts_to(users, contacts_max).await?;
        contacts.retain(|(whose, _)| self.broker.is_watching(whose));
        let ids: HashSet<&str> = contacts.iter().map(|(_, contact)| &*contact.other_id).collect();
        let ids: Vec<&str> = ids.into_iter().collect();
        let pairs: Vec<_> = contacts.iter().map(|(whose, contact)| (&*contact.other_id, &**whose)).collect();
        let (people, shown) = tokio::try_join!(self.directory.people(&ids), self.shown(Within::Server, &pairs))?;
        let people: HashMap<_, _> = people.iter().map(|person| (&*person.id, person)).collect();
        for some in contacts.chunks(AGAIN) {
            let pairs: Vec<_> = some.iter().map(|(whose, contact)| (&**whose, &*contact.other_id)).collect();
            // What is not the same any more is told by whoever changed it.
            let now = self.directory.contacts_between(&pairs).await?;
            for (whose, contact) in some.iter().filter(|contact| now.contains(*contact)) {
                let Some(person) = people.get(&*contact.other_id) else { continue };
                if !presence || shown.has(&contact.other_id, whose) {
                    let view = self.contact_view(whose, contact, person, &shown);
                    self.tell(whose, contact_path(&contact.other_id), &view);
                }
            }
        }
        Ok(())
    }

    /// Tells somebody what somebody else is to them now.
    async fn tell_contact(&self, whose: &str, other: &str) {
        if !self.broker.is_watching(whose) {
            return;
        }
        let path = contact_path(other);
        match self.contact_of(whose, other).await {
            Ok(view) => self.tell(whose, path, &view),
            Err(error) if error.code == ErrorCode::NotFound => self.tell_gone(whose, path),
            Err(error) => tracing::debug!(%error, "a change of a contact was not told"),
        }
    }
}

/// Where a contact is asked for.
pub(super) fn contact_path(other: &str) -> String {
    format!("/api/contacts/{}", segment(other))
}

/// How both sides stand afterwards; the first is that of the one who acts.
fn decide(act: ContactAct, (mine, theirs): Sides) -> Result<Sides, ServiceError> {
    use ContactAct as Act;
    use ContactState::{Blocked, Friend, Received, Sent};
    let nothing = || Err(ErrorCode::NotFound.into());
    // What the other one sees when a request or friendship ends: whoever blocked sees that, and only that.
    let ended = if theirs == Some(Blocked) { theirs } else { None };
    match (act, mine) {
        (Act::Block, Some(Blocked)) => Ok((mine, theirs)),
        // A request of one's own goes with it, so that it cannot be accepted any more.
        (Act::Block, _) => Ok((Some(Blocked), theirs.filter(|state| *state != Received))),
        (Act::Unblock, Some(Blocked)) => match theirs {
            Some(Sent) => Ok((Some(Received), theirs)),
            Some(Friend) => Ok((Some(Friend), theirs)),
            _ => Ok((None, theirs)),
        },
        (Act::Unblock, _) => nothing(),
        (_, Some(Blocked)) => {
            let why = "You have blocked this user; take that back first.";
            Err(ServiceError::because(ErrorCode::NotPossible, why))
        }
        (Act::Request, Some(Friend | Sent)) => Ok((mine, theirs)),
        (Act::Request | Act::Accept, Some(Received)) => Ok((Some(Friend), Some(Friend))),
        (Act::Request, None) if theirs == Some(Blocked) => Ok((Some(Sent), theirs)),
        (Act::Request, None) => Ok((Some(Sent), Some(Received))),
        (Act::Accept, Some(Friend)) => Ok((mine, theirs)),
        (Act::Decline, Some(Received)) | (Act::Cancel, Some(Sent)) | (Act::Remove, Some(Friend)) => Ok((None, ended)),
        (Act::Accept | Act::Decline | Act::Cancel | Act::Remove, _) => nothing(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;

    #[test]
    fn what_follows_from_what() {
        use ContactAct as Act;
        use ContactState::{Blocked, Friend, Received, Sent};
        for (act, before, after) in [
            (Act::Request, (None, None), Some((Some(Sent), Some(Received)))),
            (Act::Request, (Some(Sent), Some(Received)), Some((Some(Sent), Some(Received)))),
            (Act::Request, (Some(Received), Some(Sent)), Some((Some(Friend), Some(Friend)))),
            (Act::Request, (None, Some(Blocked)), Some((Some(Sent), Some(Blocked)))),
            (Act::Request, (Some(Blocked), None), None),
            (Act::Accept, (Some(Received), Some(Sent)), Some((Some(Friend), Some(Friend)))),
            (Act::Accept, (Some(Sent), Some(Received)), None),
            (Act::Accept, (None, None), None),
            (Act::Decline, (Some(Received), Some(Sent)), Some((None, None))),
            (Act::Cancel, (Some(Sent), Some(Received)), Some((None, None))),
            (Act::Cancel, (Some(Sent), Some(Blocked)), Some((None, Some(Blocked)))),
            (Act::Remove, (Some(Friend), Some(Friend)), Some((None, None))),
            (Act::Remove, (Some(Friend), Some(Blocked)), Some((None, Some(Blocked)))),
            (Act::Block, (None, None), Some((Some(Blocked), None))),
            (Act::Block, (Some(Friend), Some(Friend)), Some((Some(Blocked), Some(Friend)))),
            (Act::Block, (Some(Sent), Some(Received)), Some((Some(Blocked), None))),
            (Act::Block, (Some(Received), Some(Sent)), Some((Some(Blocked), Some(Sent)))),
            (Act::Unblock, (Some(Blocked), Some(Sent)), Some((Some(Received), Some(Sent)))),
            (Act::Unblock, (Some(Blocked), Some(Friend)), Some((Some(Friend), Some(Friend)))),
            (Act::Unblock, (Some(Blocked), Some(Blocked)), Some((None, Some(Blocked)))),
            (Act::Unblock, (None, None), None),
        ] {
            assert_eq!(decide(act, before).ok(), after, "{act:?} {before:?}");
        }
    }

    /// Everything that can be reached keeps the rules, whoever does what in whatever order.
    #[test]
    fn nothing_impossible_can_be_reached() {
        use ContactAct as Act;
        use ContactState::{Blocked, Friend, Received, Sent};
        let acts = [Act::Request, Act::Accept, Act::Decline, Act::Cancel, Act::Remove, Act::Block, Act::Unblock];
        let mut seen: HashSet<Sides> = HashSet::new();
        let mut waiting: VecDeque<Sides> = [(None, None)].into();
        while let Some(sides) = waiting.pop_front() {
            if !seen.insert(sides) {
                continue;
            }
            for act in acts {
                if let Ok(after) = decide(act, sides) {
                    // Whoever is blocked sees no change by the one who blocks, but for a request that is taken back.
                    if act == Act::Block {
                        assert!(after.1 == sides.1 || sides.1 == Some(Received), "{sides:?}");
                    }
                    waiting.push_back(after);
                }
                waiting.extend(decide(act, (sides.1, sides.0)).map(|(theirs, mine)| (mine, theirs)));
            }
        }
        for sides in seen {
            let fits = match sides {
                (Some(Blocked), other) | (other, Some(Blocked)) => other != Some(Received),
                (Some(Friend), other) | (other, Some(Friend)) => other == Some(Friend),
                (Some(Sent), other) => other == Some(Received),
                (Some(Received), other) => other == Some(Sent),
                (None, other) => other.is_none(),
            };
            assert!(fits, "{sides:?}");
        }
    }
}
