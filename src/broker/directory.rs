//! The seam to the directory: who is a member of which room, and who may still connect, as far as the core must know.
//!
//! Owns the questions. Refuses to know tables and accounts. Answers come from memory at once, because a shard asks; what
//! is not in memory is loaded, and whoever needs it waits, never the shard.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use konvert_protocol::ErrorCode;

use super::error::BrokerError;
use crate::auth::{Identity, Permissions};

/// What the names of rooms begin with whose rights come from memberships. No grant brings such a room into being.
pub const DIALOG_PREFIX: &str = "dialog-";

/// Whether a name is that of a dialog: nothing else with the prefix exists, so nothing else is looked for.
pub fn is_dialog(name: &str) -> bool {
    const ID_CHARACTERS: usize = 16;
    let id = name.strip_prefix(DIALOG_PREFIX);
    id.is_some_and(|id| id.len() == ID_CHARACTERS && id.bytes().all(|b| matches!(b, b'a'..=b'z' | b'2'..=b'7')))
}

/// Memberships and revocations. All methods but the loading ones answer from memory.
pub trait Directory: fmt::Debug + Send + Sync + 'static {
    /// What a user may do in a dialog by membership; `None`: it must be loaded first.
    fn allow(&self, dialog: &str, user: &str) -> Option<Permissions>;

    /// Loads who is in a dialog; afterwards [`Directory::allow`] knows, also if the dialog does not exist. After a
    /// failure it still does not.
    fn load(&self, dialog: &str) -> BoxFuture<'static, ()>;

    /// Why somebody with a valid token may not (any longer) come in.
    fn refusal(&self, identity: &Identity) -> Option<ErrorCode>;

    /// Whether somebody deleted their account: the name that their messages were stored with is told to nobody any more.
    fn is_deleted(&self, user: &str) -> bool;

    /// How an account is called now, if its tokens may say something else.
    fn name(&self, account: &str) -> Option<Arc<str>>;

    /// Takes one message from what a user may still publish: from their pace, which all their connections and requests
    /// share, and from their quota. `again`: from the quota alone, to which it was given back for as long as something had
    /// to be read.
    ///
    /// # Errors
    /// Which of the two is used up, with how long to wait: [`BrokerError::RateLimited`], [`BrokerError::QuotaExceeded`].
    fn take_message(&self, identity: &Identity, again: bool) -> Result<(), BrokerError>;

    /// Gives back a message that was taken and not stored.
    fn give_back_message(&self, user: &str);

    /// Takes one try from what may still be tried from an address by those who have not said who they are: a token that is
    /// refused, a guest who is new. Requests take from the same.
    ///
    /// # Errors
    /// How long to wait, milliseconds.
    fn take_try(&self, address: IpAddr) -> Result<(), u32>;

    /// Whether somebody may read all of these files, and so may name them in a room where they may publish; then the files
    /// stay for a while. `None`: it cannot be told now.
    fn may_name(&self, identity: &Identity, room: &str, blobs: Vec<String>) -> BoxFuture<'static, Option<bool>>;
}

/// A directory in which nobody is a member of anything and nobody is refused.
#[derive(Debug)]
pub struct NoDirectory;

impl Directory for NoDirectory {
    fn allow(&self, _: &str, _: &str) -> Option<Permissions> {
        Some(Permissions::default())
    }

    fn load(&self, _: &str) -> BoxFuture<'static, ()> {
        Box::pin(std::future::ready(()))
    }

    fn refusal(&self, _: &Identity) -> Option<ErrorCode> {
        None
    }

    fn is_deleted(&self, _: &str) -> bool {
        false
    }

    fn name(&self, _: &str) -> Option<Arc<str>> {
        None
    }

    fn take_message(&self, _: &Identity, _: bool) -> Result<(), BrokerError> {
        Ok(())
    }

    fn give_back_message(&self, _: &str) {}

    fn take_try(&self, _: IpAddr) -> Result<(), u32> {
        Ok(())
    }

    fn may_name(&self, _: &Identity, _: &str, _: Vec<String>) -> BoxFuture<'static, Option<bool>> {
        Box::pin(std::future::ready(Some(true)))
    }
}
