//! The follower: what was committed becomes rows where rows are needed, and is told to those who watch.
//!
//! Owns the one task that listens to the log. Invariants: facts are gathered for a moment and written in one
//! transaction, in their order, with how far each dialog was followed; what a crash or an overflow took away is read
//! from the log again, and what was seen twice changes nothing. Telling comes after writing and is bounded for each
//! batch: see [`LOOKS_MAX`] and the head of `live.rs`.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use konvert_protocol::blob_name;

use super::message::is_content;
use super::{Service, ServiceError, WebhookRows};
use crate::broker::{Broker, DIALOG_PREFIX, Followed, Follower};
use crate::directory::{self, Batch, BlobRef, ContactState, Mention, WebhookRow};
use crate::journal::{Bounds, Direction, ReadRange, Record, RelationKind, RoomInfo};

/// How long facts are gathered before they are written.
const GATHER: Duration = Duration::from_millis(100);
/// Facts of one batch.
const FACTS_MAX: usize = 10_000;
/// How long to wait when the directory does not take a batch. What is followed meanwhile waits in the core's queue.
const RETRY: Duration = Duration::from_secs(1);
/// Looks at dialogs that are told with one batch; further changes are told by position alone.
const LOOKS_MAX: usize = 500;
/// Friends who are told that somebody came or went.
const FRIENDS_MAX: usize = 1_000;
/// What is read of the log at once when a room is caught up with, records and bytes.
const READ: (usize, usize) = (500, 1 << 20);

/// What was gathered.
#[derive(Debug, Default)]
struct Gathered {
    batch: Batch,
    positions: HashMap<Arc<str>, (u64, u64)>,
    /// Dialogs in which something was said.
    moved: HashSet<Arc<str>>,
    /// Read markers that moved: by dialog and user, how far.
    read: HashMap<(Arc<str>, Arc<str>), u64>,
    /// Users who came or went, with when they were seen last, milliseconds since 1970.
    seen: HashMap<Arc<str>, u64>,
    /// What programs outside are to be told, by webhook.
    deliveries: HashMap<String, Vec<WebhookRow>>,
    facts: usize,
}

impl Service {
    /// Follows for ever.
    pub async fn follow(self: Arc<Self>) {
        let mut follower = self.broker.follow();
        self.catch_up().await;
        loop {
            let (gathered, lost) = gather(&mut follower, &self).await;
            let told = self.write(gathered).await;
            if lost {
                self.catch_up().await;
            }
            self.tell_followed(told).await;
        }
    }

    /// Writes what was gathered, however often it takes.
    async fn write(&self, mut gathered: Gathered) -> Gathered {
        let batch = Batch { waiting_max: self.webhook_waiting_max(), ..gathered.finish() };
        if batch.is_empty() {
            return gathered;
        }
        while let Err(error) = self.directory.apply(&batch).await {
            tracing::warn!(%error, "what was followed is not written yet");
            tokio::time::sleep(RETRY).await;
        }
        self.webhooks_written(&batch.deliveries);
        gathered
    }

    /// Reads again what is in the log and was not followed.
    async fn catch_up(&self) {
        while let Err(error) = self.try_catch_up().await {
            tracing::warn!(%error, "the log is not caught up with yet");
            tokio::time::sleep(RETRY).await;
        }
    }

    async fn try_catch_up(&self) -> Result<(), ServiceError> {
        let followed = self.directory.followed().await?;
        let broker = self.broker.clone();
        let since = self.webhooks_since();
        let behind = super::blocking(move || behind(&broker, followed, &since)).await?;
        let mut gathered = Gathered::default();
        for (info, mut from) in behind {
            loop {
                let (broker, room) = (self.broker.clone(), info.id);
                let page = super::blocking(move || read(&broker, room, from)).await?;
                let Ok(page) = page else {
                    // Damage is reported by the journal itself; the other rooms are not kept waiting.
                    tracing::warn!(room = &*info.name, from, "the rest of the room could not be followed");
                    break;
                };
                for record in &page.records {
                    gathered.stored(&info, page.bounds.epoch, record, erased_by(record), self);
                    gathered.positions.insert(info.name.clone(), (page.bounds.epoch, record.offset));
                    from = record.offset + 1;
                }
                if gathered.facts >= FACTS_MAX {
                    self.write(std::mem::take(&mut gathered)).await;
                }
                if !page.more {
                    break;
                }
            }
        }
        self.write(gathered).await;
        Ok(())
    }

