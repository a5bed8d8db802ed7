//! What each verb does, in every encoding: the paths that the guarantees do not walk.

use bytes::Bytes;
use konvert_protocol::v1::server_frame::Body as Reply;
use konvert_protocol::{Encoding, ErrorCode, v1};
use sha2::Digest as _;

use crate::server::{Server, Setup};
use crate::user::{self, User, offset, publish};

fn related(kind: v1::RelationKind, to: u64, id: &str, text: &str) -> v1::Publish {
    let relation = Some(v1::Relation { kind: kind as i32, offset: to });
    v1::Publish { relation, ..publish("room", id, text) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_conversation_in_three_encodings() {
    let server = Server::start().await;
    let mut users = Vec::new();
    for (name, encoding) in ["ann", "bob", "carl"].into_iter().zip(Encoding::ALL) {
        let token = user::token(&server, name, "*", user::ALL);
        let room = v1::Subscribe { room: "room".into(), ..Default::default() };
        let user = User::connect_with(&server, token, encoding, vec![room]).await;
        assert_eq!((user.connected.user.as_str(), user.connected.name.as_str()), (name, name.to_uppercase().as_str()));
        let limits = user.connected.limits.as_ref().expect("limits are told");
        assert_eq!((limits.payload_bytes, limits.frames_per_message), (65_536, 128));
        assert_eq!(user.connected.rooms.len(), 1);
        users.push(user);
    }
    let payload = Bytes::from_static(&[0xff, 0, 0xfe]);
    for (n, text) in ["привет", "hello \u{1f4e8}"].into_iter().enumerate() {
        users[n].publish("room", &format!("{n}"), text).await;
    }
    users[2].ask(v1::Publish { payload: payload.clone(), ..publish("room", "raw", "") }).await;
    for user in &mut users {
        let seen = [user.message().await, user.message().await, user.message().await];
        assert_eq!(seen[0].payload, "привет");
        assert_eq!((seen[1].sender.as_str(), seen[1].sender_name.as_str()), ("bob", "BOB"));
        assert_eq!((&seen[2].payload, seen[2].ordinal), (&payload, 3));
    }
}

over_each!(compare_and_append_has_one_winner);

async fn compare_and_append_has_one_winner() {
    let server = Server::start().await;
    let mut users = Vec::new();
    for n in 0..8 {
        users.push(User::connect(&server, &format!("user-{n}")).await);
    }
    let position = users[0].subscribe("room").await.position;
    let mut asked = Vec::new();
    for (n, user) in users.iter_mut().enumerate() {
        asked.push(user.tell(v1::Publish { expected: position, ..publish("room", &format!("{n}"), "commit") }).await);
    }
    let (mut won, mut conflicts) = (Vec::new(), Vec::new());
    for (user, command) in users.iter_mut().zip(asked) {
        match user.reply(command).await {
            Reply::Published(published) => won.push(published),
            Reply::Error(error) => conflicts.push(error),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((won.len(), conflicts.len()), (1, 7));
    for error in conflicts {
        assert!(user::is(&error, ErrorCode::Conflict) && error.position == won[0].position, "{error:?}");
    }
}

/// The name of a file that somebody has uploaded.
async fn stored(server: &Server, user: &str) -> String {
    let hash = konvert_protocol::blob_name(&sha2::Sha256::digest(b"file").into());
    let token = user::token(server, user, "*", user::ALL);
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let request = client.put(format!("http://{}/api/blobs/{hash}", server.address())).bearer_auth(token).body("file");
    assert_eq!(request.send().await.expect("an answer").status(), 201);
    hash
}

over_each!(mentions_and_blobs_travel_and_are_erased);

async fn mentions_and_blobs_travel_and_are_erased() {
    let mut server = Server::start().await;
    let mut ann = User::connect(&server, "ann").await;
    let mut bob = User::connect(&server, "bob").await;
    bob.subscribe("room").await;
    let (mentions, blobs) = (vec!["bob".to_owned(), "carl".to_owned()], vec![stored(&server, "ann").await]);
    let mut command = v1::Publish { mentions: mentions.clone(), blobs: blobs.clone(), ..publish("room", "1", "look") };
    ann.ask(command.clone()).await;
    let pushed = bob.message().await;
    assert_eq!((&pushed.mentions, &pushed.blobs), (&mentions, &blobs));
    assert!(matches!(ann.ask(command.clone()).await, Reply::Published(again) if again.duplicate));
    command.mentions.pop();
    assert!(user::is(&ann.refused(command.clone()).await, ErrorCode::DuplicateConflict));
    for (mentions, blobs, code) in [
        (vec!["bob".to_owned(), "bob".to_owned()], vec![], ErrorCode::BadCommand),
        (vec!["two words".to_owned()], vec![], ErrorCode::BadName),
        (vec![], vec!["0A".repeat(32)], ErrorCode::BadCommand),
        (vec![], vec!["0a".repeat(32)], ErrorCode::NotFound),
    ] {
        let error = ann.refused(v1::Publish { mentions, blobs, ..publish("room", "2", "x") }).await;
        assert!(user::is(&error, code), "{error:?}");
    }
    server.kill().await;
    server.start_again().await;
    ann = User::connect(&server, "ann").await;
    let history = ann.history("room").await;
    assert_eq!((history.len(), &history[0].mentions, &history[0].blobs), (1, &mentions, &blobs));
    ann.ask(related(v1::RelationKind::RelationDelete, 1, "3", "")).await;
    let history = ann.history("room").await;
    assert!(history[0].erased && history[0].mentions.is_empty() && history[0].blobs.is_empty(), "{:?}", history[0]);
}

over_each!(relations);

async fn relations() {
    use v1::RelationKind as R;
    let mut server = Server::start().await;
    let (mut ann, mut bob) = (User::connect(&server, "ann").await, User::connect(&server, "bob").await);
    let target = offset(&ann.publish("room", "1", "first thought").await);
    ann.ask(related(R::RelationEdit, target, "2", "second thought")).await;
    ann.ask(related(R::RelationAppend, target, "3", "afterthought")).await;
    bob.ask(related(R::RelationReaction, target, "4", "\u{1f44d}")).await;
    bob.ask(related(R::RelationReply, target, "5", "an answer")).await;
    for (command, code) in [
        (related(R::RelationEdit, target, "6", "not mine"), ErrorCode::NotAllowed),
        (related(R::RelationDelete, target, "6", ""), ErrorCode::NotAllowed),
        (related(R::RelationAppend, target, "6", "not mine"), ErrorCode::BadRelation),
        (related(R::RelationReply, 99, "6", "to nothing"), ErrorCode::BadRelation),
        (related(R::RelationReaction, 2, "6", "to an edit"), ErrorCode::BadRelation),
        (related(R::RelationReply, 0, "6", "to zero"), ErrorCode::BadCommand),
    ] {
        let error = bob.refused(command.clone()).await;
        assert!(user::is(&error, code), "{command:?} got {error:?}");
    }
    let history = ann.history("room").await;
    let ordinals: Vec<_> = history.iter().map(|message| message.ordinal).collect();
    assert_eq!(ordinals, [1, 1, 1, 1, 2], "edits, parts and reactions are not counted");

    let deleted = ann.ask(related(R::RelationDelete, target, "7", "")).await;
    let Reply::Published(deleted) = deleted else { panic!("{deleted:?}") };
    let retry = ann.ask(related(R::RelationDelete, target, "7", "")).await;
    assert!(matches!(retry, Reply::Published(ref again) if again.duplicate && again.position == deleted.position));
    let error = bob.refused(related(R::RelationReply, target, "8", "too late")).await;
    assert!(user::is(&error, ErrorCode::BadRelation), "{error:?}");
    for restarted in [false, true] {
        if restarted {
            server.kill().await;
            server.start_again().await;
            bob = User::connect(&server, "bob").await;
        }
        let history = bob.history("room").await;
        assert_eq!(history.len(), 6, "offsets stay, also of what is erased");
        let erased: Vec<_> = history.iter().filter(|message| message.erased).map(|message| message.offset).collect();
        assert_eq!(erased, [1, 2, 3], "the message, its edit and its part; restarted: {restarted}");
        assert!(history.iter().all(|message| !message.erased || message.payload.is_empty()));
        assert_eq!(history[4].payload, "an answer");
    }
    let moderator = user::token(&server, "mod", "*", "read publish moderate");
    let mut moderator = User::connect_with(&server, moderator, Encoding::Json, Vec::new()).await;
    let answer = moderator.ask(related(R::RelationDelete, 5, "m", "")).await;
    assert!(matches!(answer, Reply::Published(_)), "{answer:?}");
}

over_each!(history_both_ways);

async fn history_both_ways() {
    let server = Setup::default().set("broker.history_page", 10).start().await;
    let mut ann = User::connect(&server, "ann").await;
    for n in 1..=25 {
        ann.publish("room", &format!("{n}"), "text").await;
    }
    use v1::Direction::{Backward, Forward};
    for (from, direction, limit, want, more) in [
        (0, Forward, 0, 1..=10, true),
        (21, Forward, 0, 21..=25, false),
        (21, Forward, 3, 21..=23, true),
        (0, Backward, 0, 16..=25, true),
        (15, Backward, 99, 6..=15, true),
        (5, Backward, 0, 1..=5, false),
        (99, Backward, 1, 25..=25, true),
    ] {
        let command = v1::History { room: "room".into(), from, direction: direction as i32, limit };
        let Reply::History(page) = ann.ask(command).await else { panic!("no page") };
        let offsets: Vec<_> = page.messages.iter().map(|message| message.offset).collect();
        assert!(offsets.iter().copied().eq(want.clone()), "{from} {direction:?} {limit}: {offsets:?}, not {want:?}");
        assert_eq!((page.more, page.first_offset), (more, 1), "{from} {direction:?} {limit}");
    }
    let Reply::History(beyond) = ann.ask(v1::History { room: "room".into(), from: 26, ..Default::default() }).await
    else {
        panic!("no page")
    };
    assert!(beyond.messages.is_empty() && !beyond.more);
}

over_each!(presence_tells_who_is_here);

async fn presence_tells_who_is_here() {
    // Nobody hears a poll break: its user is gone after two heartbeats and five seconds.
    let server =
        Setup::default().set("broker.presence_linger_ms", 300).set("gateway.heartbeat_ms", 1_000).start().await;
    let enter = || v1::Subscribe { room: "room".into(), presence: true, ..Default::default() };
    let mut ann = User::connect(&server, "ann").await;
    let alone = ann.enter(enter()).await.presence.expect("a snapshot");
    assert_eq!((alone.count, alone.members[0].user.as_str()), (1, "ann"));
    let mut bob = User::connect(&server, "bob").await;
    let both = bob.enter(enter()).await.presence.expect("a snapshot");
    assert_eq!(both.count, 2);
    let mut version = alone.version;
    let mut next = async |user: &mut User| loop {
        if let Reply::PresenceDiff(diff) = user.push().await {
            assert_eq!(diff.version, version + 1, "diffs are numbered without holes");
            version = diff.version;
            let named: Vec<_> = diff.joined.iter().map(|member| member.user.clone()).collect();
            // Her own coming may be told with his or before.
            if !named.iter().all(|name| name == "ann") || !diff.left.is_empty() || named.is_empty() {
                return diff;
            }
        }
    };
    let came = next(&mut ann).await;
    assert!(came.joined.iter().any(|member| member.user == "bob" && member.name == "BOB"), "{came:?}");
    let update = v1::PresenceUpdate { room: "room".into(), state: Bytes::from_static(b"away") };
    bob.ask(update).await;
    assert_eq!(next(&mut ann).await.joined[0].state, "away");

    // A second device, then the first one breaks: no false goodbye. Then the second breaks too.
    let mut second = User::connect(&server, "bob").await;
    second.enter(enter()).await;
    drop(bob);
    ann.publish("room", "1", "still here?").await;
    let Reply::Presence(asked) = ann.ask(v1::Presence { room: "room".into(), users: vec!["bob".into()] }).await else {
        panic!("no presence")
    };
    assert_eq!((asked.count, asked.members.len()), (2, 1));
    drop(second);
    assert_eq!(next(&mut ann).await.left, ["bob"]);
    assert_eq!(ann.enter(enter()).await.presence.expect("a snapshot").count, 1);
}

over_each!(read_markers_and_unread);

async fn read_markers_and_unread() {
    let mut server = Server::start().await;
    let (mut ann, mut bob) = (User::connect(&server, "ann").await, User::connect(&server, "bob").await);
    for n in 1..=5 {
        ann.publish("room", &format!("{n}"), "text").await;
    }
    ann.subscribe("room").await;
    assert_eq!(bob.subscribe("room").await.unread, 5);
    let Reply::Read(marker) = bob.ask(v1::Read { room: "room".into(), offset: 3 }).await else { panic!("no marker") };
    assert_eq!((marker.offset, marker.ordinal, marker.user.as_str()), (3, 3, "bob"));
    let Reply::ReadMarker(told) = ann.push().await else { panic!("no push") };
    assert_eq!(told, marker);
    let Reply::Read(back) = bob.ask(v1::Read { room: "room".into(), offset: 1 }).await else { panic!("no marker") };
    assert_eq!(back.offset, 3, "a marker never moves back");
    server.kill().await;
    server.start_again().await;
    let entered = User::connect(&server, "bob").await.subscribe("room").await;
    assert_eq!((entered.read_offset, entered.unread), (3, 2));
}

over_each!(a_refreshed_token_changes_rights_on_the_live_connection);

async fn a_refreshed_token_changes_rights_on_the_live_connection() {
    let server = Server::start().await;
    let token = user::token(&server, "ann", "room*", "read publish create");
    let mut ann = User::connect_with(&server, token, Encoding::Msgpack, Vec::new()).await;
    ann.subscribe("room-1").await;
    let error = ann.refused(v1::Refresh { token: user::token(&server, "bob", "*", user::ALL) }).await;
    assert!(user::is(&error, ErrorCode::OtherUser), "{error:?}");
    let answer = ann.ask(v1::Refresh { token: user::token(&server, "ann", "room-1", "read") }).await;
    assert!(matches!(answer, Reply::Refreshed(_)), "{answer:?}");
    let error = ann.refused(publish("room-1", "1", "text")).await;
    assert!(user::is(&error, ErrorCode::NotAllowed), "{error:?}");
    ann.ask(v1::Refresh { token: user::token(&server, "ann", "other", "read") }).await;
    let changes: Vec<_> = ann.pushes().await;
    let allowed: Vec<_> = changes
        .iter()
        .filter_map(|push| match push {
            Reply::MembershipChanged(change) => Some((change.room.as_str(), change.allow.join(" "))),
            _ => None,
        })
        .collect();
    assert_eq!(allowed, [("room-1", "read".to_owned()), ("room-1", String::new())]);
    let mut bob = User::connect(&server, "bob").await;
    bob.publish("room-1", "1", "not for ann").await;
    assert!(ann.pushes().await.is_empty(), "the subscription has ended");
}

over_each!(commands_out_of_place);

async fn commands_out_of_place() {
    let server = Server::start().await;
    let mut ann = User::connect(&server, "ann").await;
    let error = ann.refused(v1::Connect::default()).await;
    assert!(user::is(&error, ErrorCode::AlreadyConnected), "{error:?}");
    let since = Some(v1::Position { epoch: 1, offset: 0 });
    ann.publish("room", "1", "text").await;
    let error = ann.refused(v1::Subscribe { room: "room".into(), since, last: 3, presence: false }).await;
    assert!(user::is(&error, ErrorCode::BadCommand), "{error:?}");
    let error = ann.refused(v1::Unsubscribe { room: "room".into() }).await;
    assert!(user::is(&error, ErrorCode::NotSubscribed), "{error:?}");
    let error = ann.refused(v1::Signal { room: "room".into(), ..Default::default() }).await;
    assert!(user::is(&error, ErrorCode::NotSubscribed), "{error:?}");
    let too_long = "x".repeat(65_537);
    let error = ann.refused(publish("room", "2", &too_long)).await;
    assert!(user::is(&error, ErrorCode::PayloadTooLarge), "{error:?}");
    assert_eq!(offset(&ann.publish("room", "2", &too_long[1..]).await), 2, "the limit itself is allowed");
    for id in ["", "with space", &"x".repeat(65)] {
        let error = ann.refused(publish("room", id, "text")).await;
        assert!(user::is(&error, ErrorCode::BadName), "{id:?} got {error:?}");
    }
    // Id zero is for those who want no answer.
    let silent = v1::ClientFrame::new(0, publish("room", "3", "text"));
    ann.send(ann.encoding().encode(&silent)).await;
    match ann.push().await {
        Reply::Error(error) => assert!(user::is(&error, ErrorCode::IdRequired), "{error:?}"),
        other => panic!("{other:?}"),
    }
    let mut many = Vec::new();
    for id in 1_000..1_129 {
        ann.encoding().encode_into(&v1::ClientFrame::new(id, v1::Ping {}), &mut many);
    }
    ann.send(many).await;
    match ann.push().await {
        Reply::Error(error) => assert!(user::is(&error, ErrorCode::TooManyFrames), "{error:?}"),
        other => panic!("{other:?}"),
    }
    assert!(matches!(ann.reply(1_127).await, Reply::Pong(_)), "those within the limit were answered");
}
