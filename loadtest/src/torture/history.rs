//! Everything the tester did and saw, in order: the evidence the verdict rests on. An event is written before a send and
//! when an answer or a delivery comes. Can be saved as text, one event to a line, and read again.

use std::fmt::Write as _;
use std::path::Path;

use super::message::{Content, Key};
use crate::error::{Result, setup};

/// One thing that happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// A message is about to be sent, for the first time or again.
    Sent(Content),
    /// The server says that it is stored.
    Acked { key: Key, epoch: u64, offset: u64, duplicate: bool },
    /// The server says that it is not stored.
    Refused { key: Key, code: u32 },
    /// A message that was sent again with other content was refused as it must be; the original is at this offset.
    Conflicted { key: Key, offset: u64 },
    /// A message that was sent again with other content was accepted.
    OtherAccepted { key: Key },
    /// A message was refused as being another one than before, which it is not.
    FalseConflict { key: Key },
    /// A second reader of the whole history read something else than the first.
    ListedOtherwise { room: u32 },
    /// A reader got a message, live or by resuming; `None` when its content is not what a writer wrote.
    Delivered { reader: u32, room: u32, offset: u64, content: Option<Content> },
    /// A reader was told that it cannot resume.
    ResumeRefused { reader: u32, room: u32, code: u32 },
    /// The tester hurt the server.
    Fault,
}

/// What is stored at one offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored {
    /// Where.
    pub offset: u64,
    /// What.
    pub state: State,
}

/// State of a stored message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// As a writer wrote it.
    Whole(Content),
    /// Something that no writer wrote.
    Foreign,
    /// The server reports it as damaged and does not serve it.
    ReportedDamaged,
}

/// A room's whole history, as one reader read it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RoomListing {
    /// Identity of the numbering.
    pub epoch: u64,
    /// First retained offset.
    pub first_offset: u64,
    /// Last offset.
    pub last_offset: u64,
    /// In the order read.
    pub stored: Vec<Stored>,
}

/// The evidence.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History {
    /// What happened, in order.
    pub events: Vec<Event>,
    /// What is stored in each room, read last.
    pub rooms: Vec<RoomListing>,
    /// How many readers followed.
    pub readers: u32,
    /// Whether readers had the time to catch up before the rooms were read.
    pub settled: bool,
}

/// Where writers and readers write things down.
#[derive(Debug, Default)]
pub struct Notebook {
    /// The evidence so far.
    pub history: History,
    /// Acks so far.
    pub acks: u64,
}

impl Notebook {
    /// Adds an event.
    pub fn push(&mut self, event: Event) {
        self.acks += u64::from(matches!(event, Event::Acked { .. }));
        self.history.events.push(event);
    }
}

impl History {
    /// Saves it as text.
    pub fn save(&self, path: &Path) -> Result<()> {
        let mut text = format!("konvert-torture-history 1 {} {}\n", self.readers, u8::from(self.settled));
        for event in &self.events {
            text += &event_line(event);
            text.push('\n');
        }
        for (room, listing) in self.rooms.iter().enumerate() {
            let RoomListing { epoch, first_offset, last_offset, stored } = listing;
            // Writing to a string cannot fail.
            let _ = writeln!(text, "room {room} {epoch} {first_offset} {last_offset}");
            for one in stored {
                let state = match one.state {
                    State::Whole(content) => content_text(Some(content)),
                    State::Foreign => content_text(None),
                    State::ReportedDamaged => "damaged".into(),
                };
                let _ = writeln!(text, "at {} {state}", one.offset);
            }
        }
        Ok(std::fs::write(path, text)?)
    }

    /// Reads what was saved.
    pub fn load(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path)?;
        Self::parse(&text).map_err(|line| setup(format!("{}: cannot read {line:?}", path.display())))
    }

    fn parse(text: &str) -> std::result::Result<Self, String> {
        let mut history = History::default();
        for (at, line) in text.lines().enumerate() {
            let words: Vec<&str> = line.split(' ').collect();
            history.line(at, &words).ok_or_else(|| line.to_owned())?;
        }
        Ok(history)
    }

    fn line(&mut self, at: usize, words: &[&str]) -> Option<()> {
        match *words {
            ["konvert-torture-history", "1", readers, settled] if at == 0 => {
                (self.readers, self.settled) = (readers.parse().ok()?, settled == "1");
            }
            ["room", room, epoch, first, last] if room.parse() == Ok(self.rooms.len()) => {
                let (epoch, first_offset, last_offset) = (epoch.parse().ok()?, first.parse().ok()?, last.parse().ok()?);
                self.rooms.push(RoomListing { epoch, first_offset, last_offset, stored: Vec::new() });
            }
            ["at", offset, ref state @ ..] => {
                let state = match (state, read_content(state)) {
                    (["damaged"], _) => State::ReportedDamaged,
                    (_, Some(Some(content))) => State::Whole(content),
                    (_, Some(None)) => State::Foreign,
                    (_, None) => return None,
                };
                self.rooms.last_mut()?.stored.push(Stored { offset: offset.parse().ok()?, state });
            }
            _ => self.events.push(read_event(words)?),
        }
        Some(())
    }
}

