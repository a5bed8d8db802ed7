//! What a follower is told, over a core with a journal in memory.

use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;

use super::follow::{BYTES_MAX, FACTS_MAX};
use super::*;
use crate::journal::{
    Append, Entry, JournalConfig, Kind, MemoryJournal, Mode, Record, Refusal, Relation, RelationKind, Ticket,
};

fn broker() -> Broker {
    let fanout = Fanout::new(Vec::new());
    let journal = MemoryJournal::new(&JournalConfig::default(), fanout.clone()).unwrap();
    Broker::new(BrokerConfig::default(), Arc::new(journal), fanout, Arc::new(NoDirectory))
}

/// Submits, and waits for the outcome.
async fn submit(broker: &Broker, entry: Entry) -> Result<Done, Refusal> {
    let (ticket, outcome) = broker.fanout.expect();
    broker.journal.submit(entry, ticket).unwrap();
    outcome.await.unwrap().result
}

fn append(room: RoomId, message_id: &str, relation: Option<Relation>) -> Entry {
    Entry::Append(Append {
        room,
        sender: "ann".into(),
        sender_name: "".into(),
        message_id: message_id.into(),
        kind: Kind::Message,
        relation,
        payload: Bytes::new(),
        extras: None,
        expected: None,
        time_ms: 5,
    })
}

async fn next(follower: &mut Follower) -> Followed {
    tokio::time::timeout(Duration::from_secs(60), follower.next()).await.unwrap()
}

#[tokio::test]
async fn what_is_committed_is_told_once_and_in_order() {
    let broker = broker();
    let room = broker.ensure("r", false).await.unwrap();
    submit(&broker, append(room.id, "before", None)).await.unwrap();
    let mut follower = broker.follow();
    let mark = |offset| Entry::Mark { room: room.id, user: "bob".into(), offset };
    let delete = Some(Relation { kind: RelationKind::Delete, offset: 1 });
    for entry in [append(room.id, "2", None), append(room.id, "2", None), mark(2), mark(1)] {
        submit(&broker, entry).await.unwrap();
    }
    submit(&broker, append(RoomId(99), "nowhere", None)).await.unwrap_err();
    broker.ensure("another", false).await.unwrap();
    submit(&broker, append(room.id, "3", delete)).await.unwrap();

    let Followed::Stored { info, epoch, record, erased } = next(&mut follower).await else { panic!() };
    assert_eq!((&info, epoch), (&room, broker.bounds(room.id).unwrap().epoch));
    assert_eq!((record.offset, &*record.message_id, erased), (2, "2", vec![]));
    let marker = Marker { offset: 2, ordinal: 2 };
    assert_eq!(next(&mut follower).await, Followed::Marked { info, user: "bob".into(), marker });
    assert!(matches!(next(&mut follower).await,
        Followed::Stored { record, erased, .. } if record.offset == 3 && erased == [1]));
    assert_eq!(follower.next().now_or_never(), None, "nothing is told of repetitions and refusals");
}

#[tokio::test]
async fn followers_do_not_know_each_other_and_may_go() {
    let broker = broker();
    let room = broker.ensure("r", false).await.unwrap();
    let (mut first, second) = (broker.follow(), broker.follow());
    drop(second);
    submit(&broker, append(room.id, "1", None)).await.unwrap();
    assert!(matches!(next(&mut first).await, Followed::Stored { .. }));
    drop(first);
    assert!(!broker.fanout.followers.is_any(), "nothing is kept for nobody");
}

#[tokio::test]
async fn who_waits_is_woken() {
    let broker = broker();
    let room = broker.ensure("r", false).await.unwrap();
    let mut follower = broker.follow();
    let waiting = tokio::spawn(async move { next(&mut follower).await });
    tokio::task::yield_now().await;
    submit(&broker, append(room.id, "1", None)).await.unwrap();
    assert!(matches!(waiting.await.unwrap(), Followed::Stored { .. }));
}

/// `count` outcomes with one record of `bytes` each.
fn outcomes(room: &RoomInfo, count: usize, bytes: usize) -> Vec<Outcome> {
    let record = Arc::new(Record {
        offset: 1,
        ordinal: 1,
        time_ms: 0,
        kind: Kind::Message,
        relation: None,
        sender: "ann".into(),
        sender_name: "".into(),
        message_id: "m".into(),
        payload: vec![0; bytes].into(),
        extras: None,
        erased: false,
    });
    let result = Ok(Done::Stored { epoch: 1, record, erased: Vec::new() });
    let outcome = Outcome { ticket: Ticket { owner: 0, command: 0 }, room: Some(room.id), result };
    vec![outcome; count]
}

