//! The record of what was done that matters for security: who, what, to whom, from where.
//!
//! Invariants: never a secret in it, nor anything that names a person but their id, so that it may stay when an account
//! goes. An action whose record fails has still been done; the failure is in the log.

use std::net::IpAddr;

use super::Service;
use crate::auth::random_base32;
use crate::directory::AuditEntry;

impl Service {
    /// Records an action. `actor` is the id of a user or of an API key, or empty when nobody is known; `action` is a word
    /// such as `role_changed`; `target` an id, or empty; `detail` what else one would want to know, without names and
    /// secrets.
    pub async fn audit(&self, actor: &str, action: &'static str, target: &str, address: IpAddr, detail: &str) {
        let entry = AuditEntry {
            id: format!("aud-{}", random_base32()),
            at_ms: (self.now_ms)(),
            actor: actor.to_owned(),
            action: action.to_owned(),
            target: target.to_owned(),
            address: address.to_string(),
            detail: detail.to_owned(),
        };
        tracing::debug!(actor, action, target, %address, detail, "audit");
        if let Err(error) = self.directory.add_audit(&entry).await {
            tracing::error!(%error, action, "an action could not be recorded");
        }
    }
}
