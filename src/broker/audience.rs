//! The subscribers that one shard has, by room. Owned by the shard's thread, so that offering a push to a thousand
//! subscribers takes no lock.
//!
//! Invariant, and the whole of "no gap, no duplicate" on the live path: a subscriber is given a message only if its
//! offset is exactly the one it needs next. An earlier one it has already; a later one means that something was missed,
//! and then it is reported as lagging and brought up to date from the log.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use konvert_protocol::v1;

use super::form::Form;
use super::push::Push;
use super::room::Room;
use crate::journal::RoomId;

type Map<K, V> = HashMap<K, V, rapidhash::fast::RandomState>;

/// Turns a frame into the bytes to be written.
pub type Framed = fn(Form, &v1::ServerFrame) -> Bytes;

/// The subscribers of one shard.
#[derive(Debug)]
pub struct Audience {
    shard: u16,
    rooms: Map<RoomId, LocalRoom>,
    /// Where in its room's list a slot's subscription stands, so that leaving a big room is cheap.
    places: Map<(RoomId, u32), Place>,
}

#[derive(Debug)]
struct LocalRoom {
    room: Arc<Room>,
    /// By [`Form::index`]: all of one list are given the same bytes.
    subscribers: [Vec<Subscriber>; Form::ALL.len()],
}

#[derive(Debug, Clone, Copy)]
struct Subscriber {
    slot: u32,
    presence: bool,
    /// The offset of the next message it needs.
    next: u64,
}

#[derive(Debug, Clone, Copy)]
struct Place {
    form: Form,
    index: u32,
}

/// Consecutive pushes of one room, offered together.
struct Run<'a> {
    shard: u16,
    pushes: &'a [Arc<Push>],
    /// First and last offset of the stored messages among them, if any.
    messages: Option<(u64, u64)>,
    /// The messages have no hole.
    dense: bool,
    any_presence: bool,
    any_excluded: bool,
}

impl Audience {
    /// Nobody yet, for this shard.
    pub fn new(shard: u16) -> Self {
        Self { shard, rooms: Map::default(), places: Map::default() }
    }

    /// Adds a subscriber whose next message is `next`. The caller has acquired the room for this shard.
    pub fn add(&mut self, room: &Arc<Room>, slot: u32, form: Form, presence: bool, next: u64) {
        let id = room.info.id;
        let local =
            self.rooms.entry(id).or_insert_with(|| LocalRoom { room: room.clone(), subscribers: Default::default() });
        let list = &mut local.subscribers[form.index()];
        self.places.insert((id, slot), Place { form, index: list.len() as u32 });
        list.push(Subscriber { slot, presence, next });
    }

    /// Removes a subscriber; false if it was none.
    pub fn remove(&mut self, room: RoomId, slot: u32) -> bool {
        let Some(place) = self.places.remove(&(room, slot)) else { return false };
        let Some(local) = self.rooms.get_mut(&room) else { return false };
        let list = &mut local.subscribers[place.form.index()];
        list.swap_remove(place.index as usize);
        if let Some(moved) = list.get(place.index as usize) {
            self.places.insert((room, moved.slot), place);
        }
        if local.subscribers.iter().all(Vec::is_empty) {
            self.rooms.remove(&room);
        }
        true
    }

    /// The rooms that have subscribers here.
    pub fn rooms(&self) -> impl Iterator<Item = &Arc<Room>> {
        self.rooms.values().map(|local| &local.room)
    }

    /// The slots of a room's subscribers here.
    pub fn slots(&self, room: RoomId) -> impl Iterator<Item = u32> {
        let all = self.rooms.get(&room).into_iter().flat_map(|local| local.subscribers.iter().flatten());
        all.map(|subscriber| subscriber.slot)
    }

    /// Number of subscriptions here.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether nobody is subscribed here.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Subscribers of a room that have not been given everything up to `last`.
    pub fn behind(&self, room: RoomId, last: u64) -> Vec<u32> {
        let all = self.rooms.get(&room).into_iter().flat_map(|local| local.subscribers.iter().flatten());
        all.filter(|subscriber| subscriber.next <= last).map(|subscriber| subscriber.slot).collect()
    }

    /// A subscriber gets no presence any more.
    pub fn hide(&mut self, room: RoomId, slot: u32) {
        if let Some(subscriber) = self.find_mut(room, slot) {
            subscriber.presence = false;
        }
    }

