//! From the inbox to the outboxes: pushes are offered to subscribers room by room, and whoever missed something is
//! brought up to date from the log.

use std::collections::HashMap;
use std::sync::Arc;

use konvert_protocol::CloseCode;

use super::shard::Shard;
use super::transport::framed;
use crate::broker::{Budget, Delivery, Push, Start, Want};
use crate::journal::{Position, RoomId};

impl Shard {
    /// Does what came through the inbox.
    pub fn on_deliveries(&mut self, deliveries: impl Iterator<Item = Delivery>) {
        let mut rooms: Vec<(RoomId, Vec<Arc<Push>>)> = Vec::new();
        let mut places: HashMap<RoomId, usize> = HashMap::new();
        for delivery in deliveries {
            match delivery {
                Delivery::Push(push) => {
                    let room = push.room();
                    match rooms.last_mut() {
                        Some((last, pushes)) if *last == room => pushes.push(push),
                        _ => {
                            let place = *places.entry(room).or_insert(rooms.len());
                            match rooms.get_mut(place) {
                                Some((_, pushes)) => pushes.push(push),
                                None => rooms.push((room, vec![push])),
                            }
                        }
                    }
                }
                Delivery::Outcome(outcome) => self.on_outcome(outcome),
                Delivery::Lost => {
                    // First what was queued before the loss, shared and encoded once; the rest is for the log.
                    places.clear();
                    for (room, pushes) in std::mem::take(&mut rooms) {
                        self.offer(room, &pushes);
                    }
                    self.flush();
                    self.bring_all_up();
                }
                Delivery::Access(change) => {
                    // First what was said before it, so that it does not reach anybody after it.
                    places.clear();
                    for (room, pushes) in std::mem::take(&mut rooms) {
                        self.offer(room, &pushes);
                    }
                    self.on_access(&change);
                }
                Delivery::Tell { user, push } => self.on_tell(&user, &push),
                Delivery::Errand(errand) => self.on_errand(*errand),
                Delivery::Drain => self.drain(),
            }
        }
        for (room, pushes) in rooms {
            self.offer(room, &pushes);
        }
        self.flush();
    }

    fn offer(&mut self, room: RoomId, pushes: &[Arc<Push>]) {
        let Self { audience, connections, dirty, tally, .. } = self;
        let lagging = audience.offer(room, pushes, framed, |slot, bytes, frames| {
            let Some(connection) = connections.get_mut(slot as usize) else { return };
            connection.outbox.push(bytes.clone(), frames);
            tally.deliveries += frames as u64;
            if !std::mem::replace(&mut connection.is_dirty, true) {
                dirty.push(slot);
            }
        });
        for slot in lagging {
            self.bring_up(room, slot);
        }
    }

    /// Pushes were shed: everybody who missed messages gets them from the log.
    fn bring_all_up(&mut self) {
        let rooms: Vec<_> = self.audience.rooms().map(|room| room.info.id).collect();
        for room in rooms {
            let Ok(bounds) = self.shared.broker.bounds(room) else { continue };
            for slot in self.audience.behind(room, bounds.last) {
                self.bring_up(room, slot);
            }
        }
    }

    /// Gives a subscriber what it missed, from memory; one that missed more is closed and resumes.
    fn bring_up(&mut self, room: RoomId, slot: u32) {
        let Some(connection) = self.connections.get_mut(slot as usize) else { return };
        let (generation, form) = (connection.generation, connection.transport.form());
        let Some(next) = self.audience.next_mut(room, slot) else { return };
        let (broker, budget) = (&self.shared.broker, self.shared.broker.page_budget());
        let outbox_count = self.shared.config.outbox_count;
        let Ok(bounds) = broker.bounds(room) else { return };
        let since = Want::Since(Position { epoch: bounds.epoch, offset: *next - 1 });
        match broker.start(room, since, Budget { count: outbox_count / 2, bytes: budget.bytes }) {
            Ok(Start::Attached { records, next: now_next, .. }) => {
                *next = now_next;
                let name = connection.session().and_then(|s| s.subscription(room)).map(|s| s.room.info.name.clone());
                for record in records {
                    let push = Push::message(room, name.clone().unwrap_or_default(), record);
                    connection.outbox.push(push.bytes(form, framed).clone(), 1);
                }
                self.mark_dirty(slot);
                self.relieve(slot, generation);
            }
            _ => {
                self.tally.slow_consumers += 1;
                self.close(slot, generation, CloseCode::SlowConsumer);
            }
        }
    }
}
