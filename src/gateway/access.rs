//! What live sessions may do follows what the directory says: dialogs are loaded before a command needs them, rights
//! change under a subscription, and whoever lost access is closed. All of it within one turn of the shard.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use konvert_protocol::v1::client_frame::Body as Command;
use konvert_protocol::{CloseCode, v1};

use super::dispatch::Caller;
use super::shard::Shard;
use crate::auth::{Identity, Permission, Permissions};
use crate::broker::{AccessChange, BrokerError, Push, is_dialog};
use crate::journal::{RoomId, RoomInfo};

/// Most commands of one session that wait for dialogs to be loaded.
const WAITING_MAX: u32 = 256;
/// Most bytes of all commands of a shard that wait so.
const WAITING_BYTES_MAX: usize = 16 << 20;
/// A dialog that is not loaded by then is not readable now.
const LOAD: Duration = Duration::from_secs(10);
/// When a command that found too many waiting should come again, milliseconds.
const RETRY_MS: u32 = 50;

/// Commands that wait for their dialog, in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Loading {
    by_dialog: HashMap<String, Vec<(Caller, Command)>>,
    bytes: usize,
}

impl Shard {
    /// Loads the command's dialog if that must be; then the command waits, behind earlier ones for the same dialog, and
    /// `None` is returned.
    pub(super) fn loaded(&mut self, caller: Caller, command: Command) -> Result<Option<Command>, BrokerError> {
        let Some(dialog) = room_of(&command).filter(|room| is_dialog(room)) else { return Ok(Some(command)) };
        let dialog = dialog.to_owned();
        let shared = self.shared.clone();
        let is_loading = self.loading.by_dialog.contains_key(&dialog);
        let bytes = self.loading.bytes + weight(&command);
        let Some(session) = self.session(caller.slot, caller.generation) else { return Ok(None) };
        // While earlier commands wait this one does too, whatever memory says by now: it must not overtake them.
        if !is_loading && !shared.broker.must_load(&session.identity, &dialog) {
            return Ok(Some(command));
        }
        if session.waiting >= WAITING_MAX || bytes > WAITING_BYTES_MAX {
            return Err(BrokerError::RateLimited(RETRY_MS));
        }
        session.waiting += 1;
        self.loading.bytes = bytes;
        self.loading.by_dialog.entry(dialog.clone()).or_default().push((caller, command));
        if !is_loading {
            let me = self.me.clone();
            tokio::task::spawn_local(async move {
                // Told by the dialog not being there afterwards.
                let _ = tokio::time::timeout(LOAD, shared.broker.directory().load(&dialog)).await;
                if let Some(shard) = me.upgrade() {
                    shard.borrow_mut().on_loaded(&dialog);
                }
            });
        }
        Ok(None)
    }

    fn on_loaded(&mut self, dialog: &str) {
        for (caller, command) in self.loading.by_dialog.remove(dialog).unwrap_or_default() {
            self.loading.bytes -= weight(&command);
            let Some(session) = self.session(caller.slot, caller.generation) else { continue };
            session.waiting -= 1;
            let identity = session.identity.clone();
            let answer = match self.shared.broker.must_load(&identity, dialog) {
                true => Err(BrokerError::Unreadable.into()),
                false => self.on_command(caller, command),
            };
            self.answer(caller, answer);
        }
        self.flush();
    }

    /// Somebody may do more, or less, or nothing any more.
    pub(super) fn on_access(&mut self, change: &AccessChange) {
        match change {
            AccessChange::Revoked { user, devices } => {
                let is_meant = |who: &Identity| {
                    who.user == *user
                        && devices
                            .as_ref()
                            .is_none_or(|devices| who.device.as_ref().is_some_and(|d| devices.contains(d)))
                };
                for (slot, generation) in self.everybody() {
                    if self.session(slot, generation).is_some_and(|session| is_meant(&session.identity)) {
                        self.close(slot, generation, CloseCode::Revoked);
                    }
                }
            }
            AccessChange::Members { room, users } => {
                let mut slots: Vec<_> = self.audience.slots(room.id).collect();
                slots.extend(users.iter().filter_map(|user| self.watchers.get(user)).flatten());
                slots.sort_unstable();
                slots.dedup();
                for slot in slots {
                    let Some(connection) = self.connections.get_mut(slot as usize) else { continue };
                    let generation = connection.generation;
                    let Some(session) = connection.session().filter(|session| users.contains(&session.identity.user))
                    else {
                        continue;
                    };
                    let identity = session.identity.clone();
                    self.follow_rights(Caller { slot, generation, id: 0 }, &identity, room);
                }
            }
        }
    }