#[tokio::test]
async fn who_is_too_slow_is_told_once_and_goes_on() {
    let broker = broker();
    let room = broker.ensure("r", false).await.unwrap();
    assert_eq!(room.mode, Mode::ServerReadable);
    for (bytes, fit) in [(0, FACTS_MAX), (64 << 10, BYTES_MAX / ((64 << 10) + 256))] {
        let mut follower = broker.follow();
        let followers = &broker.fanout.followers;
        followers.committed(&outcomes(&room, fit + 10, bytes));
        followers.committed(&outcomes(&room, 10, bytes));
        for n in 0..fit {
            assert!(matches!(next(&mut follower).await, Followed::Stored { .. }), "{n} of {fit}");
            if n == fit / 2 {
                // There would be room, but it is behind what was lost.
                followers.committed(&outcomes(&room, 1, bytes));
            }
        }
        assert_eq!(next(&mut follower).await, Followed::Lost);
        assert_eq!(follower.next().now_or_never(), None, "it is told once");
        followers.committed(&outcomes(&room, 1, bytes));
        assert!(matches!(next(&mut follower).await, Followed::Stored { .. }));
    }
}

#[tokio::test]
async fn all_rooms_are_shown_with_where_they_stand() {
    let broker = broker();
    for name in ["a", "b", "c"] {
        broker.ensure(name, name == "b").await.unwrap();
    }
    let b = broker.journal.find("b").unwrap();
    submit(&broker, append(b.id, "1", None)).await.unwrap();
    let mut seen = Vec::new();
    broker.rooms(&mut |info, bounds| {
        // What is shown may be looked at: no lock is held.
        assert_eq!(broker.bounds(info.id).unwrap(), *bounds);
        seen.push((info.name.to_string(), info.mode, bounds.last, bounds.time_ms));
    });
    seen.sort_by(|one, other| one.0.cmp(&other.0));
    let readable = Mode::ServerReadable;
    assert_eq!(seen, [("a".into(), readable, 0, 0), ("b".into(), Mode::E2ee, 1, 5), ("c".into(), readable, 0, 0)]);
}

/// Presence ticks until `until_ms`, 250 ms apart; the wall clock is a billion ahead.
fn tick(broker: &Broker, now_ms: &mut u64, until_ms: u64) {
    while *now_ms < until_ms {
        *now_ms += 250;
        broker.presence_tick(*now_ms, *now_ms + 1_000_000_000);
    }
}

#[tokio::test]
async fn users_come_and_go_once() {
    let broker = broker();
    let (ann, bob): (Arc<str>, Arc<str>) = ("ann".into(), "bob".into());
    let mut now_ms = 0;
    let before = broker.enter(&bob);
    let mut follower = broker.follow();
    let (phone, laptop) = (broker.enter(&ann), broker.enter(&ann));
    assert_eq!(next(&mut follower).await, Followed::Online { user: ann.clone() });
    drop((phone, laptop, before));
    tick(&broker, &mut now_ms, 4_000);
    assert!(broker.is_online("ann"));
    let again = broker.enter(&ann);
    tick(&broker, &mut now_ms, 20_000);
    assert_eq!(next(&mut follower).await, Followed::Offline { user: bob, at_ms: 1_000_000_250 });
    assert_eq!(follower.next().now_or_never(), None, "ann came back within the patience");
    drop(again);
    tick(&broker, &mut now_ms, 30_000);
    assert_eq!(next(&mut follower).await, Followed::Offline { user: ann, at_ms: 1_000_020_250 });
    assert!(!broker.is_online("ann"));
}

#[tokio::test]
async fn rooms_are_occupied_and_vacated_once() {
    let fanout = Fanout::new(vec![Arc::default(), Arc::default()]);
    let journal = MemoryJournal::new(&JournalConfig::default(), fanout.clone()).unwrap();
    let broker = Broker::new(BrokerConfig::default(), Arc::new(journal), fanout, Arc::new(NoDirectory));
    let info = broker.ensure("r", false).await.unwrap();
    let mut follower = broker.follow();
    let mut now_ms = 0;
    let rooms = [broker.acquire(&info, 0), broker.acquire(&info, 0), broker.acquire(&info, 1)];
    assert_eq!(next(&mut follower).await, Followed::Occupied { room: "r".into() });
    rooms.iter().zip([0, 0, 1]).for_each(|(room, shard)| broker.release(room, shard));
    assert_eq!(broker.live_rooms(), 0, "patience does not keep the room itself");
    tick(&broker, &mut now_ms, 4_000);
    let room = broker.acquire(&info, 1);
    tick(&broker, &mut now_ms, 20_000);
    assert_eq!(follower.next().now_or_never(), None, "somebody came back within the patience");
    assert!(broker.is_occupied("r"));
    broker.release(&room, 1);
    tick(&broker, &mut now_ms, 30_000);
    assert_eq!(next(&mut follower).await, Followed::Vacated { room: "r".into() });
    assert!(!broker.is_occupied("r"));
    let _room = broker.acquire(&info, 0);
    assert_eq!(next(&mut follower).await, Followed::Occupied { room: "r".into() });
}
