//! What each user is a member of, in memory: what lists of dialogs are made from.
//!
//! Owns the cache of memberships with their dialogs, by user. Knows nothing of messages: what is unread and when
//! something was last said is the journal's and is asked for at each look. Invariant: after [`Shelves::refresh`] a look
//! is not older than the call.

use std::fmt;
use std::sync::Arc;

use quick_cache::DefaultHashBuilder;
use tokio::sync::Mutex;

use super::cache::{Lists, lists};
use crate::broker::Broker;
use crate::directory::{Dialog, Directory, DirectoryError, Member};
use crate::journal::RoomId;

/// Reads for the same user follow each other; this many of different ones may run at once.
const TURNS: usize = 64;

/// A dialog as one member keeps it.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    pub dialog: Dialog,
    pub member: Member,
    /// Its room; `None` if the journal does not have it, which a restored backup can bring about.
    pub room: Option<RoomId>,
}

impl Kept {
    /// The other one of a direct dialog.
    pub fn other(&self) -> Option<&str> {
        let (a, b) = self.dialog.pair.as_ref()?;
        Some(if *a == self.member.user_id { b } else { a })
    }
}

/// Everything that a user is a member of, in no order.
pub(super) type Shelf = Arc<Vec<Arc<Kept>>>;

/// See the head of the file.
pub(super) struct Shelves {
    directory: Directory,
    broker: Broker,
    users: Lists<Shelf>,
    turns: [Mutex<()>; TURNS],
    hasher: DefaultHashBuilder,
}

impl fmt::Debug for Shelves {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shelves").field("users", &self.users.len()).finish_non_exhaustive()
    }
}

impl Shelves {
    /// Keeps about `memberships_max` memberships, those of the users who looked last.
    pub fn new(directory: Directory, broker: Broker, memberships_max: usize) -> Self {
        Self {
            directory,
            broker,
            users: lists(memberships_max, 32, |shelf| shelf.len()),
            turns: std::array::from_fn(|_| Mutex::new(())),
            hasher: DefaultHashBuilder::default(),
        }
    }

    /// What a user is a member of.
    pub async fn of(&self, user: &str) -> Result<Shelf, DirectoryError> {
        if let Some(shelf) = self.users.get(user) {
            return Ok(shelf);
        }
        let _turn = self.turn(user).await;
        if let Some(shelf) = self.users.get(user) {
            return Ok(shelf);
        }
        let rows = self.directory.dialogs_of(user).await?;
        let shelf: Shelf = Arc::new(rows.into_iter().map(|row| self.kept(row)).collect());
        self.users.insert(user.into(), shelf.clone());
        Ok(shelf)
    }

    /// A dialog as a user keeps it, as it is in the directory now; `None` if they are no member.
    pub async fn one(&self, user: &str, dialog: &str) -> Result<Option<Arc<Kept>>, DirectoryError> {
        Ok(self.some(&[user], dialog).await?.pop())
    }

    /// A dialog as those of these users keep it who are members.
    pub async fn some(&self, users: &[&str], dialog: &str) -> Result<Vec<Arc<Kept>>, DirectoryError> {
        let rows = self.directory.dialog_for(dialog, users).await?;
        Ok(rows.into_iter().map(|row| self.kept(row)).collect())
    }

    /// The direct dialogs of these users as the others in them keep them, at most `limit`.
    pub async fn partners_of(&self, users: &[&str], limit: usize) -> Result<Vec<Arc<Kept>>, DirectoryError> {
        let rows = self.directory.partners_of(users, limit).await?;
        Ok(rows.into_iter().map(|row| self.kept(row)).collect())
    }

    /// Reads one dialog of a user again, if anything of theirs is in memory; call it after every change.
    pub async fn refresh(&self, user: &str, dialog: &str) {
        // The turn first: somebody may be reading, from before the change, what is not in memory yet.
        let _turn = self.turn(user).await;
        let Some(shelf) = self.users.get(user) else { return };
        let Ok(now) = self.one(user, dialog).await else {
            // It is read whole at the next look.
            self.users.remove(user);
            return;
        };
        let others = shelf.iter().filter(|kept| kept.dialog.id != dialog).cloned();
        self.users.insert(user.into(), Arc::new(others.chain(now).collect()));
    }

    async fn turn(&self, user: &str) -> tokio::sync::MutexGuard<'_, ()> {
        self.turns[std::hash::BuildHasher::hash_one(&self.hasher, user) as usize % TURNS].lock().await
    }

    fn kept(&self, (dialog, member): (Dialog, Member)) -> Arc<Kept> {
        let room = self.broker.find(&dialog.id).map(|info| info.id);
        Arc::new(Kept { dialog, member, room })
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;
    use crate::broker::{BrokerConfig, Fanout, NoDirectory};
    use crate::directory::{DialogKind, DirectoryConfig, MemberRole, Role, User, UserState};
    use crate::journal::{JournalConfig, MemoryJournal};

    fn dialog(id: &str) -> Dialog {
        Dialog {
            id: id.into(),
            kind: DialogKind::Group,
            e2ee: false,
            title: id.into(),
            about: String::new(),
            avatar: None,
            pair: None,
            created_by: "ann".into(),
            created_ms: 1,
        }
    }

    fn ann() -> User {
        User {
            id: "ann".into(),
            login: None,
            name: "Ann".into(),
            email: None,
            about: String::new(),
            avatar: None,
            password: None,
            role: Role::User,
            state: UserState::Active,
            origin: "token".into(),
            created_ms: 1,
            seen_ms: 0,
        }
    }

    /// A change that comes while the whole is read is not lost: what is read may be from before it.
    #[tokio::test]
    async fn a_change_beside_the_first_look_is_seen() {
        let data = tempfile::tempdir().unwrap();
        let directory = Directory::open(&DirectoryConfig::default(), data.path()).await.unwrap();
        let fanout = Fanout::new(Vec::new());
        let journal = Arc::new(MemoryJournal::new(&JournalConfig::default(), fanout.clone()).unwrap());
        let broker = Broker::new(BrokerConfig::default(), journal, fanout, Arc::new(NoDirectory));
        let shelves = Shelves::new(directory.clone(), broker, 1_000);
        directory.add_user(&ann()).await.unwrap();

        // The first look has read nothing yet, and keeps it only after the change.
        let turn = shelves.turn("ann").await;
        directory.add_dialog(&dialog("dialog-a"), &[("ann".into(), MemberRole::Owner)]).await.unwrap();
        let mut refreshing = Box::pin(shelves.refresh("ann", "dialog-a"));
        assert_eq!((&mut refreshing).now_or_never(), None, "the change waits for the look");
        shelves.users.insert("ann".into(), Shelf::default());
        drop(turn);
        refreshing.await;
        assert_eq!(shelves.of("ann").await.unwrap().len(), 1);
    }
}
