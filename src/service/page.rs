//! Lists in pages: how many at once, and where the next page begins.
//!
//! Owns the form of cursors. Invariant: a cursor is taken back only from whom it was given to, for the same list; it
//! carries no right, so that what a page shows is judged anew each time.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};
use utoipa::ToSchema;

use super::ServiceError;

/// Most items of one page.
pub const PAGE_MAX: u32 = 100;
/// Items of a page when nothing is said.
const PAGE: u32 = 50;
/// What of the hash stands before the key.
const SEAL_BYTES: usize = 8;

/// Part of a list.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Page<T> {
    /// The items, in the list's order.
    pub items: Vec<T>,
    /// Give it back as `cursor` for what follows; absent when nothing does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

impl<T> Page<T> {
    /// A page of `limit` from one item more than that, if there are as many. `key` is where the last shown item stands.
    pub(super) fn cut<K: Serialize>(
        mut items: Vec<T>,
        limit: usize,
        list: List<'_>,
        key: impl FnOnce(&T) -> K,
    ) -> Self {
        let more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| more).map(|last| list.cursor(&key(last)));
        Self { items, next }
    }

    /// Each item as something else.
    pub(super) fn map<U>(self, each: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(each).collect(), next: self.next }
    }
}

/// How many items are wanted at most.
///
/// # Errors
/// `bad_request` outside of 1 to 100.
pub(super) fn limit(asked: Option<u32>) -> Result<usize, ServiceError> {
    match asked.unwrap_or(PAGE) {
        count @ 1..=PAGE_MAX => Ok(count as usize),
        _ => Err(ServiceError::bad(format!("`limit` is from 1 to {PAGE_MAX}."))),
    }
}

/// A list as one caller sees it.
#[derive(Debug, Clone, Copy)]
pub(super) struct List<'a> {
    /// Which, with whatever it is narrowed by.
    pub name: &'a str,
    /// Who looks at it.
    pub caller: &'a str,
}

impl List<'_> {
    /// Where to go on behind an item.
    pub fn cursor(&self, key: &impl Serialize) -> String {
        let key = serde_json::to_vec(key).unwrap_or_default();
        let mut bytes = self.seal(&key).to_vec();
        bytes.extend(key);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The item to go on behind.
    ///
    /// # Errors
    /// `bad_request` for a cursor of another list or caller, or for what is none.
    pub fn after<K: DeserializeOwned>(&self, cursor: Option<&str>) -> Result<Option<K>, ServiceError> {
        let Some(cursor) = cursor else { return Ok(None) };
        let bytes = URL_SAFE_NO_PAD.decode(cursor).unwrap_or_default();
        let key = bytes.split_at_checked(SEAL_BYTES).filter(|(seal, key)| *seal == self.seal(key));
        let key = key.and_then(|(_, key)| serde_json::from_slice(key).ok());
        key.map(Some).ok_or_else(|| ServiceError::bad("The cursor is not one of this list for you. Begin without one."))
    }

    fn seal(&self, key: &[u8]) -> [u8; SEAL_BYTES] {
        let mut hash = Sha256::new();
        for part in [self.name.as_bytes(), self.caller.as_bytes(), key] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        std::array::from_fn({
            let hash = hash.finalize();
            move |index| hash[index]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_taken_from_its_owner_for_its_list() {
        let ann = List { name: "dialogs", caller: "ann" };
        let cursor = ann.cursor(&(7, "x"));
        assert_eq!(ann.after::<(u64, String)>(Some(&cursor)).unwrap(), Some((7, "x".into())));
        assert_eq!(ann.after::<u64>(None).unwrap(), None);
        for (list, cursor) in [
            (List { caller: "bob", ..ann }, cursor.as_str()),
            (List { name: "members", ..ann }, &cursor),
            (ann, ""),
            (ann, "AAAA"),
            (ann, "not base64!"),
            (ann, &cursor[1..]),
            (ann, &format!("{cursor}AAAA")),
        ] {
            let refused = list.after::<(u64, String)>(Some(cursor)).unwrap_err();
            assert_eq!(refused.code, konvert_protocol::ErrorCode::BadRequest, "{cursor}");
        }
        assert!(ann.after::<u64>(Some(&cursor)).is_err(), "a key of another form");
    }

    #[test]
    fn pages_end_where_the_list_ends() {
        let list = List { name: "l", caller: "ann" };
        let page = Page::cut(vec![1, 2, 3], 2, list, |last| *last);
        assert_eq!((page.items, list.after(page.next.as_deref()).unwrap()), (vec![1, 2], Some(2)));
        assert!(Page::cut(vec![1, 2], 2, list, |last| *last).next.is_none());
        for (asked, ok) in [(None, true), (Some(1), true), (Some(100), true), (Some(0), false), (Some(101), false)] {
            assert_eq!(limit(asked).is_ok(), ok, "{asked:?}");
        }
    }
}
