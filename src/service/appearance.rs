//! How somebody looks to others has changed: whose lists and headers show them are told.
//!
//! Owns the users of whom it is still to be told, and the one task that tells. Invariant: what is told is read after the
//! change. Nobody who waits for an answer waits for this: the task takes one user after the other, with bounds for each, so
//! that those with thousands of groups keep others waiting for a moment only; whoever changed twice meanwhile is told of
//! once. Beyond the bounds one sees it at the next look: told are contacts, then direct dialogs, then those groups in which
//! something happened last.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::shelf::{Kept, Shelf};
use super::view::activity_ms;
use super::{Service, ServiceError};
use crate::broker::Broker;
use crate::directory::{DialogKind, DirectoryError};

/// How long changes are gathered before they are told.
const GATHER: Duration = Duration::from_millis(100);
/// Users who wait to be told of. Beyond it a change is seen at the next look.
const WAITING_MAX: usize = 65_536;
/// Of one user: contacts that are read, direct dialogs and groups that are looked at, members of those groups among whom
/// watching ones are looked for, members who are told.
const CONTACTS_MAX: usize = 10_000;
const PARTNERS_MAX: usize = 500;
const GROUPS_MAX: usize = 500;
const LOOKED_MAX: u64 = 100_000;
const MEMBERS_MAX: usize = 10_000;

/// Users of whom it is to be told how they look.
#[derive(Debug, Default)]
pub(super) struct Appearances {
    waiting: Mutex<HashSet<Box<str>>>,
    notify: Notify,
}

impl Appearances {
    /// Has it told of somebody; whether there was room.
    fn put(&self, user: &str) -> bool {
        let mut waiting = self.waiting.lock();
        if waiting.len() >= WAITING_MAX && !waiting.contains(user) {
            return false;
        }
        waiting.insert(user.into());
        drop(waiting);
        self.notify.notify_one();
        true
    }

    /// Waits for somebody, and a moment more for others.
    async fn take(&self) -> HashSet<Box<str>> {
        self.notify.notified().await;
        tokio::time::sleep(GATHER).await;
        std::mem::take(&mut *self.waiting.lock())
    }
}

impl Service {
    /// Somebody's name, picture or text about themselves is another; it is stored.
    pub(super) fn look_changed(&self, user: &str) {
        if !self.appearances.put(user) {
            tracing::warn!(user, "too many users changed at once; others see this one as it is at their next look");
        }
    }

    /// Tells of such changes for ever.
    pub async fn tell_looks(self: Arc<Self>) {
        loop {
            let users = self.appearances.take().await;
            self.rename_present(&users).await;
            for user in &users {
                if let Err(error) = self.tell_look(user).await {
                    tracing::debug!(%error, user, "how somebody looks now was not told to all");
                }
            }
        }
    }

    /// Has rooms show the names that users have now.
    async fn rename_present(&self, users: &HashSet<Box<str>>) {
        let named = |user: &str| Some((user.into(), crate::broker::Directory::name(&self.roster, user)?));
        let online = users.iter().filter(|user| self.broker.is_online(user));
        let names: HashMap<Box<str>, Arc<str>> = online.filter_map(|user| named(user)).collect();
        if names.is_empty() {
            return;
        }
        let broker = self.broker.clone();
        if let Err(error) = super::blocking(move || broker.rename(&names)).await {
            tracing::debug!(%error, "rooms show somebody by an old name");
        }
    }

    async fn tell_look(&self, user: &str) -> Result<(), ServiceError> {
        let users = [user];
        self.tell_contacts(&users, false, CONTACTS_MAX).await?;
        self.tell_partners(&users, PARTNERS_MAX).await?;
        let (shelf, broker) = (self.shelves.of(user).await?, self.broker.clone());
        let groups = super::blocking(move || latest_groups(&broker, &shelf)).await?;
        let (mut to_look, mut left) = (LOOKED_MAX, MEMBERS_MAX);
        for group in groups {
            if left == 0 {
                break;
            }
            let id = &*group.dialog.id;
            // Counted before they are read: one dialog may have more than all others together.
            let Some(to_look_after) = to_look.checked_sub(self.member_count(id).await?) else { continue };
            to_look = to_look_after;
            let mut watching = self.watching(id).await?;
            watching.truncate(left);
            if watching.is_empty() {
                continue;
            }
            left -= watching.len();
            self.tell_member(id, user, &watching).await?;
        }
        Ok(())
    }

    async fn member_count(&self, dialog: &str) -> Result<u64, DirectoryError> {
        match self.roster.known_count(dialog) {
            Some(count) => Ok(count),
            None => Ok(self.directory.member_counts(&[dialog]).await?.pop().map_or(0, |(_, count)| count)),
        }
    }
}

/// Of somebody's dialogs of many those in which something happened last.
fn latest_groups(broker: &Broker, shelf: &Shelf) -> Vec<Arc<Kept>> {
    let groups = shelf.iter().filter(|kept| kept.dialog.kind != DialogKind::Direct);
    let happened = |kept: &Kept| activity_ms(kept, kept.room.and_then(|room| broker.bounds(room).ok()).as_ref());
    let mut groups: Vec<_> = groups.map(|kept| (happened(kept), kept)).collect();
    groups.sort_unstable_by_key(|(at_ms, _)| Reverse(*at_ms));
    groups.into_iter().take(GROUPS_MAX).map(|(_, kept)| kept.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn whoever_changes_twice_is_told_of_once_and_nobody_is_lost() {
        let appearances = Appearances::default();
        assert!(["ann", "bob", "ann"].into_iter().all(|user| appearances.put(user)));
        assert_eq!(appearances.take().await, ["ann", "bob"].map(Box::from).into());
        assert!(appearances.put("carl"));
        assert_eq!(appearances.take().await, ["carl"].map(Box::from).into());
    }

    #[test]
    fn what_waits_is_bounded() {
        let appearances = Appearances::default();
        assert!((0..WAITING_MAX).all(|user| appearances.put(&user.to_string())));
        assert!(!appearances.put("one more") && appearances.put("7"), "whoever waits goes on waiting");
    }
}
