//! Commands that must wait for a room to be created or for the disk: they go on when that is done, and meanwhile nobody
//! waits for them. A session has few such places at a time.

use konvert_protocol::v1;
use konvert_protocol::v1::client_frame::Body as Command;

use super::dispatch::{Answer, Caller};
use super::publishing::Publishing;
use super::session::DISK_READS_MAX;
use super::shard::Shard;
use crate::broker::{Broker, BrokerError, Target};
use crate::journal::{Page, ReadRange, RoomId};

impl Shard {
    /// Creates the room, then does the command.
    pub(super) fn create_then(&mut self, caller: Caller, name: String, command: Command) -> Answer {
        let (me, broker) = (self.me.clone(), self.shared.broker.clone());
        let Some(session) = self.session(caller.slot, caller.generation) else { return Ok(None) };
        let e2ee = session.identity.grants.e2ee(&name);
        self.take_disk_place(caller)?;
        tokio::task::spawn_local(async move {
            let created = broker.ensure(&name, e2ee).await;
            let Some(shard) = me.upgrade() else { return };
            let mut shard = shard.borrow_mut();
            shard.give_back_disk_place(caller);
            let answer = match created {
                Ok(_) => shard.on_command(caller, command),
                Err(error) => Err(error.into()),
            };
            shard.answer(caller, answer);
            shard.flush();
        });
        Ok(None)
    }

    /// Asks whether the author may name the files, then publishes.
    pub(super) fn name_then(&mut self, caller: Caller, command: v1::Publish) -> Result<(), BrokerError> {
        let (me, shared) = (self.me.clone(), self.shared.clone());
        let Some(session) = self.session(caller.slot, caller.generation) else { return Ok(()) };
        let directory = shared.broker.directory();
        let asking = directory.may_name(&session.identity, &command.room, command.blobs.clone());
        self.take_disk_place(caller)?;
        tokio::task::spawn_local(async move {
            let may_name = asking.await;
            let Some(shard) = me.upgrade() else { return };
            let mut shard = shard.borrow_mut();
            shard.give_back_disk_place(caller);
            let answer = match BrokerError::of_naming(may_name) {
                Ok(()) => shard.publish(caller, command, Publishing::Named),
                Err(error) => Err(error.into()),
            };
            shard.answer(caller, answer);
            shard.flush();
        });
        Ok(())
    }

    /// Reads the message that a publish relates to, then publishes.
    pub(super) fn read_target_then(
        &mut self,
        caller: Caller,
        room: RoomId,
        offset: u64,
        command: v1::Publish,
    ) -> Result<(), BrokerError> {
        let read = move |broker: &Broker| broker.read_target(room, offset);
        self.block_then(caller, read, move |shard, target: Target| {
            shard.publish(caller, command, Publishing::Targeted(target))
        })
    }

    pub(super) fn read_then(
        &mut self,
        caller: Caller,
        room: RoomId,
        range: ReadRange,
        then: impl FnOnce(&mut Shard, Page) -> Answer + 'static,
    ) -> Result<(), BrokerError> {
        self.block_then(caller, move |broker: &Broker| broker.read(room, range), then)
    }

    /// Does something that blocks on another thread, then goes on here and answers.
    fn block_then<T: Send + 'static>(
        &mut self,
        caller: Caller,
        block: impl FnOnce(&Broker) -> Result<T, BrokerError> + Send + 'static,
        then: impl FnOnce(&mut Shard, T) -> Answer + 'static,
    ) -> Result<(), BrokerError> {
        self.take_disk_place(caller)?;
        let (me, broker) = (self.me.clone(), self.shared.broker.clone());
        tokio::task::spawn_local(async move {
            let done = tokio::task::spawn_blocking(move || block(&broker)).await;
            let Some(shard) = me.upgrade() else { return };
            let mut shard = shard.borrow_mut();
            shard.give_back_disk_place(caller);
            let answer = match done {
                Ok(Ok(value)) => then(&mut shard, value),
                Ok(Err(error)) => Err(error.into()),
                Err(_) => Err(BrokerError::Unreadable.into()),
            };
            shard.answer(caller, answer);
            shard.flush();
        });
        Ok(())
    }

    fn take_disk_place(&mut self, caller: Caller) -> Result<(), BrokerError> {
        const RETRY_MS: u32 = 50;
        match self.session(caller.slot, caller.generation) {
            Some(session) if session.disk_reads < DISK_READS_MAX => {
                session.disk_reads += 1;
                Ok(())
            }
            _ => Err(BrokerError::RateLimited(RETRY_MS)),
        }
    }

    fn give_back_disk_place(&mut self, caller: Caller) {
        if let Some(session) = self.session(caller.slot, caller.generation) {
            session.disk_reads = session.disk_reads.saturating_sub(1);
        }
    }
}
