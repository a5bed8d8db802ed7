//! The guarantees of the contract, each checked on the real binary and on a broken one.

use bytes::Bytes;
use konvert_protocol::v1::server_frame::Body as Reply;
use konvert_protocol::{CloseCode, Encoding, ErrorCode, v1};

use crate::broken::broken_build;
use crate::revocation::check_revocation;
use crate::server::{Server, Setup};
use crate::user::{self, User, offset, publish};

/// What a check found.
type Verdict = Result<(), String>;

macro_rules! demand {
    ($holds:expr, $($why:tt)+) => {
        if !$holds {
            return Err(format!($($why)+));
        }
    };
}

/// The guarantee holds, and would be seen not to hold.
macro_rules! guarantee {
    ($name:ident, $check:ident, $($fault:literal),+) => {
        mod $name {
            use crate::link::By;
            use crate::user::{by, speaking};

            async fn holds_by(by: By) {
                speaking(by, super::$check(super::Setup::default())).await.expect("the guarantee holds");
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn holds() {
                holds_by(by()).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn holds_by_stream() {
                holds_by(By::Stream).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn holds_by_poll() {
                holds_by(By::Poll).await;
            }

            async fn would_be_missed_by(by: By) {
                for fault in [$($fault),+] {
                    let setup = super::Setup::default().broken(&super::broken_build(), fault);
                    // A panic, of a reader that waited in vain say, tells as much as a verdict.
                    let verdict = tokio::spawn(speaking(by, super::$check(setup))).await;
                    assert!(!matches!(verdict, Ok(Ok(()))), "with the fault {fault} the check still passed");
                }
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn would_be_missed() {
                would_be_missed_by(by()).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn would_be_missed_by_stream_and_poll() {
                tokio::join!(would_be_missed_by(By::Stream), would_be_missed_by(By::Poll));
            }
        }
    };
}

guarantee!(acked_means_stored, check_acked_means_stored, "ack_before_store");
guarantee!(one_order_per_room, check_one_order_per_room, "reorder", "hole_in_order");
guarantee!(resume_is_all_or_nothing, check_resume, "drop_on_resume");
guarantee!(publishing_is_idempotent, check_idempotent, "skip_idempotency");
guarantee!(signals_are_not_messages, check_signals, "store_signals");
guarantee!(sealed_means_sealed, check_sealed, "accept_plaintext");
guarantee!(slow_readers_hurt_only_themselves, check_slow_reader, "unbounded_outbox");
guarantee!(revocation_is_immediate, check_revocation, "keep_revoked");
guarantee!(bad_input_gets_a_numbered_error, check_bad_input, "no_limits");

/// 1. Kill -9 right after an ack loses nothing that was acknowledged.
async fn check_acked_means_stored(setup: Setup) -> Verdict {
    let mut server = setup.start().await;
    // Only a few commands at a time may wait for a room to be created.
    User::connect(&server, "bob").await.subscribe("room").await;
    for round in 0..3 {
        let mut ann = User::connect(&server, "ann").await;
        let ids: Vec<String> = (0..200).map(|n| format!("{round}-{n}")).collect();
        let mut asked = Vec::new();
        for id in &ids {
            asked.push(ann.tell(publish("room", id, id)).await);
        }
        let mut acked = Vec::new();
        for (command, id) in asked.into_iter().zip(&ids) {
            match ann.reply(command).await {
                Reply::Published(published) => acked.push((offset(&published), id)),
                other => return Err(format!("publish got {other:?}")),
            }
        }
        server.kill().await;
        server.start_again().await;
        let stored = User::connect(&server, "bob").await.history("room").await;
        for (offset, id) in acked {
            let found = stored.iter().find(|message| message.offset == offset);
            demand!(found.is_some_and(|m| m.message_id == *id), "round {round}: {id} was acked at {offset}: {found:?}");
        }
    }
    Ok(())
}

/// 2. Offsets from 1 on without holes, and every reader sees the same order, whatever the encoding.
async fn check_one_order_per_room(setup: Setup) -> Verdict {
    let server = setup.start().await;
    let mut readers = Vec::new();
    for encoding in Encoding::ALL {
        let token = user::token(&server, &format!("reader-{encoding:?}"), "*", user::ALL);
        let room = v1::Subscribe { room: "room".into(), ..Default::default() };
        readers.push(User::connect_with(&server, token, encoding, vec![room]).await);
    }
    const WRITERS: usize = 4;
    const EACH: usize = 150;
    let mut writers = Vec::new();
    for writer in 0..WRITERS {
        let mut user = User::connect(&server, &format!("writer-{writer}")).await;
        writers.push(tokio::spawn(async move {
            let mut asked = Vec::new();
            for n in 0..EACH {
                asked.push(user.tell(publish("room", &format!("{writer}-{n}"), "text")).await);
            }
            for command in asked {
                user.reply(command).await;
            }
        }));
    }
    let mut orders: Vec<Vec<(u64, String)>> = Vec::new();
    for reader in &mut readers {
        let mut order = Vec::new();
        while order.len() < WRITERS * EACH {
            let message = reader.message().await;
            order.push((message.offset, message.message_id));
        }
        orders.push(order);
    }
    for writer in writers {
        writer.await.map_err(|error| error.to_string())?;
    }
    for order in &orders {
        demand!(*order == orders[0], "two readers saw different orders");
        demand!(order.iter().map(|(offset, _)| *offset).eq(1..=(WRITERS * EACH) as u64), "a hole or a jump: {order:?}");
    }
    let stored = readers[0].history("room").await;
    let stored: Vec<_> = stored.into_iter().map(|message| (message.offset, message.message_id)).collect();
    demand!(stored == orders[0], "the log tells another order than the live messages");
    Ok(())
}

/// 3. From any retained position everything later once and in order, with messages coming in meanwhile; or a verdict.
async fn check_resume(setup: Setup) -> Verdict {
    let mut server = setup.start().await;
    User::connect(&server, "bob").await.subscribe("room").await;
    let mut ann = User::connect(&server, "ann").await;
    let mut asked = Vec::new();
    for n in 0..700 {
        asked.push(ann.tell(publish("room", &format!("{n}"), "text")).await);
    }
    for command in asked {
        ann.reply(command).await;
    }
    let epoch = ann.subscribe("room").await.position.expect("a position").epoch;
    for (round, from) in [0u64, 1, 350, 699, 700].into_iter().enumerate() {
        let mut bob = User::connect(&server, "bob").await;
        let live = ann.tell(publish("room", &format!("live-{round}"), "text")).await;
        let mut seen = catch_up(&mut bob, "room", v1::Position { epoch, offset: from }).await?;
        ann.reply(live).await;
        let last = 700 + round as u64 + 1;
        while seen.last().is_none_or(|offset| *offset < last) {
            seen.push(bob.message().await.offset);
        }
        demand!(seen.iter().copied().eq(from + 1..=last), "since {from} came {seen:?}");
    }
    server.kill().await;
    server.start_again().await;
    let mut bob = User::connect(&server, "bob").await;
    let seen = catch_up(&mut bob, "room", v1::Position { epoch, offset: 3 }).await?;
    demand!(seen.iter().copied().eq(4..=705), "after the restart came {seen:?}");
    for (position, code) in [
        (v1::Position { epoch: epoch ^ 1, offset: 3 }, ErrorCode::EpochChanged),
        (v1::Position { epoch, offset: 9_999 }, ErrorCode::AheadOfLog),
    ] {
        let since = v1::Subscribe { room: "room".into(), since: Some(position), ..Default::default() };
        let error = bob.refused(since).await;
        demand!(user::is(&error, code), "instead of {code:?} came {error:?}");
        demand!(
            error.position.is_some_and(|p| p == v1::Position { epoch, offset: 705 }),
            "no position to restart from"
        );
    }
    Ok(())
}

/// Subscribes page by page until attached; the offsets.
async fn catch_up(user: &mut User, room: &str, mut since: v1::Position) -> Result<Vec<u64>, String> {
    let mut seen = Vec::new();
    loop {
        let command = v1::Subscribe { room: room.into(), since: Some(since), ..Default::default() };
        let page = user.enter(command).await;
        seen.extend(page.messages.iter().map(|message| message.offset));
        if !page.more {
            return Ok(seen);
        }
        demand!(seen.last().is_some_and(|last| *last > since.offset), "a page without progress at {since:?}");
        since.offset = seen.last().copied().unwrap_or_default();
    }
}

/// 4. Same id and body: the original ack, also after a crash. Another body: conflict. Stored once.
async fn check_idempotent(setup: Setup) -> Verdict {
    let mut server = setup.start().await;
    let mut ann = User::connect(&server, "ann").await;
    let first = ann.publish("room", "once", "text").await;
    for n in 0..50 {
        ann.publish("room", &format!("other-{n}"), "text").await;
    }
    for round in 0..2 {
        let again = ann.publish("room", "once", "text").await;
        demand!(again.position == first.position && again.duplicate, "round {round}: the retry got {again:?}");
        let error = ann.refused(publish("room", "once", "another text")).await;
        demand!(user::is(&error, ErrorCode::DuplicateConflict), "round {round}: another body got {error:?}");
        demand!(error.position == first.position, "round {round}: the conflict tells {:?}", error.position);
        // Both halves of a pair in one message.
        let pair = [ann.tell(publish("room", &format!("pair-{round}"), "text")).await, {
            ann.tell(publish("room", &format!("pair-{round}"), "text")).await
        }];
        let (Reply::Published(one), Reply::Published(two)) = (ann.reply(pair[0]).await, ann.reply(pair[1]).await)
        else {
            return Err("a pair was refused".into());
        };
        demand!(one.position == two.position, "round {round}: the pair is at {one:?} and {two:?}");
        // The key is the sender's own.
        let bobs = User::connect(&server, "bob").await.publish("room", "once", "text").await;
        demand!(round > 0 || !bobs.duplicate, "bob's message was taken for ann's");
        server.kill().await;
        server.start_again().await;
        ann = User::connect(&server, "ann").await;
    }
    let stored = ann.history("room").await;
    let count = stored.iter().filter(|message| message.message_id == "once" && message.sender == "ann").count();
    demand!(count == 1 && stored.len() == 54, "`once` is stored {count} times, of {}", stored.len());
    Ok(())
}

/// 5. A signal reaches who is there, is not stored, takes no offset, and is not there for those who come later.
async fn check_signals(setup: Setup) -> Verdict {
    let mut server = setup.start().await;
    let (mut ann, mut bob) = (User::connect(&server, "ann").await, User::connect(&server, "bob").await);
    ann.subscribe("room").await;
    bob.subscribe("room").await;
    ann.publish("room", "1", "before").await;
    let signal = v1::Signal { room: "room".into(), payload: Bytes::from_static(b"typing") };
    demand!(matches!(ann.ask(signal).await, Reply::Signaled(_)), "the signal was refused");
    let offset_after = offset(&ann.publish("room", "2", "after").await);
    demand!(offset_after == 2, "the signal took an offset: the next message is at {offset_after}");
    demand!(bob.message().await.offset == 1, "the first message is missing");
    match bob.push().await {
        Reply::Signal(push) => {
            demand!(push.sender == "ann" && &push.payload[..] == b"typing", "the signal is {push:?}")
        }
        other => return Err(format!("instead of the signal came {other:?}")),
    }
    let own = ann.pushes().await;
    demand!(!own.iter().any(|push| matches!(push, Reply::Signal(_))), "the sender got its own signal");
    server.kill().await;
    server.start_again().await;
    let stored = User::connect(&server, "carl").await.history("room").await;
    demand!(stored.len() == 2, "stored are {stored:?}");
    Ok(())
}

/// 6. A sealed room takes MLS messages only, passes them on untouched, and keeps its mode.
async fn check_sealed(setup: Setup) -> Verdict {
    let server = setup.start().await;
    let token = user::token_in_mode(&server, "ann", "vault", user::ALL, true);
    let mut ann = User::connect_with(&server, token, Encoding::Protobuf, Vec::new()).await;
    let entered = ann.subscribe("vault").await;
    demand!(entered.mode == v1::Mode::E2ee as i32, "the room is not sealed");
    let sealed = private_message(b"ciphertext");
    let stored = ann.ask(v1::Publish { payload: sealed.clone().into(), ..publish("vault", "1", "") }).await;
    demand!(matches!(stored, Reply::Published(_)), "a sealed message got {stored:?}");
    demand!(ann.message().await.payload[..] == sealed, "the payload was touched");
    use v1::RelationKind as R;
    for kind in
        [None, Some(R::RelationReply), Some(R::RelationEdit), Some(R::RelationReaction), Some(R::RelationAppend)]
    {
        let relation = kind.map(|kind| v1::Relation { kind: kind as i32, offset: 1 });
        for encoding in Encoding::ALL {
            let token = user::token_in_mode(&server, "ann", "vault", user::ALL, true);
            let mut ann = User::connect_with(&server, token, encoding, Vec::new()).await;
            let error = match ann.ask(v1::Publish { relation, ..publish("vault", "2", "plaintext") }).await {
                Reply::Error(error) => error,
                other => return Err(format!("plaintext with {kind:?} got {other:?}")),
            };
            demand!(user::is(&error, ErrorCode::NotSealed), "plaintext with {kind:?} got {error:?}");
        }
    }
    let mut bob = User::connect(&server, "bob").await;
    let error = bob.refused(v1::Publish { payload: sealed.into(), ..publish("open", "1", "") }).await;
    demand!(user::is(&error, ErrorCode::Sealed), "a sealed message in a readable room got {error:?}");
    demand!(bob.subscribe("vault").await.mode == v1::Mode::E2ee as i32, "a later grant changed the mode");
    let error = ann.refused(v1::Subscribe { room: "open".into(), ..Default::default() }).await;
    demand!(user::is(&error, ErrorCode::UnknownRoom), "a grant for another room got {error:?}");
    Ok(())
}

/// RFC 9420 §6: a PrivateMessage around any bytes.
fn private_message(ciphertext: &[u8]) -> Vec<u8> {
    let mut out = vec![0, 1, 0, 2, 2, b'g', b'1'];
    out.extend(7u64.to_be_bytes());
    out.extend([1, 0, 3, 9, 9, 9]);
    out.push(ciphertext.len() as u8);
    out.extend(ciphertext);
    out
}

/// 7. Who does not read is closed with the resume code, holds little, delays nobody, and catches up afterwards.
async fn check_slow_reader(setup: Setup) -> Verdict {
    const MESSAGES: usize = 1_200;
    let text = "x".repeat(32 << 10);
    let server = setup.set("gateway.publishes_per_second", 100_000).start().await;
    let mut slow = User::connect(&server, "slow").await;
    let epoch = slow.subscribe("room").await.position.expect("a position").epoch;
    let mut healthy = User::connect(&server, "healthy").await;
    healthy.subscribe("room").await;
    let mut ann = User::connect(&server, "ann").await;
    for batch in 0..MESSAGES / 20 {
        let mut asked = Vec::new();
        for n in 0..20 {
            asked.push(ann.tell(publish("room", &format!("{batch}-{n}"), &text)).await);
        }
        for command in asked {
            ann.reply(command).await;
        }
        for _ in 0..20 {
            healthy.message().await;
        }
    }
    let closed = metric(&server, "konvert_slow_consumers_total").await?;
    demand!(closed == 1.0, "{closed} readers were closed as slow");
    // It reads at last: what the kernel held, then the close.
    let code = slow.closed().await;
    demand!(code == CloseCode::SlowConsumer.number() || code == 1006, "the close code is {code}");
    let mut back = User::connect(&server, "slow").await;
    let seen = catch_up(&mut back, "room", v1::Position { epoch, offset: 0 }).await?;
    demand!(seen.iter().copied().eq(1..=MESSAGES as u64), "after coming back {} messages came", seen.len());
    Ok(())
}

/// A number from the metrics.
pub async fn metric(server: &Server, name: &str) -> Result<f64, String> {
    let text = crate::hostile::get(server, "/metrics").await;
    let line = text.lines().find(|line| line.starts_with(name)).ok_or(format!("no metric {name}"))?;
    line.rsplit(' ').next().and_then(|number| number.parse().ok()).ok_or(format!("{line} has no number"))
}

/// 9. What goes beyond a limit gets its number; the rest of the matrix is in `hostile.rs`.
async fn check_bad_input(setup: Setup) -> Verdict {
    // So few that no machine is slow enough to have forty of them stored.
    let setup = setup.set("gateway.rooms_per_connection", 3).set("gateway.publishes_per_second", 1);
    let server = setup.set("gateway.commands_per_second", 500).start().await;
    let mut ann = User::connect(&server, "ann").await;
    for room in 0..3 {
        ann.subscribe(&format!("room-{room}")).await;
    }
    let command = v1::Subscribe { room: "room-3".into(), ..Default::default() };
    match ann.ask(command).await {
        Reply::Error(error) => demand!(user::is(&error, ErrorCode::TooManyRooms), "one room too many got {error:?}"),
        other => return Err(format!("one room too many got {other:?}")),
    }
    let mut limited = 0;
    for n in 0..40 {
        match ann.ask(publish("room-0", &format!("{n}"), "text")).await {
            Reply::Error(error) => {
                demand!(user::is(&error, ErrorCode::RateLimited) && error.retry_after_ms > 0, "too fast got {error:?}");
                limited += 1;
            }
            Reply::Published(_) => {}
            other => return Err(format!("publish got {other:?}")),
        }
    }
    demand!(limited > 0, "forty publishes at once were no problem at one per second");
    Ok(())
}
