//! The way of a publish through the shard: its pace, whether its files may be named, the quota, the core.
//!
//! Invariant: what is not queued for the journal costs nothing of the quota; what the journal refuses is given back.

use konvert_protocol::v1;
use konvert_protocol::v1::client_frame::Body as Command;

use super::dispatch::{Answer, Awaited, Caller};
use super::session::IN_FLIGHT_MAX;
use super::shard::Shard;
use crate::auth::Permission;
use crate::broker::{Author, BrokerError, Submitted, Target};

/// How far a publish has come.
#[derive(Debug)]
pub(super) enum Publishing {
    /// It has just arrived.
    New,
    /// Its author may name its files.
    Named,
    /// The message that it relates to was looked for.
    Targeted(Target),
}

impl Shard {
    pub(super) fn publish(&mut self, caller: Caller, command: v1::Publish, stage: Publishing) -> Answer {
        if self.is_draining {
            return Err(BrokerError::ShuttingDown.into());
        }
        let (shared, now_ms, steady_ms) = (self.shared.clone(), self.clock.now_ms(), self.clock.steady_ms());
        let ticket = self.ticket();
        let Some(session) = self.session(caller.slot, caller.generation) else { return Ok(None) };
        let is_new = matches!(stage, Publishing::New);
        if is_new && !crate::sabotage::is("no_limits") {
            let rate = shared.config.publishes_per_second;
            session.publishes.take(rate, steady_ms).map_err(BrokerError::RateLimited)?;
        }
        if session.in_flight >= IN_FLIGHT_MAX {
            return Err(BrokerError::Overloaded.into());
        }
        let (info, allow) = shared.broker.room(&session.identity, &command.room)?;
        let Some(info) = info else {
            return self.create_then(caller, command.room.clone(), Command::Publish(command));
        };
        if is_new && !command.blobs.is_empty() && allow.contains(Permission::Publish) {
            self.name_then(caller, command)?;
            return Ok(None);
        }
        // Kept in case that the target must be read from disk first: payloads are shared, so this is cheap.
        let again = command.relation.is_some().then(|| command.clone());
        let (target, again_taken) = match stage {
            Publishing::Targeted(target) => (target, true),
            Publishing::New | Publishing::Named => (Target::NotRead, false),
        };
        let (author, directory) = (Author { identity: &session.identity, allow }, shared.broker.directory());
        directory.take_message(author.identity, again_taken)?;
        let submitted = shared.broker.publish(author, &info, command, &target, now_ms, ticket);
        if !matches!(submitted, Ok(Submitted::Queued)) {
            directory.give_back_message(&session.identity.user);
        }
        match submitted? {
            Submitted::Queued => {
                session.in_flight += 1;
                let user = session.identity.user.clone();
                self.await_outcome(caller, Awaited::Message(user));
            }
            Submitted::NeedsTarget(offset) => {
                if let Some(command) = again {
                    self.read_target_then(caller, info.id, offset, command)?;
                }
            }
        }
        Ok(None)
    }
}