fn event_line(event: &Event) -> String {
    match *event {
        Event::Sent(content) => format!("sent {}", content_text(Some(content))),
        Event::Acked { key, epoch, offset, duplicate } => {
            format!("acked {} {epoch} {offset} {}", key.message_id(), u8::from(duplicate))
        }
        Event::Refused { key, code } => format!("refused {} {code}", key.message_id()),
        Event::Conflicted { key, offset } => format!("conflicted {} {offset}", key.message_id()),
        Event::OtherAccepted { key } => format!("other-accepted {}", key.message_id()),
        Event::FalseConflict { key } => format!("false-conflict {}", key.message_id()),
        Event::ListedOtherwise { room } => format!("listed-otherwise {room}"),
        Event::Delivered { reader, room, offset, content } => {
            format!("delivered {reader} {room} {offset} {}", content_text(content))
        }
        Event::ResumeRefused { reader, room, code } => format!("resume-refused {reader} {room} {code}"),
        Event::Fault => "fault".into(),
    }
}

fn read_event(words: &[&str]) -> Option<Event> {
    Some(match *words {
        ["sent", ref content @ ..] => Event::Sent(read_content(content)??),
        ["acked", key, epoch, offset, duplicate] => Event::Acked {
            key: read_key(key)?,
            epoch: epoch.parse().ok()?,
            offset: offset.parse().ok()?,
            duplicate: duplicate == "1",
        },
        ["refused", key, code] => Event::Refused { key: read_key(key)?, code: code.parse().ok()? },
        ["conflicted", key, offset] => Event::Conflicted { key: read_key(key)?, offset: offset.parse().ok()? },
        ["other-accepted", key] => Event::OtherAccepted { key: read_key(key)? },
        ["false-conflict", key] => Event::FalseConflict { key: read_key(key)? },
        ["listed-otherwise", room] => Event::ListedOtherwise { room: room.parse().ok()? },
        ["delivered", reader, room, offset, ref content @ ..] => Event::Delivered {
            reader: reader.parse().ok()?,
            room: room.parse().ok()?,
            offset: offset.parse().ok()?,
            content: read_content(content)?,
        },
        ["resume-refused", reader, room, code] => {
            Event::ResumeRefused { reader: reader.parse().ok()?, room: room.parse().ok()?, code: code.parse().ok()? }
        }
        ["fault"] => Event::Fault,
        _ => return None,
    })
}

fn content_text(content: Option<Content>) -> String {
    match content {
        Some(content) => format!("{} {} {:08x}", content.key.message_id(), content.room, content.crc),
        None => "foreign".into(),
    }
}

fn read_content(words: &[&str]) -> Option<Option<Content>> {
    match *words {
        ["foreign"] => Some(None),
        [key, room, crc] => {
            let crc = u32::from_str_radix(crc, 16).ok()?;
            Some(Some(Content { key: read_key(key)?, room: room.parse().ok()?, crc }))
        }
        _ => None,
    }
}

fn read_key(text: &str) -> Option<Key> {
    let (writer, counter) = text.split_once('-')?;
    Some(Key { writer: writer.parse().ok()?, counter: counter.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_saved_is_read_again() {
        let key = Key { writer: 1, counter: 2 };
        let content = Content { key, room: 0, crc: 0xdead_beef };
        let events = vec![
            Event::Sent(content),
            Event::Acked { key, epoch: 99, offset: 1, duplicate: true },
            Event::Refused { key, code: 601 },
            Event::Conflicted { key, offset: 1 },
            Event::OtherAccepted { key },
            Event::FalseConflict { key },
            Event::ListedOtherwise { room: 0 },
            Event::Delivered { reader: 0, room: 0, offset: 1, content: Some(content) },
            Event::Delivered { reader: 1, room: 0, offset: 2, content: None },
            Event::ResumeRefused { reader: 1, room: 0, code: 305 },
            Event::Fault,
        ];
        let states = [State::Whole(content), State::Foreign, State::ReportedDamaged];
        let stored = (1..).zip(states).map(|(offset, state)| Stored { offset, state }).collect();
        let rooms = vec![RoomListing { epoch: 99, first_offset: 1, last_offset: 3, stored }, RoomListing::default()];
        let history = History { events, rooms, readers: 2, settled: true };
        let file = tempfile::NamedTempFile::new().unwrap();
        history.save(file.path()).unwrap();
        assert_eq!(History::load(file.path()).unwrap(), history);
        std::fs::write(file.path(), "acked what\n").unwrap();
        assert!(History::load(file.path()).is_err());
    }
}