    /// Puts in place what a session may do in a room now. What is not in memory is loaded first; if that fails, nothing
    /// is allowed.
    pub(super) fn follow_rights(&mut self, caller: Caller, identity: &Identity, room: &RoomInfo) {
        if let Some(allow) = self.shared.broker.allow(identity, &room.name) {
            return self.set_rights(caller, room.id, &room.name, allow);
        }
        let (me, shared, room) = (self.me.clone(), self.shared.clone(), room.clone());
        tokio::task::spawn_local(async move {
            let _ = tokio::time::timeout(LOAD, shared.broker.directory().load(&room.name)).await;
            let Some(shard) = me.upgrade() else { return };
            let mut shard = shard.borrow_mut();
            let Some(session) = shard.session(caller.slot, caller.generation) else { return };
            let allow = shared.broker.allow(&session.identity, &room.name).unwrap_or_default();
            shard.set_rights(caller, room.id, &room.name, allow);
            shard.flush();
        });
    }

    /// Puts a session's rights in a room in place, ends its subscription if it may not read any more, and tells it.
    pub(super) fn set_rights(&mut self, caller: Caller, room: RoomId, name: &str, allow: Permissions) {
        let Some(session) = self.session(caller.slot, caller.generation) else { return };
        let may_read = allow.contains(Permission::Read);
        match may_read {
            true => {
                let hides = session.set_allow(room, allow) && !allow.contains(Permission::Presence);
                if hides {
                    self.hide(caller, room);
                }
            }
            false => self.leave(caller, room),
        }
        let allow = if may_read { allow.names() } else { Vec::new() };
        let changed =
            v1::MembershipChanged { room: name.to_owned(), allow: allow.into_iter().map(str::to_owned).collect() };
        self.push(caller.slot, caller.generation, &v1::ServerFrame::push(changed));
    }

    /// Gives a change to the user's sessions that want to hear of changes.
    pub(super) fn on_tell(&mut self, user: &Arc<str>, push: &Push) {
        for slot in self.watchers.get(user).cloned().unwrap_or_default() {
            let Some(connection) = self.connections.get_mut(slot as usize) else { continue };
            let bytes = push.bytes(connection.transport.form(), super::transport::framed).clone();
            connection.outbox.push(bytes, 1);
            self.mark_dirty(slot);
        }
    }

    /// The session wants to hear of changes from now on.
    pub(super) fn watch(&mut self, caller: Caller) {
        let Some(session) = self.session(caller.slot, caller.generation) else { return };
        session.watches = true;
        let user = session.identity.user.clone();
        self.shared.broker.watch(&user, self.index);
        self.watchers.entry(user).or_default().push(caller.slot);
    }

    /// The session has ended.
    pub(super) fn unwatch(&mut self, slot: u32, user: &Arc<str>) {
        self.shared.broker.unwatch(user, self.index);
        if let Some(slots) = self.watchers.get_mut(user) {
            slots.retain(|watching| *watching != slot);
            if slots.is_empty() {
                self.watchers.remove(user);
            }
        }
    }
}

/// About the bytes that a waiting command holds.
fn weight(command: &Command) -> usize {
    const AROUND: usize = 256;
    AROUND
        + match command {
            Command::Publish(command) => command.payload.len(),
            Command::Signal(command) => command.payload.len(),
            Command::Presence(command) => AROUND * command.users.len(),
            _ => 0,
        }
}

/// The room that a command is about.
fn room_of(command: &Command) -> Option<&str> {
    match command {
        Command::Subscribe(command) => Some(&command.room),
        Command::Unsubscribe(command) => Some(&command.room),
        Command::Publish(command) => Some(&command.room),
        Command::Signal(command) => Some(&command.room),
        Command::History(command) => Some(&command.room),
        Command::Presence(command) => Some(&command.room),
        Command::PresenceUpdate(command) => Some(&command.room),
        Command::Read(command) => Some(&command.room),
        Command::Connect(_) | Command::Refresh(_) | Command::Ping(_) => None,
    }
}
