//! The list of somebody's dialogs: pinned ones first, then by what happened last.
//!
//! Invariant: the order is made anew at each look from what is in memory, so that a message costs no write to show up.

use std::cmp::Reverse;
use std::collections::HashSet;
use std::sync::Arc;

use konvert_protocol::ErrorCode;
use serde::{Deserialize, Serialize};
use utoipa::IntoParams;

use super::page::{self, List, Page};
use super::shelf::Kept;
use super::view::{self, DialogView, activity_ms, is_listed};
use super::{Caller, Service, ServiceError};
use crate::broker::Broker;
use crate::directory::DialogKind;

/// Longest text to look for, bytes.
const QUERY_BYTES_MAX: usize = 128;

/// Which dialogs are wanted.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DialogsQuery {
    /// Those that are put away, or those that are not; absent: the latter.
    pub archived: Option<bool>,
    /// Only those of this kind.
    #[param(inline)]
    pub kind: Option<DialogKind>,
    /// Only those in whose title this occurs, or whose other user's login or name begins with it.
    pub query: Option<String>,
    /// `next` of the page before.
    pub cursor: Option<String>,
    /// Most on this page, 1 to 100; absent: 50.
    pub limit: Option<u32>,
}

/// Where a dialog stands in the list; rising.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Key {
    pinned_ms: Reverse<u64>,
    activity_ms: Reverse<u64>,
    id: String,
}

impl Service {
    /// One page of the caller's dialogs.
    ///
    /// # Errors
    /// `bad_request` for a limit out of range or a cursor that is not theirs.
    pub async fn dialogs(&self, caller: &Caller, query: DialogsQuery) -> Result<Page<DialogView>, ServiceError> {
        let me = &*caller.identity.user;
        let limit = page::limit(query.limit)?;
        let name = format!("dialogs {:?} {:?} {:?}", query.archived, query.kind, query.query);
        let list = List { name: &name, caller: me };
        let after: Option<Key> = list.after(query.cursor.as_deref())?;
        let shelf = self.shelves.of(me).await?;
        let found = self.found(me, query.query.as_deref()).await?;
        let is_wanted = move |kept: &Kept| {
            kept.member.archived == query.archived.unwrap_or(false)
                && query.kind.is_none_or(|kind| kept.dialog.kind == kind)
                && found.as_ref().is_none_or(|found| found.has(kept))
        };
        let broker = self.broker.clone();
        // The order is found by looking at each, which is too long for a thread that serves others, if they are many; and
        // what the journal has not in memory it reads.
        let look = move || {
            let first = first(&broker, &shelf, is_wanted, after.as_ref(), limit + 1);
            let (keys, mut kept): (Vec<_>, Vec<_>) = first.into_iter().unzip();
            kept.truncate(limit);
            (keys, view::look(&broker, kept))
        };
        let (keys, looked) = super::blocking(look).await?;
        let next = Page::cut(keys, limit, list, Key::clone).next;
        Ok(Page { items: self.seen(looked).await?, next })
    }

    async fn found(&self, me: &str, query: Option<&str>) -> Result<Option<Found>, ServiceError> {
        let Some(query) = query.map(str::trim).filter(|query| !query.is_empty()) else { return Ok(None) };
        if query.len() > QUERY_BYTES_MAX || query.chars().any(char::is_control) {
            return Err(ServiceError::because(
                ErrorCode::BadRequest,
                format!("`query` is at most {QUERY_BYTES_MAX} bytes, without control characters."),
            ));
        }
        let text = query.to_lowercase();
        let direct = self.directory.direct_dialogs_with(me, &text).await?.into_iter().collect();
        Ok(Some(Found { text, direct }))
    }
}

/// What a text was found in.
struct Found {
    /// In lower case.
    text: String,
    /// Direct dialogs by the other's name.
    direct: HashSet<String>,
}

impl Found {
    fn has(&self, kept: &Kept) -> bool {
        self.direct.contains(&kept.dialog.id) || kept.dialog.title.to_lowercase().contains(&self.text)
    }
}

/// The first `count` behind `after`, in order.
fn first(
    broker: &Broker,
    shelf: &[Arc<Kept>],
    is_wanted: impl Fn(&Kept) -> bool,
    after: Option<&Key>,
    count: usize,
) -> Vec<(Key, Arc<Kept>)> {
    let after = after.map(|key| (key.pinned_ms, key.activity_ms, key.id.as_str()));
    let mut keys: Vec<_> = shelf
        .iter()
        .filter(|kept| is_wanted(kept))
        .filter_map(|kept| {
            let bounds = kept.room.and_then(|room| broker.bounds(room).ok());
            let key =
                (Reverse(kept.member.pinned_ms), Reverse(activity_ms(kept, bounds.as_ref())), kept.dialog.id.as_str());
            (is_listed(kept, bounds.as_ref()) && after.is_none_or(|after| key > after)).then_some((key, kept))
        })
        .collect();
    if keys.len() > count {
        keys.select_nth_unstable_by_key(count, |(key, _)| *key);
        keys.truncate(count);
    }
    keys.sort_unstable_by_key(|(key, _)| *key);
    let own = |((pinned_ms, activity_ms, id), kept): (_, &Arc<Kept>)| {
        let id: &str = id;
        (Key { pinned_ms, activity_ms, id: id.to_owned() }, kept.clone())
    };
    keys.into_iter().map(own).collect()
}
