//! How a dialog looks to one of its members: what the tables say, and what the journal says of it now.
//!
//! Invariant: any number of looks costs a fixed number of questions to the directory; positions, unread messages and
//! the newest message are the journal's, as they are at the moment of the look.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use serde::Serialize;
use utoipa::ToSchema;

use super::message::{MessageView, Place, newest};
use super::people::{Shown, Within};
use super::shelf::Kept;
use super::{Service, ServiceError};
use crate::broker::Broker;
use crate::directory::{DialogKind, MemberRole, Mention, Person, UserState};
use crate::journal::{Bounds, Marker};

/// What a dialog's messages are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize, Serialize, ToSchema, Default)]
#[serde(rename_all = "snake_case")]
pub enum DialogMode {
    /// The server can read them.
    #[default]
    ServerReadable,
    /// They are sealed: MLS messages.
    E2ee,
}

/// Somebody, as others see them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct PersonView {
    /// The user id, as in messages.
    pub id: String,
    /// How they are shown.
    pub name: String,
    /// What they tell of themselves.
    pub about: String,
    /// A blob: 64 hex digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub avatar: Option<String>,
    /// Whether they are connected. Friends see it and the other one of a direct dialog, members of the same dialog among
    /// its members, and nobody whom they have blocked; to others it is false.
    pub online: bool,
    /// When they were last connected, milliseconds since 1970, to those who see `online`; 0: never, or not told.
    pub last_seen_ms: u64,
}

/// A dialog as one of its members sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct DialogView {
    /// The room's name, for subscribing.
    pub id: String,
    /// What it is for.
    pub kind: DialogKind,
    /// What its messages are; fixed.
    pub mode: DialogMode,
    /// Its title; empty for a direct one, which is called as the other user.
    pub title: String,
    /// What it is about.
    pub about: String,
    /// A blob: 64 hex digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub avatar: Option<String>,
    /// When it was made, milliseconds since 1970.
    pub created_ms: u64,
    /// What one is in it.
    pub role: MemberRole,
    /// How many are in it.
    pub member_count: u64,
    /// The other one of a direct dialog.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<PersonView>,
    /// Where it stands: the last message.
    pub position: Place,
    /// The first message that is retained.
    pub first_offset: u64,
    /// When the last message was stored, or else when the dialog was made, milliseconds since 1970.
    pub activity_ms: u64,
    /// Everything up to here is read.
    pub read_offset: u64,
    /// Messages behind it that count.
    pub unread: u64,
    /// Those of them that mention one.
    pub mentions: u64,
    /// Until when one wants no notice of it, milliseconds since 1970.
    pub muted_until_ms: u64,
    /// Whether it stands above the others.
    pub pinned: bool,
    /// Whether one has put it away.
    pub archived: bool,
    /// The newest message that is still there, with its edits, up to 4 KiB of it; null in a sealed dialog, and where the
    /// last 256 records or the last MiB have none.
    pub last_message: Option<MessageView>,
}

/// What the journal says of a dialog to one member.
struct Standing {
    bounds: Bounds,
    marker: Marker,
}

/// Dialogs as their members keep them, with what the journal says of them now.
pub(super) struct Looked {
    kept: Vec<Arc<Kept>>,
    standing: Vec<Standing>,
    /// The newest message of each dialog that shows one.
    newest: HashMap<String, Option<MessageView>>,
}

impl Service {
    /// How dialogs look to those who keep them, in the order asked for.
    pub(super) async fn views(&self, kept: Vec<Arc<Kept>>) -> Result<Vec<DialogView>, ServiceError> {
        let broker = self.broker.clone();
        self.seen(super::blocking(move || look(&broker, kept)).await?).await
    }

    /// What was looked at, with what the directory says of it.
    pub(super) async fn seen(&self, looked: Looked) -> Result<Vec<DialogView>, ServiceError> {
        let Looked { kept, standing, newest } = looked;
        let dialogs: HashSet<&str> = kept.iter().map(|kept| &*kept.dialog.id).collect();
        let dialogs: Vec<&str> = dialogs.into_iter().collect();
        let unread = kept.iter().zip(&standing).filter(|(_, standing)| standing.unread() > 0);
        let mentioned: Vec<_> = unread
            .map(|(kept, standing)| Mention {
                user_id: kept.member.user_id.clone(),
                dialog_id: kept.dialog.id.clone(),
                offset: standing.marker.offset,
            })
            .collect();
        let pairs: Vec<_> = kept.iter().filter_map(|kept| Some((kept.other()?, &*kept.member.user_id))).collect();
        let (counts, mentions, people, shown) = tokio::try_join!(
            self.member_counts(&dialogs),
            self.directory.mention_counts(&mentioned),
            self.people_by_id(&pairs),
            self.shown(Within::Dialog, &pairs),
        )?;
        let mentions: HashMap<_, _> =
            mentioned.iter().map(|one| (&*one.user_id, &*one.dialog_id)).zip(mentions).collect();
        let view = |kept: &Kept, standing: Standing| {
            let user = kept.other().and_then(|other| people.get(other));
            let user = user.map(|person| self.person_view(person, &kept.member.user_id, &shown));
            DialogView {
                member_count: counts.get(&kept.dialog.id).copied().unwrap_or_default(),
                mentions: mentions.get(&(&*kept.member.user_id, &*kept.dialog.id)).copied().unwrap_or_default(),
                user,
                last_message: newest.get(&*kept.dialog.id).cloned().flatten(),
                ..plain(kept, &standing)
            }
        };
        Ok(kept.iter().zip(standing).map(|(kept, standing)| view(kept, standing)).collect())
    }

