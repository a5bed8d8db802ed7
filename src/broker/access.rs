//! Who may do what, by grants and by membership, and the way of a change of that to live sessions.

use std::collections::HashMap;
use std::sync::Arc;

use konvert_protocol::v1;

use super::Broker;
use super::directory::{Directory, is_dialog};
use super::inbox::{AccessChange, Delivery};
use super::push::Push;
use crate::auth::{Identity, Permissions};
use crate::journal::RoomId;

impl Broker {
    /// The memberships and revocations.
    pub fn directory(&self) -> &dyn Directory {
        self.directory.as_ref()
    }

    /// What `who` may do in a room, by grants and by membership; `None`: the directory must load it first.
    pub fn allow(&self, who: &Identity, name: &str) -> Option<Permissions> {
        let granted = who.grants.allow(name);
        match is_dialog(name) && !who.rooms_only {
            true => Some(granted.union(self.directory.allow(name, &who.user)?)),
            false => Some(granted),
        }
    }

    /// How somebody is called now: what their token says, but for accounts that have another name since it was made.
    pub fn name(&self, who: &Identity) -> Arc<str> {
        let now = who.device.as_ref().and_then(|_| self.directory.name(&who.user));
        now.unwrap_or_else(|| who.name.clone())
    }

    /// Has rooms show by these names those of these users who are in them. Looks at every live room.
    pub fn rename(&self, names: &HashMap<Box<str>, Arc<str>>) {
        for room in self.fanout.live_rooms() {
            if room.presence.lock().rename(names) {
                self.fanout.unsettle(&room);
            }
        }
    }

    /// Whether [`Directory::load`] must be waited for before this room can be asked about.
    pub fn must_load(&self, who: &Identity, name: &str) -> bool {
        self.allow(who, name).is_none()
    }

    /// Has every shard look again at what somebody may do: within its next turn.
    pub fn access_changed(&self, change: AccessChange) {
        self.fanout.tell_shards(|| Delivery::Access(change.clone()));
    }

    /// A session that wants to hear of changes has come to a shard.
    pub fn watch(&self, user: &Arc<str>, shard: u16) {
        self.watchers.watch(user, shard);
    }

    /// Gives back one [`Broker::watch`].
    pub fn unwatch(&self, user: &Arc<str>, shard: u16) {
        self.watchers.unwatch(user, shard);
    }

    /// Whether anybody would hear what [`Broker::tell`] tells a user.
    pub fn is_watching(&self, user: &str) -> bool {
        self.watchers.shards(user).next().is_some()
    }

    /// Everybody who would hear.
    pub fn watching(&self) -> Vec<Arc<str>> {
        self.watchers.users()
    }

    /// Tells those sessions of a user that want to hear of changes.
    pub fn tell(&self, user: &Arc<str>, body: impl Into<v1::server_frame::Body>) {
        let mut push = None;
        let body = body.into();
        for shard in self.watchers.shards(user) {
            let push = push.get_or_insert_with(|| Push::notice(RoomId(0), "".into(), body.clone()));
            self.fanout.tell_shard(shard, Delivery::Tell { user: user.clone(), push: push.clone() });
        }
    }
}
