//! Telling sessions that watch what has changed for them.
//!
//! Invariant: what is told is what a GET of the same path would answer, but for one case: in a dialog with more than
//! [`WATCHING_MAX`] watching members, or when more than that many looks are due at once, a new message is told with the
//! position alone. Nothing is made for users whom nobody would hear for.

use std::sync::Arc;

use bytes::Bytes;
use konvert_protocol::v1;
use serde::Serialize;

use super::message::Place;
use super::shelf::Kept;
use super::view::is_listed;
use super::{Service, ServiceError};

/// Most members of one dialog who are told of a message with everything; the others get its position.
pub(super) const WATCHING_MAX: usize = 64;

/// Direct dialogs that are read, to find those whose other user watches.
const PARTNERS_MAX: usize = 10_000;

/// Memberships that are looked at again at once, before they are told.
const AGAIN: usize = 200;

/// What a change carries when too many would be told everything.
#[derive(Debug, Serialize)]
struct Moved<'a> {
    id: &'a str,
    position: Place,
    activity_ms: u64,
}

impl Service {
    /// Tells somebody's sessions that something of theirs is different.
    pub(super) fn tell(&self, user: &str, path: String, body: &impl Serialize) {
        if self.broker.is_watching(user) {
            let body = serde_json::to_vec(body).unwrap_or_default();
            self.broker.tell(&user.into(), v1::Changed { path, body: body.into() });
        }
    }

    /// Tells somebody's sessions that something is gone.
    pub(super) fn tell_gone(&self, user: &str, path: String) {
        if self.broker.is_watching(user) {
            self.broker.tell(&user.into(), v1::Changed { path, body: Bytes::new() });
        }
    }

    /// Those of a dialog's members who would hear.
    pub(super) async fn watching(&self, dialog: &str) -> Result<Vec<Arc<str>>, ServiceError> {
        let members = self.roster.members(dialog).await?;
        Ok(members.keys().filter(|user| self.broker.is_watching(user)).map(|user| Arc::from(&**user)).collect())
    }

    /// Tells these users how a dialog looks to them now. Returns how many looks it took.
    pub(super) async fn tell_dialog(&self, dialog: &str, users: &[Arc<str>], looks_max: usize) -> usize {
        if users.is_empty() {
            return 0;
        }
        if users.len() > looks_max.min(WATCHING_MAX) {
            self.tell_position(dialog, users);
            return 0;
        }
        let names: Vec<&str> = users.iter().map(AsRef::as_ref).collect();
        let looks = async {
            let mut kept = self.shelves.some(&names, dialog).await?;
            kept.retain(|kept| self.is_listed(kept));
            let members: Vec<_> = kept.iter().map(|kept| kept.member.user_id.clone()).collect();
            Ok::<_, ServiceError>((members, self.views(kept).await?))
        };
        match looks.await {
            Ok((members, views)) => {
                for (user, view) in members.iter().zip(&views) {
                    self.tell(user, dialog_path(dialog), view);
                }
                views.len()
            }
            Err(error) => {
                // Whoever looks for themselves sees it, and the next change tells it.
                tracing::debug!(%error, dialog, "a change was not told");
                0
            }
        }
    }

    /// Tells the others of these users' direct dialogs how their dialogs look now; up to `looks_max` dialogs are looked at,
    /// those alone that somebody watches and has in their list.
    pub(super) async fn tell_partners(&self, users: &[&str], looks_max: usize) -> Result<(), ServiceError> {
        let mut kept = self.shelves.partners_of(users, PARTNERS_MAX).await?;
        kept.retain(|kept| self.broker.is_watching(&kept.member.user_id) && self.is_listed(kept));
        kept.truncate(looks_max);
        let views = self.views(kept.clone()).await?;
        for some in kept.iter().zip(&views).collect::<Vec<_>>().chunks(AGAIN) {
            let members: Vec<_> = some.iter().map(|(kept, _)| (&*kept.member.user_id, &*kept.dialog.id)).collect();
            // Whoever has put it away meanwhile, or keeps it otherwise, has been told that.
            let now = self.directory.memberships(&members).await?;
            for (kept, view) in some.iter().filter(|(kept, _)| now.contains(&kept.member)) {
                self.tell(&kept.member.user_id, dialog_path(&view.id), view);
            }
        }
        Ok(())
    }

    fn is_listed(&self, kept: &Kept) -> bool {
        is_listed(kept, kept.room.and_then(|room| self.broker.bounds(room).ok()).as_ref())
    }

    /// Tells where a dialog stands and nothing more: the same to everybody.
    fn tell_position(&self, dialog: &str, users: &[Arc<str>]) {
        let Some(bounds) = self.broker.find(dialog).and_then(|info| self.broker.bounds(info.id).ok()) else { return };
        let position = Place { epoch: bounds.epoch, offset: bounds.last };
        let moved = Moved { id: dialog, position, activity_ms: bounds.time_ms };
        let body = Bytes::from(serde_json::to_vec(&moved).unwrap_or_default());
        for user in users {
            self.broker.tell(user, v1::Changed { path: dialog_path(dialog), body: body.clone() });
        }
    }

    /// Tells everybody in a dialog who watches how it looks now.
    pub(super) async fn tell_members(&self, dialog: &str) {
        match self.watching(dialog).await {
            Ok(users) => drop(self.tell_dialog(dialog, &users, WATCHING_MAX).await),
            Err(error) => tracing::debug!(%error, dialog, "a change was not told"),
        }
    }
}

/// Where a dialog is asked for.
pub(super) fn dialog_path(dialog: &str) -> String {
    format!("/api/dialogs/{}", segment(dialog))
}

/// Where a member is asked for.
pub(super) fn member_path(dialog: &str, user: &str) -> String {
    format!("{}/members/{}", dialog_path(dialog), segment(user))
}

/// A name as one segment of a path.
pub(super) fn segment(name: &str) -> String {
    name.bytes().fold(String::with_capacity(name.len()), |mut path, byte| {
        match byte {
            b'-' | b'_' | b'.' | b'~' => path.push(byte.into()),
            _ if byte.is_ascii_alphanumeric() => path.push(byte.into()),
            _ => path.push_str(&format!("%{byte:02X}")),
        }
        path
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_one_segment() {
        assert_eq!(member_path("dialog-a", "acc-b"), "/api/dialogs/dialog-a/members/acc-b");
        assert_eq!(segment("../a b?%/ä"), "..%2Fa%20b%3F%25%2F%C3%A4");
    }
}
