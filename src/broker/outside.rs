//! Commands of callers outside the shards: done, then told what became of them.

use std::sync::Arc;

use konvert_protocol::v1;

use super::error::BrokerError;
use super::{Author, Broker, Submitted, Target};
use crate::auth::Permission;
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
        author: Author<'_>,
        info: &RoomInfo,
        publish: v1::Publish,
        now_ms: u64,
    ) -> Result<Stored, BrokerError> {
        let (directory, identity) = (self.directory(), author.identity);
        if !publish.blobs.is_empty() && author.allow.contains(Permission::Publish) {
            let asking = directory.may_name(identity, &info.name, publish.blobs.clone());
            BrokerError::of_naming(asking.await)?;
        }
        directory.take_message(identity).map_err(BrokerError::QuotaExceeded)?;
        let stored = self.store_and_wait(author, info, publish, now_ms).await;
        if !matches!(stored, Ok(Stored { duplicate: false, .. }) | Err(BrokerError::Unknown)) {
            directory.give_back_message(&identity.user);
        }
        stored
    }

    async fn store_and_wait(
        &self,
        author: Author<'_>,
        info: &RoomInfo,
        publish: v1::Publish,
        now_ms: u64,
    ) -> Result<Stored, BrokerError> {
        let mut target = Target::NotRead;
        loop {
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
