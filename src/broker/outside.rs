//! Commands of callers outside the shards: done, then told what became of them.

use std::sync::Arc;

use konvert_protocol::v1;

use super::error::BrokerError;
use super::{Author, Broker, Submitted, Target};
use crate::auth::{Identity, Permission, Permissions};
use crate::journal::{Done, Marker, Outcome, Position, RoomId, RoomInfo, Ticket};

/// Where a message was stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored {
    /// Where.
    pub position: Position,
    /// When, milliseconds since 1970.
    pub time_ms: u64,
    /// It was stored before under the same message id.
    pub duplicate: bool,
}

impl Broker {
    /// Checks a publish, takes it from its author's quota, stores it, and waits until it is on disk.
    pub async fn publish_and_wait(
        &self,
        author: &Identity,
        info: &RoomInfo,
        publish: v1::Publish,
        now_ms: u64,
    ) -> Result<Stored, BrokerError> {
        let directory = self.directory();
        if !publish.blobs.is_empty() && self.rights(author, info).await?.contains(Permission::Publish) {
            let asking = directory.may_name(author, &info.name, publish.blobs.clone());
            BrokerError::of_naming(asking.await)?;
        }
        directory.take_message(author, false)?;
        let stored = self.store_and_wait(author, info, publish, now_ms).await;
        if !matches!(stored, Ok(Stored { duplicate: false, .. }) | Err(BrokerError::Unknown)) {
            directory.give_back_message(&author.user);
        }
        stored
    }

    /// What somebody may do in a room that exists, at this moment.
    async fn rights(&self, who: &Identity, info: &RoomInfo) -> Result<Permissions, BrokerError> {
        if self.must_load(who, &info.name) {
            self.directory().load(&info.name).await;
        }
        match self.allow(who, &info.name).ok_or(BrokerError::Unreadable)? {
            allow if allow.is_empty() => Err(BrokerError::UnknownRoom),
            allow => Ok(allow),
        }
    }

    async fn store_and_wait(
        &self,
        author: &Identity,
        info: &RoomInfo,
        publish: v1::Publish,
        now_ms: u64,
    ) -> Result<Stored, BrokerError> {
        let mut target = Target::NotRead;
        loop {
            // Anew in each round: whoever was removed while something was waited for says nothing more.
            let author = Author { identity: author, allow: self.rights(author, info).await? };
            let mut needed = None;
            let submit = |ticket| {
                needed = match self.publish(author, info, publish.clone(), &target, now_ms, ticket)? {
                    Submitted::Queued => None,
                    Submitted::NeedsTarget(offset) => Some(offset),
                };
                Ok(needed.is_none())
            };
            match self.outcome(submit).await? {
                Some(Done::Stored { epoch, record, .. }) => {
                    let position = Position { epoch, offset: record.offset };
                    return Ok(Stored { position, time_ms: record.time_ms, duplicate: false });
                }
                Some(Done::Duplicate { position, time_ms }) => {
                    return Ok(Stored { position, time_ms, duplicate: true });
                }
                Some(_) => return Err(BrokerError::Unknown),
                None => {}
            }
            let (broker, room, offset) = (self.clone(), info.id, needed.unwrap_or_default());
            let read = tokio::task::spawn_blocking(move || broker.read_target(room, offset)).await;
            target = read.map_err(|_| BrokerError::Unreadable)??;
        }
    }

    /// Moves a read marker, waits until it is on disk, and tells the room. Returns where it stands.
    pub async fn mark_and_wait(&self, info: &RoomInfo, user: &Arc<str>, offset: u64) -> Result<Marker, BrokerError> {
        let submit = |ticket| self.mark(info.id, user, offset, ticket).map(|()| true);
        match self.outcome(submit).await? {
            Some(Done::Marked { marker, moved, .. }) => {
                if moved {
                    let (room, user) = (info.name.to_string(), user.to_string());
                    let Marker { offset, ordinal } = marker;
                    let marker = v1::ReadMarker { room, user, offset, ordinal };
                    self.announce(info, v1::server_frame::Body::ReadMarker(marker));
                }
                Ok(marker)
            }
            _ => Err(BrokerError::Unknown),
        }
    }

    /// Removes everything that is stored in a room. Blocks.
    pub fn trim_all(&self, room: RoomId) -> Result<(), BrokerError> {
        Ok(self.journal.trim(room, u64::MAX).map(drop)?)
    }

    /// Submits with a ticket and waits for the outcome; `None` if nothing was queued.
    async fn outcome(
        &self,
        submit: impl FnOnce(Ticket) -> Result<bool, BrokerError>,
    ) -> Result<Option<Done>, BrokerError> {
        let (ticket, outcome) = self.fanout.expect();
        match submit(ticket) {
            Ok(true) => {}
            done => {
                self.fanout.forget(ticket);
                return done.map(|_| None);
            }
        }
        match outcome.await {
            Ok(Outcome { result, .. }) => Ok(Some(result?)),
            Err(_) => Err(BrokerError::Unknown),
        }
    }
}
