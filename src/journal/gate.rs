//! Whether writes are accepted, and what an operator should know about it.
//!
//! Invariant: once poisoned, closed until the process restarts. Low space closes it too, and opens it again.

use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

const DAMAGE_MAX: usize = 16;

#[derive(Default)]
struct Reasons {
    poison: Option<String>,
    space: Option<String>,
    damage: Vec<String>,
}

/// See the head of the file.
#[derive(Default)]
pub(crate) struct Gate {
    closed: AtomicBool,
    reasons: Mutex<Reasons>,
}

impl Gate {
    /// Why nothing is accepted, if so.
    pub fn closed_because(&self) -> Option<String> {
        if !self.closed.load(Ordering::Acquire) {
            return None;
        }
        let reasons = self.reasons.lock();
        reasons.poison.clone().or_else(|| reasons.space.clone())
    }

    /// Why nothing is written any more until the process restarts, if so. Low space is not that: then what gives space
    /// back goes on.
    pub fn poisoned_because(&self) -> Option<String> {
        self.closed_because()?;
        self.reasons.lock().poison.clone()
    }

    /// Closes for good; the first reason is kept.
    pub fn poison(&self, reason: String) {
        tracing::error!(%reason, "the journal takes no more writes until the process restarts");
        self.reasons.lock().poison.get_or_insert(reason);
        self.closed.store(true, Ordering::Release);
    }

    /// Closes because of low space, or opens again.
    pub fn set_space(&self, reason: Option<String>) {
        let mut reasons = self.reasons.lock();
        match &reason {
            Some(reason) if reasons.space.is_none() => tracing::error!(%reason, "the journal is read-only for now"),
            None if reasons.space.is_some() => tracing::warn!("there is enough space again"),
            _ => {}
        }
        reasons.space = reason;
        self.closed.store(reasons.poison.is_some() || reasons.space.is_some(), Ordering::Release);
    }

    /// Remembers damage; the same once.
    pub fn damage(&self, text: String) {
        let mut reasons = self.reasons.lock();
        if reasons.damage.contains(&text) {
            return;
        }
        tracing::error!(damage = %text, "stored data is damaged");
        if reasons.damage.len() == DAMAGE_MAX {
            reasons.damage.remove(0);
        }
        reasons.damage.push(text);
    }

    /// Damage found since start, newest last.
    pub fn damages(&self) -> Vec<String> {
        self.reasons.lock().damage.clone()
    }
}
