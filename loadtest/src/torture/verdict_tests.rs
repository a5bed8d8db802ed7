//! The verdict on histories made by hand: a clean one, and one for each way a server can be wrong.

use super::*;
use crate::torture::history::Stored;

const EPOCH: u64 = 7;

fn content(counter: u32) -> Content {
    Content { key: Key { writer: 0, counter }, room: 0, crc: counter * 31 }
}

fn ack(counter: u32, offset: u64, duplicate: bool) -> Event {
    Event::Acked { key: content(counter).key, epoch: EPOCH, offset, duplicate }
}

fn delivered(reader: u32, offset: u64, counter: u32) -> Event {
    Event::Delivered { reader, room: 0, offset, content: Some(content(counter)) }
}

/// Three messages, sent, acked, stored and delivered to two readers.
fn clean() -> History {
    let mut history = History { readers: 2, settled: true, ..History::default() };
    for counter in 0..3 {
        let offset = u64::from(counter) + 1;
        history.events.push(Event::Sent(content(counter)));
        history.events.push(ack(counter, offset, false));
        history.events.extend([delivered(0, offset, counter), delivered(1, offset, counter)]);
    }
    let stored = (0..3).map(|counter| Stored { offset: u64::from(counter) + 1, state: State::Whole(content(counter)) });
    history.rooms = vec![RoomListing { epoch: EPOCH, first_offset: 1, last_offset: 3, stored: stored.collect() }];
    history
}

/// Changes the clean history and says what the verdict must count.
fn check(what: &str, want: &[(&str, u64)], change: impl FnOnce(&mut History)) {
    let mut history = clean();
    change(&mut history);
    let verdict = judge(&history);
    let found: Vec<(&str, u64)> = verdict.counts().into_iter().filter(|(_, count)| *count > 0).collect();
    assert_eq!(found, want, "{what}: {:?}", verdict.examples);
    assert_eq!(verdict.is_clean(), want.is_empty());
    assert_eq!(verdict.examples.is_empty(), want.is_empty(), "{what}: every fault has an example");
}

/// Removes the events of readers, so that only the log is judged.
fn without_readers(history: &mut History) {
    history.readers = 0;
    history.events.retain(|event| !matches!(event, Event::Delivered { .. }));
}

#[test]
fn clean_histories() {
    check("untouched", &[], |_| {});
    check("an unknown outcome that was stored", &[], |history| {
        history.events.retain(|event| *event != ack(2, 3, false));
    });
    check("an unknown outcome that was not stored", &[], |history| {
        history.events.push(Event::Sent(content(9)));
    });
    check("a lost ack, retried", &[], |history| {
        history.events.extend([Event::Sent(content(2)), ack(2, 3, true)]);
    });
    check("refused, then accepted", &[], |history| {
        history.events.insert(0, Event::Refused { key: content(0).key, code: 600 });
        history.events.insert(0, Event::Sent(content(0)));
    });
    check("another content refused", &[], |history| {
        history.events.push(Event::Conflicted { key: content(1).key, offset: 2 });
    });
    check("damage that is reported", &[], |history| {
        history.rooms[0].stored[1].state = State::ReportedDamaged;
    });
}

#[test]
fn lost() {
    check("an acked message at the end is gone", &[("lost", 1)], |history| {
        without_readers(history);
        history.rooms[0].stored.pop();
        history.rooms[0].last_offset = 2;
    });
    check("a message that a reader saw is gone, though never acked", &[("lost", 2)], |history| {
        history.events.retain(|event| *event != ack(2, 3, false));
        history.rooms[0].stored.pop();
        history.rooms[0].last_offset = 2;
    });
    check("a reader may not resume", &[("lost", 1)], |history| {
        history.events.push(Event::ResumeRefused { reader: 0, room: 0, code: 305 });
    });
}

#[test]
fn unexpected() {
    check("nobody sent it", &[("unexpected", 1)], |history| {
        without_readers(history);
        history.rooms[0].stored.push(Stored { offset: 4, state: State::Whole(content(8)) });
        history.rooms[0].last_offset = 4;
    });
    check("stored though refused", &[("unexpected", 1)], |history| {
        without_readers(history);
        history.events.extend([Event::Sent(content(8)), Event::Refused { key: content(8).key, code: 601 }]);
        history.rooms[0].stored.push(Stored { offset: 4, state: State::Whole(content(8)) });
        history.rooms[0].last_offset = 4;
    });
}

