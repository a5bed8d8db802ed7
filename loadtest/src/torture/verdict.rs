//! The verdict: what the evidence says about the server. Pure: history in, counts and examples out.
//!
//! An acked message must be stored once, where the ack said, as it was written. A message with an unknown outcome may be
//! stored once or not at all. Offsets have no holes; every reader saw what is stored, in that order; a message acked
//! before another was sent stands before it. Damage that the server reports is not loss: it did not serve it.

use super::history::{Event, History, RoomListing, State};
use super::message::{Content, Key};

/// Most examples kept of each fault.
const EXAMPLES_MAX: usize = 5;

/// What is wrong, counted. All zero is what is promised.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Acked, or delivered to a reader, and not stored.
    pub lost: u64,
    /// Stored though never sent, or refused every time it was sent.
    pub unexpected: u64,
    /// Stored twice under one id, or delivered twice to one reader.
    pub duplicates: u64,
    /// Holes in the offsets of a room, or in what a reader got.
    pub gaps: u64,
    /// Readers that saw another order than is stored, or an acked message behind one that was sent later.
    pub order: u64,
    /// Stored or delivered with other content than was sent.
    pub wrong_content: u64,
    /// Acks that name another place, a conflict that was not noticed, a duplicate that was none.
    pub wrong_acks: u64,
    /// Stored messages that the server reports as damaged. No fault in itself.
    pub reported_damaged: u64,
    /// Acks given.
    pub acks: u64,
    /// Faults of the tester's doing.
    pub faults: u64,
    /// Some of what is wrong, in words.
    pub examples: Vec<String>,
}

impl Verdict {
    /// The counts that must be zero, with their names.
    pub fn counts(&self) -> [(&'static str, u64); 7] {
        [
            ("lost", self.lost),
            ("unexpected", self.unexpected),
            ("duplicates", self.duplicates),
            ("gaps", self.gaps),
            ("order", self.order),
            ("wrong_content", self.wrong_content),
            ("wrong_acks", self.wrong_acks),
        ]
    }

    /// Adds the counts of another verdict.
    pub fn add(&mut self, other: &Verdict) {
        self.lost += other.lost;
        self.unexpected += other.unexpected;
        self.duplicates += other.duplicates;
        self.gaps += other.gaps;
        self.order += other.order;
        self.wrong_content += other.wrong_content;
        self.wrong_acks += other.wrong_acks;
        self.reported_damaged += other.reported_damaged;
        self.acks += other.acks;
        self.faults += other.faults;
    }

    /// Whether nothing is wrong.
    pub fn is_clean(&self) -> bool {
        self.counts().iter().all(|&(_, count)| count == 0)
    }

    /// The faults found, in a few words.
    pub fn summary(&self) -> String {
        let found: Vec<String> = self
            .counts()
            .iter()
            .filter(|(_, count)| *count > 0)
            .map(|(name, count)| format!("{name} {count}"))
            .collect();
        if found.is_empty() { "clean".into() } else { found.join(", ") }
    }
}

/// What is known of one message.
#[derive(Clone, Default)]
struct Message {
    content: Option<Content>,
    /// Number of the event that first sent it.
    sent_at: usize,
    attempts: u32,
    refusals: u32,
    /// Number of the event of the first ack, its epoch and offset.
    acked: Option<(usize, u64, u64)>,
    /// Offset where it was found stored.
    found: Option<u64>,
}

struct Judge<'a> {
    history: &'a History,
    /// By writer and counter.
    messages: Vec<Vec<Message>>,
    /// The next offset of each reader in each room.
    next: Vec<Vec<u64>>,
    verdict: Verdict,
}

/// Judges the evidence.
pub fn judge(history: &History) -> Verdict {
    let next = vec![vec![1; history.rooms.len()]; history.readers as usize];
    let mut judge = Judge { history, messages: Vec::new(), next, verdict: Verdict::default() };
    for (at, event) in history.events.iter().enumerate() {
        judge.event(at, event);
    }
    for (room, listing) in history.rooms.iter().enumerate() {
        judge.room(room as u32, listing);
    }
    judge.acked_messages();
    for (room, listing) in history.rooms.iter().enumerate() {
        judge.real_time_order(room as u32, listing);
    }
    judge.completeness();
    judge.verdict
}

