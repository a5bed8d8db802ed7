//! Who looks after what belongs to the whole server: administrators, and programs whose key has the scope for it.

use std::net::IpAddr;

use super::audit::Action;
use super::keys::{ApiKey, Scope};
use super::{Caller, Service, ServiceError};
use crate::auth::Pattern;

/// Somebody who wants to.
#[derive(Debug, Clone)]
pub enum Steward {
    /// A user, who must be an administrator.
    Person(Caller),
    /// A program, whose key must have the scope `webhooks`.
    Program(ApiKey, IpAddr),
}

impl Steward {
    /// The user's id, or the key's.
    pub fn name(&self) -> &str {
        match self {
            Self::Person(caller) => &caller.identity.user,
            Self::Program(key, _) => &key.id,
        }
    }

    /// Whether they may be told what happens in every room that a pattern matches.
    pub(super) fn reaches(&self, rooms: &str) -> bool {
        match self {
            Self::Person(_) => true,
            Self::Program(key, _) => Pattern::new(rooms).is_ok_and(|rooms| key.covers(&rooms)),
        }
    }

    fn address(&self) -> IpAddr {
        match self {
            Self::Person(caller) => caller.address,
            Self::Program(_, address) => *address,
        }
    }
}

impl Service {
    /// # Errors
    /// `forbidden` to whoever may not look after webhooks.
    pub(super) async fn must_steward(&self, steward: &Steward) -> Result<(), ServiceError> {
        match steward {
            Steward::Person(caller) => self.administrator(caller).await.map(drop),
            Steward::Program(key, _) => key.must(Scope::Webhooks),
        }
    }

    pub(super) async fn audit_steward(&self, steward: &Steward, action: Action, target: &str) {
        self.audit(steward.name(), action, target, steward.address(), "").await;
    }
}