    /// Tells those who watch.
    async fn tell_followed(&self, gathered: Gathered) {
        let mut looks = LOOKS_MAX;
        for dialog in &gathered.moved {
            match self.watching(dialog).await {
                Ok(users) => looks -= self.tell_dialog(dialog, &users, looks).await,
                Err(error) => tracing::debug!(%error, dialog = &**dialog, "a change was not told"),
            }
        }
        for user in gathered.seen.keys() {
            self.tell_friends(user).await;
        }
        for (dialog, user) in gathered.read.into_keys().filter(|(dialog, _)| !gathered.moved.contains(dialog)) {
            if self.broker.is_watching(&user) {
                looks -= self.tell_dialog(&dialog, &[user], looks).await;
            }
        }
    }

    /// Tells friends that somebody has come or gone.
    async fn tell_friends(&self, user: &str) {
        match self.directory.who_keep(user, ContactState::Friend, FRIENDS_MAX).await {
            Ok(friends) => {
                for friend in friends {
                    self.tell_contact(&friend, user).await;
                }
            }
            Err(error) => tracing::debug!(%error, "friends were not told"),
        }
    }
}

impl Gathered {
    /// Takes a fact; says whether something was lost.
    fn take(&mut self, fact: Followed, service: &Service) -> bool {
        self.deliver(service.presence_rows(&fact));
        match fact {
            Followed::Stored { info, epoch, record, erased } => self.stored(&info, epoch, &record, erased, service),
            Followed::Marked { info, user, marker } if info.name.starts_with(DIALOG_PREFIX) => {
                let furthest = self.read.entry((info.name, user)).or_default();
                *furthest = marker.offset.max(*furthest);
                self.facts += 1;
            }
            // Written already now: a crash would take the moment of going away.
            Followed::Online { user } => self.saw(user, (service.now_ms)()),
            Followed::Offline { user, at_ms } => self.saw(user, at_ms),
            Followed::Marked { .. } | Followed::Occupied { .. } | Followed::Vacated { .. } => {}
            Followed::Lost => return true,
        }
        false
    }

    fn saw(&mut self, user: Arc<str>, at_ms: u64) {
        self.seen.insert(user, at_ms);
        self.facts += 1;
    }

    fn deliver(&mut self, rows: WebhookRows) {
        for (webhook, rows) in rows {
            self.facts += 1;
            self.deliveries.entry(webhook).or_default().extend(rows);
        }
    }

    fn stored(&mut self, info: &RoomInfo, epoch: u64, record: &Record, erased: Vec<u64>, service: &Service) {
        let rows = service.message_rows(info, epoch, record);
        if !rows.is_empty() {
            self.positions.insert(info.name.clone(), (epoch, record.offset));
            self.deliver(rows);
        }
        let is_dialog = info.name.starts_with(DIALOG_PREFIX);
        let names_files = record.extras.as_ref().is_some_and(|extras| !extras.blobs.is_empty());
        if !is_dialog && !names_files && erased.is_empty() {
            return;
        }
        self.facts += 1;
        self.batch.blobs.extend(named(info, record));
        self.batch.erased.extend(erased.into_iter().map(|offset| (info.name.to_string(), offset)));
        if is_dialog || names_files {
            self.positions.insert(info.name.clone(), (epoch, record.offset));
        }
        if !is_dialog {
            return;
        }
        let mentions = record.extras.iter().flat_map(|extras| &extras.mentions);
        // What is said first counts; an edit that says it again does not.
        for user in mentions.filter(|user| **user != record.sender && is_content(record)) {
            let (user_id, dialog_id) = (user.to_string(), info.name.to_string());
            self.batch.mentions.push(Mention { user_id, dialog_id, offset: record.offset });
        }
        self.moved.insert(info.name.clone());
    }