#[test]
fn duplicates() {
    check("stored twice", &[("duplicates", 1)], |history| {
        without_readers(history);
        history.events.retain(|event| !matches!(event, Event::Acked { key, .. } if key.counter == 2));
        history.rooms[0].stored[2].state = State::Whole(content(1));
        history.events.push(Event::Sent(content(1)));
        // The first copy is where the ack said; the found place is the later one.
        history.events.retain(|event| *event != ack(1, 2, false));
        history.events.push(ack(1, 3, true));
    });
    check("delivered twice", &[("duplicates", 1)], |history| history.events.push(delivered(0, 3, 2)));
}

#[test]
fn gaps() {
    check("a hole in the log", &[("gaps", 1)], |history| {
        without_readers(history);
        history.events.retain(|event| !matches!(event, Event::Acked { key, .. } if key.counter == 1));
        history.rooms[0].stored.remove(1);
    });
    check("a hole in a reader's stream", &[("gaps", 1)], |history| {
        history.events.retain(|event| *event != delivered(1, 2, 1));
    });
    check("a reader stays behind", &[("gaps", 1)], |history| {
        history.events.retain(|event| *event != delivered(1, 3, 2));
    });
    check("the history ends early, for the log and both readers", &[("gaps", 6)], |history| {
        history.rooms[0].last_offset = 5
    });
}

#[test]
fn order() {
    check("a reader saw another order", &[("order", 2)], |history| {
        history.events.retain(|event| !matches!(event, Event::Delivered { reader: 1, .. }));
        history.events.extend([delivered(1, 1, 1), delivered(1, 2, 0), delivered(1, 3, 2)]);
    });
    check("two readers of everything read different things", &[("order", 1)], |history| {
        history.events.push(Event::ListedOtherwise { room: 0 });
    });
    check("sent after an ack and stored before it", &[("order", 1)], |history| {
        without_readers(history);
        for event in &mut history.events {
            *event = match *event {
                event if event == ack(0, 1, false) => ack(0, 2, false),
                event if event == ack(1, 2, false) => ack(1, 1, false),
                event => event,
            };
        }
        history.rooms[0].stored[0].state = State::Whole(content(1));
        history.rooms[0].stored[1].state = State::Whole(content(0));
    });
}

#[test]
fn wrong_content() {
    let changed = Content { crc: 1, ..content(1) };
    check("another payload under the same id", &[("wrong_content", 1)], |history| {
        without_readers(history);
        history.rooms[0].stored[1].state = State::Whole(changed);
    });
    check("damage that is served", &[("lost", 1), ("wrong_content", 1)], |history| {
        without_readers(history);
        history.rooms[0].stored[1].state = State::Foreign;
    });
    check("damage that is delivered", &[("wrong_content", 1)], |history| {
        history.events.retain(|event| *event != delivered(1, 3, 2));
        history.events.push(Event::Delivered { reader: 1, room: 0, offset: 3, content: None });
    });
}

#[test]
fn wrong_acks() {
    check("acked elsewhere", &[("wrong_acks", 1)], |history| {
        history.events.retain(|event| *event != ack(2, 3, false));
        history.events.push(ack(2, 2, false));
    });
    check("a retry acked at another place", &[("wrong_acks", 1)], |history| {
        history.events.extend([Event::Sent(content(1)), ack(1, 3, true)]);
    });
    check("a retry of an acked message not known as one", &[("wrong_acks", 1)], |history| {
        history.events.extend([Event::Sent(content(1)), ack(1, 2, false)]);
    });
    check("a duplicate of nothing", &[("wrong_acks", 1)], |history| {
        history.events.retain(|event| *event != ack(2, 3, false));
        history.events.push(ack(2, 3, true));
    });
    check("other content accepted", &[("wrong_acks", 1)], |history| {
        history.events.push(Event::OtherAccepted { key: content(1).key });
    });
    check("a conflict that is none", &[("wrong_acks", 1)], |history| {
        history.events.push(Event::FalseConflict { key: content(1).key });
    });
    check("a conflict that names another place", &[("wrong_acks", 1)], |history| {
        history.events.push(Event::Conflicted { key: content(1).key, offset: 3 });
    });
    check("another epoch", &[("wrong_acks", 3)], |history| history.rooms[0].epoch = 8);
}