    /// How many members dialogs have. Counting those of a big one takes long, so only what is not in memory is counted.
    async fn member_counts(&self, dialogs: &[&str]) -> Result<HashMap<String, u64>, crate::directory::DirectoryError> {
        let known = dialogs.iter().filter_map(|dialog| Some(((*dialog).to_owned(), self.roster.known_count(dialog)?)));
        let mut counts: HashMap<_, _> = known.collect();
        let others: Vec<_> = dialogs.iter().copied().filter(|dialog| !counts.contains_key(*dialog)).collect();
        counts.extend(self.directory.member_counts(&others).await?);
        Ok(counts)
    }

    async fn people_by_id(
        &self,
        pairs: &[(&str, &str)],
    ) -> Result<HashMap<String, Person>, crate::directory::DirectoryError> {
        let others: HashSet<&str> = pairs.iter().map(|(other, _)| *other).collect();
        let people = self.directory.people(&others.into_iter().collect::<Vec<_>>()).await?;
        Ok(people.into_iter().map(|person| (person.id.clone(), person)).collect())
    }

    /// How somebody looks to somebody; `shown`: who may see of whom whether they are there.
    pub(super) fn person_view(&self, person: &Person, viewer: &str, shown: &Shown) -> PersonView {
        // Whoever deletes their account may be connected for a moment yet, and nothing tells later that they went.
        let presence = person.state != UserState::Deleted && shown.has(&person.id, viewer);
        PersonView {
            id: person.id.clone(),
            name: person.name.clone(),
            about: person.about.clone(),
            avatar: person.avatar.clone(),
            online: presence && self.broker.is_online(&person.id),
            last_seen_ms: if presence { person.seen_ms } else { 0 },
        }
    }
}

impl Standing {
    fn unread(&self) -> u64 {
        self.bounds.ordinal.saturating_sub(self.marker.ordinal)
    }
}

/// Asks the journal. Blocks.
pub(super) fn look(broker: &Broker, kept: Vec<Arc<Kept>>) -> Looked {
    let mut messages = HashMap::new();
    let standing = kept.iter().map(|kept| {
        let Some(room) = kept.room else { return Standing { bounds: NOTHING, marker: Marker::default() } };
        let bounds = broker.bounds(room).unwrap_or(NOTHING);
        if !kept.dialog.e2ee && !messages.contains_key(&kept.dialog.id) {
            messages.insert(kept.dialog.id.clone(), newest(broker, room, &bounds));
        }
        Standing { bounds, marker: broker.marker(room, &kept.member.user_id) }
    });
    Looked { standing: standing.collect(), newest: messages, kept }
}

/// Whether a dialog is in its member's list: one that was put away comes back with what is said next.
pub(super) fn is_listed(kept: &Kept, bounds: Option<&Bounds>) -> bool {
    bounds.map_or(0, |bounds| bounds.last) >= kept.member.hidden_until
}

const NOTHING: Bounds = Bounds { epoch: 0, first: 1, last: 0, ordinal: 0, time_ms: 0 };

/// When something last happened in a dialog, milliseconds since 1970.
pub(super) fn activity_ms(kept: &Kept, bounds: Option<&Bounds>) -> u64 {
    bounds.map(|bounds| bounds.time_ms).filter(|time_ms| *time_ms > 0).unwrap_or(kept.dialog.created_ms)
}

/// What needs no question.
fn plain(kept: &Kept, standing: &Standing) -> DialogView {
    let (dialog, member, bounds) = (&kept.dialog, &kept.member, &standing.bounds);
    DialogView {
        id: dialog.id.clone(),
        kind: dialog.kind,
        mode: if dialog.e2ee { DialogMode::E2ee } else { DialogMode::ServerReadable },
        title: dialog.title.clone(),
        about: dialog.about.clone(),
        avatar: dialog.avatar.clone(),
        created_ms: dialog.created_ms,
        role: member.role,
        member_count: 0,
        user: None,
        position: Place { epoch: bounds.epoch, offset: bounds.last },
        first_offset: bounds.first,
        activity_ms: activity_ms(kept, Some(bounds)),
        read_offset: standing.marker.offset,
        unread: standing.unread(),
        mentions: 0,
        muted_until_ms: member.muted_until_ms,
        pinned: member.pinned_ms > 0,
        archived: member.archived,
        last_message: None,
    }
}
