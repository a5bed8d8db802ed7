//! Who may do what to whose things: every route of the served description and every verb of the socket has a row, and each
//! row is tried by nobody, by a stranger, by a plain member, and by programs. Afterwards everything is as it was.
//!
//! A route without a row fails, and so does a row without a route.

use std::collections::BTreeSet;

use konvert_protocol::v1::server_frame::Body as Reply;
use konvert_protocol::v1::{self, client_frame::Body as Verb};
use konvert_protocol::{Encoding, ErrorCode};

use crate::api::Api;
use crate::dialogs::say;
use crate::link::By;
use crate::programs::program;
use crate::server::Server;
use crate::user::{User, speaking};
use crate::world::Who::{self, Administrator, AnyUser, Anybody, Key, Manager, Member, Own, Session, Steward};
use crate::world::{World, route, rows};

#[tokio::test]
async fn every_route_has_a_row_and_every_row_a_route() {
    let server = Server::start().await;
    let document = Api::new(&server).get("/api/openapi.json").await.ok();
    let mut routes = BTreeSet::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        routes.extend(item.as_object().expect("methods").keys().map(|method| route(method, path)));
    }
    let rows: BTreeSet<_> = rows().iter().map(|(_, method, path, _)| route(method, path)).collect();
    let without: Vec<_> = routes.difference(&rows).collect();
    let beyond: Vec<_> = rows.difference(&routes).collect();
    assert!(
        without.is_empty() && beyond.is_empty(),
        "routes without a row: {without:#?}\nrows without a route: {beyond:#?}"
    );
}

/// What somebody who may not must be told.
fn refused(who: Who, as_what: &str) -> Option<&'static [(u16, &'static str)]> {
    const UNAUTHORIZED: &[(u16, &str)] = &[(401, "unauthorized")];
    const HIDDEN: &[(u16, &str)] = &[(404, "not_found")];
    const FORBIDDEN: &[(u16, &str)] = &[(403, "forbidden")];
    const NOT_ALLOWED: &[(u16, &str)] = &[(403, "forbidden"), (403, "not_allowed")];
    const WRONG: &[(u16, &str)] = &[(401, "bad_token")];
    const ENDED: &[(u16, &str)] = &[(410, "session_ended")];
    Some(match (as_what, who) {
        (_, Anybody) => return None,
        (_, Session) => ENDED,
        ("nobody", _) => UNAUTHORIZED,
        ("user", AnyUser) | ("member", AnyUser | Member) => return None,
        ("user" | "member", Own) | ("user", Member | Manager) => HIDDEN,
        ("member", Manager) => NOT_ALLOWED,
        ("user" | "member", Administrator | Steward) => FORBIDDEN,
        ("user" | "member", Key(_)) => WRONG,
        ("key without scopes", Key("")) => return None,
        ("key without scopes", Key(_) | Steward) => FORBIDDEN,
        ("key without scopes", _) => WRONG,
        _ => unreachable!("{as_what}"),
    })
}

#[tokio::test]
async fn nobody_gets_at_what_is_not_theirs() {
    let mut world = World::new().await;
    // A key that may do one thing which no route needs alone.
    let bare = program(&world.server, &["dialogs"], "*").await;
    let before = world.hers().await;
    let nobody = Api::new(&world.server);
    let mut leaks = Vec::new();
    for (who, method, path, body) in rows() {
        let sides =
            [("nobody", &nobody), ("user", &world.stranger), ("key without scopes", &bare), ("member", &world.member)];
        for (as_what, api) in sides {
            let expected = refused(who, as_what);
            // What a member may do is done by members, which other tests see to; and it changes the dialog.
            if expected.is_none() && as_what == "member" {
                continue;
            }
            let got = world.ask(api, method, path, &body).await;
            let right = match expected {
                Some(expected) => {
                    expected.iter().any(|(status, name)| *status == got.0 && (method == "HEAD" || *name == got.1))
                }
                // Whoever may is not kept out; a bad request is another matter.
                None => got.0 < 500 && !(who == Anybody && got.1 == "unauthorized"),
            };
            if !right {
                leaks.push(format!("{method} {path} as {as_what}: {got:?}, not {expected:?}"));
            }
        }
        // Her session is still there, and hears from her in time to stay.
        world.live.pushes().await;
        let after = world.hers().await;
        if after != before {
            leaks.push(format!("{method} {path} changed what is not theirs:\n{before}\n{after}"));
            break;
        }
    }
    assert!(leaks.is_empty(), "{}", leaks.join("\n"));
    // Nobody spoke for it either.
    assert_eq!(world.live.refused(v1::Unsubscribe { room: world.dialog.clone() }).await.name, "not_subscribed");
}