impl Judge<'_> {
    fn message(&mut self, key: Key) -> &mut Message {
        let (writer, counter) = (key.writer as usize, key.counter as usize);
        if self.messages.len() <= writer {
            self.messages.resize_with(writer + 1, Vec::new);
        }
        let messages = &mut self.messages[writer];
        if messages.len() <= counter {
            messages.resize(counter + 1, Message::default());
        }
        &mut messages[counter]
    }

    fn event(&mut self, at: usize, event: &Event) {
        match *event {
            Event::Sent(content) => {
                let message = self.message(content.key);
                if message.content.is_none() {
                    message.content = Some(content);
                    message.sent_at = at;
                }
                message.attempts += 1;
            }
            Event::Acked { key, epoch, offset, duplicate } => self.acked(at, key, epoch, offset, duplicate),
            Event::Refused { key, .. } => self.message(key).refusals += 1,
            Event::Conflicted { key, offset } => {
                if self.message(key).acked.is_none_or(|(_, _, original)| original != offset) {
                    self.wrong_ack(format!("{key:?}: the conflict names offset {offset}, not the original's"));
                }
            }
            Event::OtherAccepted { key } => {
                self.wrong_ack(format!("{key:?}: accepted again with other content"));
            }
            Event::FalseConflict { key } => {
                self.wrong_ack(format!("{key:?}: refused as other content, which it is not"));
            }
            Event::ListedOtherwise { room } => {
                self.verdict.order += 1;
                self.example(format!("room {room}: two readers of the whole history read different things"));
            }
            Event::Delivered { reader, room, offset, content } => self.delivered(reader, room, offset, content),
            Event::ResumeRefused { reader, room, code } => {
                self.verdict.lost += 1;
                self.example(format!("reader {reader} may not resume in room {room}: error {code}"));
            }
            Event::Fault => self.verdict.faults += 1,
        }
    }

    fn acked(&mut self, at: usize, key: Key, epoch: u64, offset: u64, duplicate: bool) {
        self.verdict.acks += 1;
        let message = self.message(key);
        let wrong = match message.acked {
            Some((_, first_epoch, first_offset)) => (first_epoch, first_offset) != (epoch, offset) || !duplicate,
            None => {
                message.acked = Some((at, epoch, offset));
                duplicate && message.attempts == 1
            }
        };
        if wrong {
            let first = self.message(key).acked;
            self.wrong_ack(format!(
                "{key:?} acked at ({epoch}, {offset}), duplicate {duplicate}; the first ack (event, epoch, offset): {first:?}"
            ));
        }
    }

    fn delivered(&mut self, reader: u32, room: u32, offset: u64, content: Option<Content>) {
        let Some(next) = self.next.get_mut(reader as usize).and_then(|rooms| rooms.get_mut(room as usize)) else {
            return;
        };
        let awaited = std::mem::replace(next, (*next).max(offset + 1));
        if offset > awaited {
            self.verdict.gaps += offset - awaited;
            self.example(format!("reader {reader}, room {room}: offset {offset} came where {awaited} was due"));
        } else if offset < awaited {
            self.verdict.duplicates += 1;
            self.example(format!("reader {reader}, room {room}: offset {offset} came again, {awaited} was due"));
        }
        let stored = self.history.rooms.get(room as usize).and_then(|listing| at_offset(listing, offset));
        match (content, stored) {
            (None, _) => {
                self.verdict.wrong_content += 1;
                self.example(format!("reader {reader}, room {room}, offset {offset}: not what a writer wrote"));
            }
            (Some(seen), Some(State::Whole(stored))) if seen != stored => {
                self.verdict.order += 1;
                self.example(format!(
                    "reader {reader}, room {room}, offset {offset}: saw {seen:?}, stored is {stored:?}"
                ));
            }
            (Some(seen), None) => {
                self.verdict.lost += 1;
                self.example(format!("reader {reader} saw {seen:?} in room {room} at {offset}; it is not stored"));
            }
            _ => {}
        }
    }

    fn room(&mut self, room: u32, listing: &RoomListing) {
        let mut awaited = 1;
        for stored in &listing.stored {
            if stored.offset != awaited {
                self.verdict.gaps += stored.offset.abs_diff(awaited);
                self.example(format!("room {room}: offset {} stands where {awaited} should", stored.offset));
            }
            awaited = stored.offset + 1;
            match stored.state {
                State::Whole(content) => self.stored(room, stored.offset, content),
                State::Foreign => {
                    self.verdict.wrong_content += 1;
                    self.example(format!("room {room}, offset {}: not what a writer wrote", stored.offset));
                }
                State::ReportedDamaged => self.verdict.reported_damaged += 1,
            }
        }
        if awaited <= listing.last_offset {
            self.verdict.gaps += listing.last_offset + 1 - awaited;
            self.example(format!(
                "room {room}: ends at {}, but nothing was read from {awaited} on",
                listing.last_offset
            ));
        }
    }

    fn stored(&mut self, room: u32, offset: u64, content: Content) {
        let message = self.message(content.key);
        let before = message.found.replace(offset);
        let (sent, refused) = (message.content, message.attempts > 0 && message.refusals == message.attempts);
        if let Some(before) = before {
            self.verdict.duplicates += 1;
            self.example(format!("room {room}: {:?} is stored at {before} and at {offset}", content.key));
        }
        match sent {
            Some(sent) if sent.crc != content.crc => {
                self.verdict.wrong_content += 1;
                self.example(format!("room {room}, offset {offset}: {content:?} where {sent:?} was sent"));
            }
            Some(_) if content.room == room && !refused => {}
            _ => {
                self.verdict.unexpected += 1;
                self.example(format!("room {room}, offset {offset}: {content:?} should not be here"));
            }
        }
    }

    fn acked_messages(&mut self) {
        let messages = std::mem::take(&mut self.messages);
        for message in messages.iter().flatten() {
            let (Some(content), Some((_, epoch, offset))) = (message.content, message.acked) else { continue };
            let Some(listing) = self.history.rooms.get(content.room as usize) else { continue };
            if at_offset(listing, offset) == Some(State::ReportedDamaged) {
                continue;
            }
            match message.found {
                None => {
                    self.verdict.lost += 1;
                    self.example(format!("{content:?} was acked at offset {offset} and is not stored"));
                }
                Some(found) if found != offset || listing.epoch != epoch => {
                    self.wrong_ack(format!("{content:?} was acked at ({epoch}, {offset}) and is at {found}"));
                }
                Some(_) => {}
            }
        }
        self.messages = messages;
    }

    /// Nothing may stand before what was acked before it was sent.
    fn real_time_order(&mut self, room: u32, listing: &RoomListing) {
        let mut first_ack_behind = usize::MAX;
        for stored in listing.stored.iter().rev() {
            let State::Whole(content) = stored.state else { continue };
            let message = self.message(content.key).clone();
            if message.content.is_some() && first_ack_behind < message.sent_at {
                self.verdict.order += 1;
                self.example(format!("room {room}: {:?} stands before what was acked before it was sent", content.key));
            }
            first_ack_behind = first_ack_behind.min(message.acked.map_or(usize::MAX, |(at, ..)| at));
        }
    }

    /// Readers that had the time must have everything.
    fn completeness(&mut self) {
        if !self.history.settled {
            return;
        }
        for (reader, rooms) in self.next.clone().iter().enumerate() {
            for (room, (next, listing)) in rooms.iter().zip(&self.history.rooms).enumerate() {
                if *next <= listing.last_offset {
                    self.verdict.gaps += listing.last_offset + 1 - next;
                    self.example(format!("reader {reader} never got offsets from {next} on in room {room}"));
                }
            }
        }
    }

    fn wrong_ack(&mut self, example: String) {
        self.verdict.wrong_acks += 1;
        self.example(example);
    }

    fn example(&mut self, example: String) {
        if self.verdict.examples.len() < EXAMPLES_MAX {
            self.verdict.examples.push(example);
        }
    }
}

/// What is stored at `offset`; quick when there are no holes.
fn at_offset(listing: &RoomListing, offset: u64) -> Option<State> {
    let guess = offset.checked_sub(1).and_then(|at| listing.stored.get(at as usize));
    let found = match guess {
        Some(stored) if stored.offset == offset => Some(stored),
        _ => listing.stored.iter().find(|stored| stored.offset == offset),
    };
    found.map(|stored| stored.state)
}

#[cfg(test)]
#[path = "verdict_tests.rs"]
mod tests;
