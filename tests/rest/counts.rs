//! What is unread and what mentions one is right after anything that happens, in any order, with kills in between.

use std::collections::{BTreeMap, BTreeSet};

use konvert_protocol::{Encoding, v1};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};
use serde_json::{Value, json};

use crate::api::{Api, until};
use crate::dialogs::{direct, group};
use crate::link::By;
use crate::server::{Server, Setup};
use crate::user::User;

/// A message as it should be.
#[derive(Debug)]
struct Said {
    sender: usize,
    /// Not a remark on another one, and not of the kind that never counts.
    counts: bool,
    content: bool,
    /// The target of an edit.
    edits: Option<u64>,
    mentions: BTreeSet<usize>,
    erased: bool,
}

/// A dialog as it should be.
#[derive(Debug)]
struct Model {
    id: String,
    direct: bool,
    members: BTreeSet<usize>,
    said: Vec<Said>,
    markers: BTreeMap<usize, u64>,
}

impl Model {
    fn last(&self) -> u64 {
        self.said.len() as u64
    }

    fn read(&mut self, user: usize, offset: u64) {
        let last = self.last();
        let marker = self.markers.entry(user).or_default();
        *marker = offset.min(last).max(*marker);
    }

    /// What is unread, and what of it mentions the user: counted anew.
    fn counts(&self, user: usize) -> (u64, u64) {
        let marker = self.markers.get(&user).copied().unwrap_or_default() as usize;
        let behind = || self.said.iter().skip(marker);
        let unread = behind().filter(|said| said.counts).count();
        let is_mention =
            |said: &&Said| said.content && !said.erased && said.sender != user && said.mentions.contains(&user);
        (unread as u64, behind().filter(is_mention).count() as u64)
    }

    fn own(&self, user: usize) -> Vec<u64> {
        let own = self.said.iter().zip(1..).filter(|(said, _)| said.sender == user && said.content && !said.erased);
        own.map(|(_, offset)| offset).collect()
    }

    fn erase(&mut self, target: u64) {
        for (said, offset) in self.said.iter_mut().zip(1..) {
            if offset == target || said.edits == Some(target) {
                said.erased = true;
            }
        }
    }
}

struct World {
    server: Server,
    people: Vec<Api>,
    sockets: BTreeMap<usize, User>,
    dialogs: Vec<Model>,
    random: StdRng,
    next_id: u32,
}

impl World {
    async fn new(seed: u64) -> Self {
        let setup = Setup::default().set("service.requests_per_second", 100_000).set("service.requests_burst", 100_000);
        let server = setup.start().await;
        let mut people = Vec::new();
        for n in 0..4 {
            people.push(Api::sign_up(&server, &format!("user{n}")).await);
        }
        let model = |id, direct, members: &[usize]| Model {
            id,
            direct,
            members: members.iter().copied().collect(),
            said: Vec::new(),
            markers: BTreeMap::new(),
        };
        let dialogs = vec![
            model(group(&people[0], "First", &[&people[1], &people[2]]).await, false, &[0, 1, 2]),
            model(group(&people[0], "Second", &[&people[3]]).await, false, &[0, 3]),
            model(direct(&people[0], &people[1]).await, true, &[0, 1]),
        ];
        let random = StdRng::seed_from_u64(seed);
        Self { server, people, sockets: BTreeMap::new(), dialogs, random, next_id: 0 }
    }

    async fn act(&mut self) {
        let dialog = self.random.random_range(0..self.dialogs.len());
        let members: Vec<usize> = self.dialogs[dialog].members.iter().copied().collect();
        let user = *members.choose(&mut self.random).expect("somebody is in it");
        let own = self.dialogs[dialog].own(user);
        let target = own.choose(&mut self.random).copied();
        match (self.random.random_range(0..20), target) {
            (0..8, _) => self.publish(dialog, user, None).await,
            (8..10, Some(target)) => self.publish(dialog, user, Some((v1::RelationKind::RelationReply, target))).await,
            (10..12, Some(target)) => self.publish(dialog, user, Some((v1::RelationKind::RelationEdit, target))).await,
            (12, Some(target)) => self.publish(dialog, user, Some((v1::RelationKind::RelationReaction, target))).await,
            (13, Some(target)) => self.delete(dialog, user, target).await,
            (14..17, _) => self.read(dialog, user).await,
            (17..19, _) => self.come_or_go(dialog).await,
            _ => {}
        }
    }