/// Of each verb one that would get at A's dialog.
fn verbs(room: &str) -> Vec<Verb> {
    let room = || room.to_owned();
    vec![
        Verb::Subscribe(v1::Subscribe { room: room(), presence: true, ..Default::default() }),
        Verb::Unsubscribe(v1::Unsubscribe { room: room() }),
        Verb::Publish(v1::Publish { room: room(), message_id: "x".into(), payload: "x".into(), ..Default::default() }),
        Verb::Signal(v1::Signal { room: room(), payload: "x".into() }),
        Verb::History(v1::History { room: room(), ..Default::default() }),
        Verb::Presence(v1::Presence { room: room(), ..Default::default() }),
        Verb::PresenceUpdate(v1::PresenceUpdate { room: room(), ..Default::default() }),
        Verb::Read(v1::Read { room: room(), offset: 1 }),
    ]
}

/// What a verb is refused with to whoever may not know of the room. A new verb does not compile without a line here.
fn told(verb: &Verb) -> &'static [ErrorCode] {
    match verb {
        Verb::Subscribe(_) | Verb::Publish(_) | Verb::History(_) | Verb::Presence(_) | Verb::Read(_) => {
            &[ErrorCode::UnknownRoom]
        }
        // Of what one is subscribed to, which is nothing.
        Verb::Unsubscribe(_) | Verb::Signal(_) | Verb::PresenceUpdate(_) => {
            &[ErrorCode::UnknownRoom, ErrorCode::NotSubscribed]
        }
        // These name no room.
        Verb::Connect(_) | Verb::Refresh(_) | Verb::Ping(_) => &[],
    }
}

#[test]
fn every_verb_is_tried() {
    let schema = include_str!("../../protocol/konvert.proto");
    let frame = schema.split("message ClientFrame {").nth(1).and_then(|rest| rest.split("oneof body {").nth(1));
    let body = frame.and_then(|rest| rest.split('}').next()).expect("the verbs");
    let all: BTreeSet<_> = body.lines().filter_map(|line| line.split_whitespace().next()).collect();
    let tried = verbs("r").into_iter().map(|verb| format!("{verb:?}").split('(').next().expect("a name").to_owned());
    let tried: BTreeSet<_> = tried.chain(["Connect", "Refresh", "Ping"].map(str::to_owned)).collect();
    assert_eq!(all, tried.iter().map(String::as_str).collect());
}

#[tokio::test]
async fn no_verb_gets_at_a_dialog_of_others() {
    for by in [By::Socket(Encoding::Protobuf), By::Stream, By::Poll] {
        speaking(by, check_verbs()).await;
    }
}

async fn check_verbs() {
    let world = World::new().await;
    let mut stranger =
        User::connect_with(&world.server, world.stranger.token().to_owned(), Encoding::Protobuf, Vec::new()).await;
    let before = world.hers().await;
    for verb in verbs(&world.dialog).into_iter().chain(verbs("dialog-nowhere")) {
        let expected = told(&verb);
        match stranger.ask(verb.clone()).await {
            Reply::Error(error) => {
                assert!(expected.iter().any(|code| code.number() == error.code), "{verb:?}: {error:?}");
            }
            other => panic!("{verb:?} got {other:?}"),
        }
    }
    // Somebody else's token does not change who one is.
    let refresh = v1::Refresh { token: world.friend.token().to_owned() };
    match stranger.ask(refresh).await {
        Reply::Error(error) => assert_eq!(error.code, ErrorCode::OtherUser.number()),
        other => panic!("refresh got {other:?}"),
    }
    assert_eq!(world.hers().await, before);
    // Nothing of it is pushed to them either.
    say(&world.ann, &world.dialog, "still ours").await;
    assert!(stranger.pushes().await.is_empty());
}