    /// The offset a subscriber needs next, to be moved on when it was given messages from the log.
    pub fn next_mut(&mut self, room: RoomId, slot: u32) -> Option<&mut u64> {
        self.find_mut(room, slot).map(|subscriber| &mut subscriber.next)
    }

    fn find_mut(&mut self, room: RoomId, slot: u32) -> Option<&mut Subscriber> {
        let place = self.places.get(&(room, slot))?;
        self.rooms.get_mut(&room)?.subscribers[place.form.index()].get_mut(place.index as usize)
    }

    /// Offers pushes of one room, in order, to its subscribers here. `deliver` gets a slot, bytes and the number of
    /// frames in them. Returns the slots that missed something.
    pub fn offer(
        &mut self,
        room: RoomId,
        pushes: &[Arc<Push>],
        framed: Framed,
        mut deliver: impl FnMut(u32, &Bytes, usize),
    ) -> Vec<u32> {
        let mut lagging = Vec::new();
        let Some(local) = self.rooms.get_mut(&room) else { return lagging };
        let run = Run::of(self.shard, pushes);
        for form in Form::ALL {
            let list = &mut local.subscribers[form.index()];
            if list.is_empty() {
                continue;
            }
            let whole = run.bytes(form, framed);
            for subscriber in list {
                if run.fits(subscriber) {
                    deliver(subscriber.slot, &whole, pushes.len());
                    if let Some((_, last)) = run.messages {
                        subscriber.next = last + 1;
                    }
                    continue;
                }
                let slot = subscriber.slot;
                if !run.offer_singly(subscriber, |push| deliver(slot, push.bytes(form, framed), 1)) {
                    lagging.push(slot);
                }
            }
        }
        lagging
    }
}

impl<'a> Run<'a> {
    fn of(shard: u16, pushes: &'a [Arc<Push>]) -> Self {
        let mut run = Self { shard, pushes, messages: None, dense: true, any_presence: false, any_excluded: false };
        for push in pushes {
            run.any_presence |= push.is_presence();
            run.any_excluded |= push.excluded().is_some();
            let Some(offset) = push.offset() else { continue };
            run.messages = match run.messages {
                None => Some((offset, offset)),
                Some((first, last)) => {
                    run.dense &= offset == last + 1;
                    Some((first, offset))
                }
            };
        }
        run
    }

    /// All the bytes of the run, in one piece.
    fn bytes(&self, form: Form, framed: Framed) -> Bytes {
        if let [push] = self.pushes {
            return push.bytes(form, framed).clone();
        }
        let parts = self.pushes.iter().map(|push| push.bytes(form, framed));
        let mut whole = Vec::with_capacity(parts.clone().map(Bytes::len).sum());
        parts.for_each(|part| whole.extend_from_slice(part));
        whole.into()
    }

    /// Whether a subscriber gets exactly the whole run.
    fn fits(&self, subscriber: &Subscriber) -> bool {
        if crate::sabotage::is("reorder") {
            return true;
        }
        self.dense
            && self.messages.is_none_or(|(first, _)| first == subscriber.next)
            && (!self.any_presence || subscriber.presence)
            && (!self.any_excluded || !self.pushes.iter().any(|push| self.excludes(push, subscriber)))
    }

    fn excludes(&self, push: &Push, subscriber: &Subscriber) -> bool {
        push.excluded().is_some_and(|from| from.shard == self.shard && from.slot == subscriber.slot)
    }

    /// Gives a subscriber what it needs of the pushes; false if a message before one of them is missing.
    fn offer_singly(&self, subscriber: &mut Subscriber, mut deliver: impl FnMut(&Arc<Push>)) -> bool {
        let mut complete = true;
        for push in self.pushes {
            let wanted = match push.offset() {
                Some(offset) => {
                    complete &= offset <= subscriber.next;
                    let wanted = offset == subscriber.next;
                    subscriber.next += u64::from(wanted);
                    wanted
                }
                None => (!push.is_presence() || subscriber.presence) && !self.excludes(push, subscriber),
            };
            if wanted {
                deliver(push);
            }
        }
        complete
    }
}

#[cfg(test)]
mod tests {
    use konvert_protocol::Encoding;