    /// What is to be written.
    fn finish(&mut self) -> Batch {
        let mut batch = std::mem::take(&mut self.batch);
        batch.deliveries.extend(self.deliveries.drain());
        batch.read.extend(self.read.iter().map(|((dialog, user), offset)| Mention {
            user_id: user.to_string(),
            dialog_id: dialog.to_string(),
            offset: *offset,
        }));
        batch.seen.extend(self.seen.iter().map(|(user, at_ms)| (user.to_string(), *at_ms)));
        batch.positions.extend(self.positions.drain().map(|(room, (epoch, offset))| directory::Followed {
            room: room.to_string(),
            epoch,
            offset,
        }));
        batch
    }
}

/// The files that a message names.
fn named(info: &RoomInfo, record: &Record) -> impl Iterator<Item = BlobRef> {
    let with = record.relation.filter(|relation| matches!(relation.kind, RelationKind::Edit | RelationKind::Append));
    let (room, offset) = (info.name.to_string(), record.offset);
    let blobs = record.extras.iter().flat_map(|extras| &extras.blobs);
    blobs.map(move |blob| BlobRef {
        room: room.clone(),
        offset,
        with: with.map_or(offset, |relation| relation.offset),
        blob: blob_name(blob),
    })
}

/// Waits for something to happen, and a moment more; says whether something was lost.
async fn gather(follower: &mut Follower, service: &Service) -> (Gathered, bool) {
    let mut gathered = Gathered::default();
    let mut lost = gathered.take(follower.next().await, service);
    let end = tokio::time::sleep(GATHER);
    tokio::pin!(end);
    while !lost && gathered.facts < FACTS_MAX {
        tokio::select! {
            () = &mut end => break,
            fact = follower.next() => lost = gathered.take(fact, service),
        }
    }
    (gathered, lost)
}

/// Rooms that stand further than they were followed, with where to go on: dialogs, rooms in which files are named, which
/// were put on the list before, and rooms of whose messages programs outside are told; `since` says since when. Blocks.
fn behind(
    broker: &Broker,
    followed: Vec<directory::Followed>,
    since: &impl Fn(&RoomInfo) -> Option<u64>,
) -> Vec<(RoomInfo, u64)> {
    let followed: HashMap<_, _> =
        followed.into_iter().map(|followed| (followed.room, (followed.epoch, followed.offset))).collect();
    let mut behind = Vec::new();
    broker.rooms(&mut |info, bounds| {
        let is_dialog = info.name.starts_with(DIALOG_PREFIX);
        let from = match (followed.get(&*info.name), since(info)) {
            (None, None) if !is_dialog => return,
            (Some((epoch, offset)), _) if *epoch == bounds.epoch => offset + 1,
            (_, Some(since_ms)) if !is_dialog => first_since(broker, info, bounds, since_ms),
            _ => 1,
        };
        if from <= bounds.last {
            behind.push((info.clone(), from));
        }
    });
    behind
}

/// The first message of a room that was stored at a time or later. Blocks.
fn first_since(broker: &Broker, info: &RoomInfo, bounds: &Bounds, since_ms: u64) -> u64 {
    let (mut from, mut limit) = (bounds.last, 1);
    while from >= bounds.first {
        let range = ReadRange { from, direction: Direction::Backward, limit, bytes_max: READ.1 };
        let Ok(page) = broker.read(info.id, range) else { break };
        // Times never fall inside a room.
        if let Some(older) = page.records.iter().rfind(|record| record.time_ms < since_ms) {
            return older.offset + 1;
        }
        let Some(oldest) = page.records.first() else { break };
        (from, limit) = (oldest.offset - 1, READ.0);
    }
    from + 1
}

fn read(
    broker: &Broker,
    room: crate::journal::RoomId,
    from: u64,
) -> Result<crate::journal::Page, crate::broker::BrokerError> {
    let (limit, bytes_max) = READ;
    // What retention removed meanwhile needs no following.
    let from = from.max(broker.bounds(room)?.first);
    broker.read(room, ReadRange { from, direction: Direction::Forward, limit, bytes_max })
}

/// What a record that is read again erased, as far as it can have counted.
fn erased_by(record: &Record) -> Vec<u64> {
    let delete = record.relation.filter(|relation| relation.kind == RelationKind::Delete);
    delete.map(|relation| relation.offset).into_iter().collect()
}
