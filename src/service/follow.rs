//! The follower: what was committed becomes rows where rows are needed, and is told to those who watch.
//!
//! Owns the one task that listens to the log; `catch_up.rs` is how it reads what it did not hear. Invariants: facts are
//! gathered for a moment and written in one transaction, in their order, with how far each dialog was followed; what a
//! crash or an overflow took away is read from the log again, and what was seen twice changes nothing. Batches are
//! bounded, because other changes wait for them. Telling comes after writing and is bounded for each batch: see
//! [`LOOKS_MAX`], [`PARTNERS_MAX`] and the head of `live.rs`.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use konvert_protocol::blob_name;

use super::message::is_content;
use super::{Service, WebhookRows};
use crate::broker::{DIALOG_PREFIX, Followed, Follower};
use crate::directory::{self, Batch, BlobRef, Mention, WebhookRow};
use crate::journal::{Record, RelationKind, RoomInfo};

/// How long facts are gathered before they are written.
const GATHER: Duration = Duration::from_millis(100);
/// Facts of one batch; each makes a row or two.
const FACTS_MAX: usize = 10_000;
/// Bytes of what programs outside are told by one batch, each of them counted.
const DELIVERY_BYTES_MAX: usize = 8 << 20;
/// How long to wait when the directory does not take a batch. What is followed meanwhile waits in the core's queue.
pub(super) const RETRY: Duration = Duration::from_secs(1);
/// Looks at dialogs that are told with one batch; further changes are told by position alone.
const LOOKS_MAX: usize = 500;
/// Contacts, and direct dialogs, that are looked at because somebody came or went, with one batch; others see it when they
/// look.
const CONTACTS_MAX: usize = 10_000;
const PARTNERS_MAX: usize = 500;

/// What was gathered.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    batch: Batch,
    pub positions: HashMap<Arc<str>, (u64, u64)>,
    /// Dialogs in which something was said.
    moved: HashSet<Arc<str>>,
    /// Read markers that moved: by dialog and user, how far.
    read: HashMap<(Arc<str>, Arc<str>), u64>,
    /// Users who came or went, with when they were seen last, milliseconds since 1970.
    seen: HashMap<Arc<str>, u64>,
    /// What programs outside are to be told, by webhook.
    deliveries: HashMap<String, Vec<WebhookRow>>,
    facts: usize,
    delivery_bytes: usize,
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
    pub(super) async fn write(&self, mut gathered: Gathered) -> Gathered {
        let mut batch = Batch { waiting_max: self.webhook_waiting_max(), ..gathered.finish() };
        if batch.is_empty() {
            return gathered;
        }
        self.drop_strangers(&mut batch.mentions).await;
        while let Err(error) = self.directory.apply(&batch).await {
            tracing::warn!(%error, "what was followed is not written yet");
            tokio::time::sleep(RETRY).await;
        }
        self.webhooks_written(&batch.deliveries);
        gathered
    }

    /// Leaves out mentions of users who are no members: anybody can be named in a message, and each would cost a row's work.
    async fn drop_strangers(&self, mentions: &mut Vec<Mention>) {
        let mut rosters = HashMap::new();
        for mention in mentions.iter() {
            if !rosters.contains_key(&mention.dialog_id) {
                // What is not known is left to the directory.
                let members = self.roster.members(&mention.dialog_id).await.ok();
                rosters.insert(mention.dialog_id.clone(), members);
            }
        }
        let is_member = |mention: &Mention| {
            let members = rosters.get(&mention.dialog_id).and_then(Option::as_ref);
            members.is_none_or(|members| members.contains_key(&*mention.user_id))
        };
        mentions.retain(is_member);
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
        let seen: Vec<&str> = gathered.seen.keys().map(AsRef::as_ref).collect();
        if let Err(error) = self.tell_contacts(&seen, true, CONTACTS_MAX).await {
            tracing::debug!(%error, "contacts were not told who came and who went");
        }
        if let Err(error) = self.tell_partners(&seen, PARTNERS_MAX).await {
            tracing::debug!(%error, "direct dialogs were not told who came and who went");
        }
        for (dialog, user) in gathered.read.into_keys().filter(|(dialog, _)| !gathered.moved.contains(dialog)) {
            if self.broker.is_watching(&user) {
                looks -= self.tell_dialog(&dialog, &[user], looks).await;
            }
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
            self.facts += rows.len();
            self.delivery_bytes += rows.iter().map(|row| row.body.len()).sum::<usize>();
            self.deliveries.entry(webhook).or_default().extend(rows);
        }
    }

    /// Whether no more goes into one transaction: every other change waits for it.
    pub fn is_full(&self) -> bool {
        self.facts >= FACTS_MAX || self.delivery_bytes >= DELIVERY_BYTES_MAX
    }

    pub fn stored(&mut self, info: &RoomInfo, epoch: u64, record: &Record, erased: Vec<u64>, service: &Service) {
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
        self.facts += weight(record, &erased);
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

/// How many facts a message is: itself, and every row that it makes or takes away.
fn weight(record: &Record, erased: &[u64]) -> usize {
    let named = record.extras.as_ref().map_or(0, |extras| extras.mentions.len() + extras.blobs.len());
    1 + named + erased.len()
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
    while !lost && !gathered.is_full() {
        tokio::select! {
            () = &mut end => break,
            fact = follower.next() => lost = gathered.take(fact, service),
        }
    }
    (gathered, lost)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::journal::{Extras, Kind};

    #[test]
    fn a_message_weighs_what_it_writes() {
        let extras = Extras::new(vec!["bob".into(); 64].into(), vec![[0; 32]; 16].into());
        let record = Record {
            offset: 1,
            ordinal: 1,
            time_ms: 0,
            kind: Kind::Message,
            relation: None,
            sender: "ann".into(),
            sender_name: "".into(),
            message_id: "m".into(),
            payload: Bytes::new(),
            extras,
            erased: false,
        };
        assert_eq!(weight(&record, &[1, 2, 3]), 84);
        assert_eq!(weight(&Record { extras: None, ..record }, &[]), 1);
    }
}