    use super::*;
    use crate::broker::push::SessionKey;
    use crate::journal::{Kind, Mode, Record, RoomInfo};

    const ROOM: RoomId = RoomId(7);

    fn room() -> Arc<Room> {
        Room::new(RoomInfo { id: ROOM, name: "r".into(), mode: Mode::ServerReadable }, 2)
    }

    fn message(offset: u64) -> Arc<Push> {
        let record = Record {
            offset,
            ordinal: offset,
            time_ms: 0,
            kind: Kind::Message,
            relation: None,
            sender: "u".into(),
            sender_name: "".into(),
            message_id: "m".into(),
            payload: Bytes::new(),
            extras: None,
            erased: false,
        };
        Push::message(ROOM, "r".into(), Arc::new(record))
    }

    fn signal(shard: u16, slot: u32) -> Arc<Push> {
        Push::signal(ROOM, "r".into(), "u".into(), Bytes::new(), SessionKey { shard, slot, generation: 0 })
    }

    fn framed(_: Form, frame: &v1::ServerFrame) -> Bytes {
        match &frame.body {
            Some(v1::server_frame::Body::Message(message)) => format!("{} ", message.offset),
            Some(v1::server_frame::Body::Signal(_)) => "s ".to_owned(),
            _ => "? ".to_owned(),
        }
        .into()
    }

    /// What each slot got, and who lags.
    fn offer(audience: &mut Audience, pushes: &[Arc<Push>]) -> (HashMap<u32, String>, Vec<u32>) {
        let mut got: HashMap<u32, String> = HashMap::new();
        let lagging = audience.offer(ROOM, pushes, framed, |slot, bytes, _| {
            got.entry(slot).or_default().push_str(std::str::from_utf8(bytes).expect("ascii"));
        });
        (got, lagging)
    }

    #[test]
    fn everybody_gets_exactly_what_is_next() {
        let (room, mut audience) = (room(), Audience::new(0));
        audience.add(&room, 1, Form::Message(Encoding::Protobuf), false, 5);
        audience.add(&room, 2, Form::Message(Encoding::Json), false, 6);
        audience.add(&room, 3, Form::Message(Encoding::Protobuf), false, 4);
        let (got, lagging) = offer(&mut audience, &[message(5), signal(0, 1), message(6)]);
        assert_eq!(got[&1], "5 6 ", "its own signal is left out");
        assert_eq!(got[&2], "s 6 ", "5 it has already");
        assert_eq!(got[&3], "s ", "4 is missing: no message out of order");
        assert_eq!(lagging, [3]);
        assert_eq!(audience.next_mut(ROOM, 2), Some(&mut 7));
        assert_eq!(audience.behind(ROOM, 6), [3]);
    }

    #[test]
    fn a_hole_in_a_run_is_not_jumped() {
        let (room, mut audience) = (room(), Audience::new(0));
        audience.add(&room, 1, Form::Message(Encoding::Json), false, 1);
        let (got, lagging) = offer(&mut audience, &[message(1), message(3)]);
        assert_eq!((got[&1].as_str(), lagging.as_slice()), ("1 ", [1].as_slice()));
    }

    #[test]
    fn the_same_slot_of_another_shard_is_somebody_else() {
        let (room, mut audience) = (room(), Audience::new(0));
        audience.add(&room, 1, Form::Message(Encoding::Json), false, 1);
        assert_eq!(offer(&mut audience, &[signal(1, 1)]).0[&1], "s ");
        assert!(offer(&mut audience, &[signal(0, 1)]).0.is_empty());
    }

    #[test]
    fn leaving_keeps_the_places_of_others() {
        let (room, mut audience) = (room(), Audience::new(0));
        (0..4).for_each(|slot| audience.add(&room, slot, Form::Message(Encoding::Json), false, 1));
        assert!(audience.remove(ROOM, 0) && audience.remove(ROOM, 2) && !audience.remove(ROOM, 2));
        let (got, _) = offer(&mut audience, &[message(1)]);
        let mut slots: Vec<_> = got.into_keys().collect();
        slots.sort_unstable();
        assert_eq!(slots, [1, 3]);
        assert!(audience.remove(ROOM, 1) && audience.remove(ROOM, 3) && audience.is_empty());
        assert_eq!(audience.rooms().count(), 0);
    }
}