    async fn publish(&mut self, dialog: usize, user: usize, relation: Option<(v1::RelationKind, u64)>) {
        use v1::RelationKind::{RelationEdit, RelationReaction, RelationReply};
        self.next_id += 1;
        let mentions: BTreeSet<usize> = (0..4).filter(|_| self.random.random_bool(0.3)).collect();
        let is_service = relation.is_none() && self.random.random_bool(0.1);
        let ids: Vec<_> = mentions.iter().map(|mention| self.people[*mention].user.clone()).collect();
        let (room, message_id) = (self.dialogs[dialog].id.clone(), format!("m{}", self.next_id));
        let offset = if self.random.random_bool(0.5) {
            let kind = if is_service { "service" } else { "message" };
            let mut body = json!({"text": "x", "message_id": message_id, "mentions": ids, "kind": kind});
            if let Some((kind, offset)) = relation {
                let kind = match kind {
                    RelationEdit => "edit",
                    RelationReaction => "reaction",
                    _ => "reply",
                };
                body["relation"] = json!({"kind": kind, "offset": offset});
            }
            let answer = self.people[user].post(&format!("/api/dialogs/{room}/messages"), body).await.ok();
            answer["position"]["offset"].as_u64().expect("an offset")
        } else {
            let publish = v1::Publish {
                room,
                message_id,
                payload: "x".into(),
                kind: if is_service { v1::Kind::Service } else { v1::Kind::Message }.into(),
                relation: relation.map(|(kind, offset)| v1::Relation { kind: kind.into(), offset }),
                mentions: ids,
                ..Default::default()
            };
            match self.socket(user).await.ask(publish).await {
                v1::server_frame::Body::Published(published) => crate::user::offset(&published),
                other => panic!("publish got {other:?}"),
            }
        };
        let content = !is_service && relation.is_none_or(|(kind, _)| kind == RelationReply);
        let edits = relation.filter(|(kind, _)| *kind == RelationEdit).map(|(_, target)| target);
        let model = &mut self.dialogs[dialog];
        model.said.push(Said { sender: user, counts: content, content, edits, mentions, erased: false });
        assert_eq!(offset, model.last());
    }

    async fn delete(&mut self, dialog: usize, user: usize, target: u64) {
        let model = &mut self.dialogs[dialog];
        self.people[user].delete(&format!("/api/dialogs/{}/messages/{target}", model.id)).await.ok();
        model.erase(target);
        let mentions = BTreeSet::new();
        model.said.push(Said { sender: user, counts: false, content: false, edits: None, mentions, erased: false });
    }

    async fn read(&mut self, dialog: usize, user: usize) {
        let model = &mut self.dialogs[dialog];
        let offset = self.random.random_range(0..model.last() + 2);
        model.read(user, offset);
        let room = model.id.clone();
        if self.random.random_bool(0.5) {
            self.people[user].put(&format!("/api/dialogs/{room}/read"), json!({"offset": offset})).await.ok();
        } else {
            let marker = self.socket(user).await.ask(v1::Read { room, offset }).await;
            assert!(matches!(marker, v1::server_frame::Body::Read(_)), "{marker:?}");
        }
    }

    /// Somebody joins, leaves, or is removed; the owner stays.
    async fn come_or_go(&mut self, dialog: usize) {
        let user = self.random.random_range(1..4);
        let by_owner = self.random.random_bool(0.5);
        let model = &mut self.dialogs[dialog];
        if model.direct {
            return;
        }
        let (path, id) = (format!("/api/dialogs/{}", model.id), self.people[user].user.clone());
        if model.members.insert(user) {
            self.people[0].post(&format!("{path}/members"), json!({"members": [id]})).await.ok();
            // What was said before is not unread for who comes.
            model.read(user, u64::MAX);
            return;
        }
        model.members.remove(&user);
        match by_owner {
            true => self.people[0].delete(&format!("{path}/members/{id}")).await.ok(),
            false => self.people[user].post(&format!("{path}/leave"), json!(null)).await.ok(),
        };
    }

    async fn socket(&mut self, user: usize) -> &mut User {
        if !self.sockets.contains_key(&user) {
            let token = self.people[user].token().to_owned();
            let socket = User::connect_by(&self.server, By::Socket(Encoding::Msgpack), token, Vec::new()).await;
            self.sockets.insert(user, socket);
        }
        self.sockets.get_mut(&user).expect("it is there")
    }

    async fn kill(&mut self) {
        self.sockets.clear();
        self.server.kill().await;
        self.server.start_again().await;
    }

    /// What each user should see: by dialog, what is unread and what mentions them.
    fn wanted(&self, user: usize) -> BTreeMap<&str, (u64, u64)> {
        let of = self.dialogs.iter().filter(|model| model.members.contains(&user));
        of.map(|model| (model.id.as_str(), model.counts(user))).collect()
    }

    async fn check(&self) {
        for (user, api) in self.people.iter().enumerate() {
            let (wanted, last) = (self.wanted(user), std::cell::RefCell::new(Value::Null));
            let counted = || async {
                let list = api.get("/api/dialogs").await.ok();
                let items = list["items"].as_array().expect("items").iter();
                let counts = items.map(|item| {
                    let count = |name: &str| item[name].as_u64().expect("a count");
                    (item["id"].as_str().expect("an id"), (count("unread"), count("mentions")))
                });
                let counts: BTreeMap<_, _> = counts.collect();
                // Unread messages are the journal's own: right at once. Mentions follow.
                for (dialog, (unread, _)) in &wanted {
                    assert_eq!(counts.get(dialog).map(|count| count.0), Some(*unread), "user{user} in {dialog}");
                }
                let is_right = counts == wanted;
                last.replace(list);
                is_right
            };
            until(&format!("user{user} sees {wanted:?}"), counted).await;
        }
    }
}

async fn counts_hold(seed: u64) {
    let mut world = World::new(seed).await;
    for round in 0..12 {
        for _ in 0..25 {
            world.act().await;
        }
        // Every second time before the follower can have seen what was done last.
        if round % 2 == 0 {
            world.kill().await;
        }
        world.check().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn counts_are_what_a_recount_gives() {
    let seed = rand::random();
    println!("seed {seed}");
    counts_hold(seed).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn counts_are_what_a_recount_gives_always() {
    counts_hold(7).await;
}
