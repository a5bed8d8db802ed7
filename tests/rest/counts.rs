//! What is unread and what mentions one is right after anything that happens, in any order, with kills in between.
//!
//! The recount knows what was done and what each thing means, and nothing of how the server counts.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, resume_unwind};

use futures_util::FutureExt as _;
use konvert_protocol::{Encoding, v1};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};
use serde_json::json;

use crate::api::{Api, PASSWORD, until};
use crate::dialogs::{direct, group};
use crate::link::By;
use crate::server::{Server, Setup, postgres};
use crate::user::User;

/// So many of the newest messages of a room are retained: more than are said between two kills, so that everything was
/// followed before it went.
const RETAINED: u64 = 30;
/// So many are there at a time.
const PEOPLE: usize = 4;

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
    /// Those in whose lists it is not until something is said in it.
    away: BTreeSet<usize>,
    said: Vec<Said>,
    markers: BTreeMap<usize, u64>,
}

impl Model {
    fn new(id: String, direct: bool, members: &[usize]) -> Self {
        let members = members.iter().copied().collect();
        Self { id, direct, members, away: BTreeSet::new(), said: Vec::new(), markers: BTreeMap::new() }
    }

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

    fn say(&mut self, said: Said) {
        self.said.push(said);
        self.away.clear();
    }

    /// The first message that is retained for certain.
    fn first(&self) -> u64 {
        (self.last() + 1).saturating_sub(RETAINED).max(1)
    }

    /// What of one's own messages one can still say something about.
    fn own(&self, user: usize) -> Vec<u64> {
        let retained = self.said.iter().zip(1..).skip(self.first() as usize - 1);
        let own = retained.filter(|(said, _)| said.sender == user && said.content && !said.erased);
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
    /// Everybody who ever was.
    people: Vec<Api>,
    /// Those of them who have not deleted their account.
    here: BTreeSet<usize>,
    sockets: BTreeMap<usize, User>,
    dialogs: Vec<Model>,
    random: StdRng,
    next_id: u32,
}

impl World {
    async fn new(seed: u64) -> Self {
        let setup = Setup::default().set("service.requests_per_second", 100_000).set("service.requests_burst", 100_000);
        let setup = setup.set("service.address_requests_burst", 100_000).set("journal.retention.count", RETAINED);
        let server = setup.start().await;
        let mut people = Vec::new();
        for n in 0..PEOPLE {
            people.push(Api::sign_up(&server, &format!("user{n}")).await);
        }
        let dialogs = vec![
            Model::new(group(&people[0], "First", &[&people[1], &people[2]]).await, false, &[0, 1, 2]),
            Model::new(group(&people[0], "Second", &[&people[3]]).await, false, &[0, 3]),
            Model::new(direct(&people[0], &people[1]).await, true, &[0, 1]),
        ];
        let (here, random) = ((0..PEOPLE).collect(), StdRng::seed_from_u64(seed));
        Self { server, people, here, sockets: BTreeMap::new(), dialogs, random, next_id: 0 }
    }

    async fn act(&mut self) {
        use v1::RelationKind::{RelationAppend, RelationEdit, RelationReaction, RelationReply};
        // Who is left alone in a direct dialog says nothing more in it.
        let alive = |model: &Model| !model.direct || model.members.len() == 2;
        let alive: Vec<_> = (0..self.dialogs.len()).filter(|dialog| alive(&self.dialogs[*dialog])).collect();
        let dialog = *alive.choose(&mut self.random).expect("groups stay");
        let members: Vec<usize> = self.dialogs[dialog].members.iter().copied().collect();
        let user = *members.choose(&mut self.random).expect("somebody is in it");
        let own = self.dialogs[dialog].own(user);
        let target = own.choose(&mut self.random).copied();
        match (self.random.random_range(0..50), target) {
            (0..20, _) => self.publish(dialog, user, None).await,
            (20..24, Some(target)) => self.publish(dialog, user, Some((RelationReply, target))).await,
            (24..28, Some(target)) => self.publish(dialog, user, Some((RelationEdit, target))).await,
            (28..30, Some(target)) => self.publish(dialog, user, Some((RelationReaction, target))).await,
            (30..33, Some(target)) => self.publish(dialog, user, Some((RelationAppend, target))).await,
            (33..35, Some(target)) => self.delete(dialog, user, target).await,
            (35..41, _) => self.read(dialog, user).await,
            (41..46, _) => self.come_or_go(dialog).await,
            (46..48, _) => self.put_away(dialog, user).await,
            (48, _) => self.delete_account().await,
            _ => {}
        }
    }

    async fn publish(&mut self, dialog: usize, user: usize, relation: Option<(v1::RelationKind, u64)>) {
        use v1::RelationKind::{RelationAppend, RelationEdit, RelationReaction, RelationReply};
        self.next_id += 1;
        let mentions: BTreeSet<usize> = (0..self.people.len()).filter(|_| self.random.random_bool(0.3)).collect();
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
                    RelationAppend => "append",
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
        model.say(Said { sender: user, counts: content, content, edits, mentions, erased: false });
        assert_eq!(offset, model.last());
    }

    async fn delete(&mut self, dialog: usize, user: usize, target: u64) {
        let model = &mut self.dialogs[dialog];
        self.people[user].delete(&format!("/api/dialogs/{}/messages/{target}", model.id)).await.ok();
        model.erase(target);
        let mentions = BTreeSet::new();
        model.say(Said { sender: user, counts: false, content: false, edits: None, mentions, erased: false });
    }

    async fn read(&mut self, dialog: usize, user: usize) {
        let model = &mut self.dialogs[dialog];
        let offset = self.random.random_range(model.first() - 1..model.last() + 2);
        model.read(user, offset);
        let room = model.id.clone();
        if self.random.random_bool(0.5) {
            self.people[user].put(&format!("/api/dialogs/{room}/read"), json!({"offset": offset})).await.ok();
        } else {
            let marker = self.socket(user).await.ask(v1::Read { room, offset }).await;
            assert!(matches!(marker, v1::server_frame::Body::Read(_)), "{marker:?}");
        }
    }

    /// Somebody joins, comes back, leaves, or is removed; the owner stays.
    async fn come_or_go(&mut self, dialog: usize) {
        let user = self.somebody();
        let by_owner = self.random.random_bool(0.5);
        let model = &mut self.dialogs[dialog];
        if model.direct {
            return;
        }
        let (path, id) = (format!("/api/dialogs/{}", model.id), self.people[user].user.clone());
        if model.members.insert(user) {
            if by_owner {
                self.people[0].post(&format!("{path}/members"), json!({"members": [id]})).await.ok();
            } else {
                let invite = self.people[0].post(&format!("{path}/invites"), json!({})).await.ok();
                let secret = invite["secret"].as_str().expect("a secret");
                self.people[user].post(&format!("/api/invites/{secret}/accept"), json!(null)).await.ok();
            }
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

    /// Anybody but who owns the groups.
    fn somebody(&mut self) -> usize {
        let others: Vec<_> = self.here.iter().copied().filter(|user| *user != 0).collect();
        *others.choose(&mut self.random).expect("others are there")
    }

    /// A group is archived or taken back; a direct dialog is left, until something is said in it.
    async fn put_away(&mut self, dialog: usize, user: usize) {
        let archived = self.random.random_bool(0.5);
        let model = &mut self.dialogs[dialog];
        let path = format!("/api/dialogs/{}", model.id);
        if model.direct {
            self.people[user].post(&format!("{path}/leave"), json!(null)).await.ok();
            model.away.insert(user);
        } else {
            self.people[user].patch(&format!("{path}/settings"), json!({"archived": archived})).await.ok();
        }
    }

    /// Somebody is gone for ever, and somebody else comes, with whom there is another direct dialog.
    async fn delete_account(&mut self) {
        let user = self.somebody();
        self.sockets.remove(&user);
        let proof = Some(json!({"password": PASSWORD}));
        self.people[user].ask(reqwest::Method::DELETE, "/api/auth/me", proof).await.ok();
        self.here.remove(&user);
        for model in &mut self.dialogs {
            model.members.remove(&user);
        }
        let next = self.people.len();
        self.people.push(Api::sign_up(&self.server, &format!("user{next}")).await);
        self.here.insert(next);
        self.dialogs.push(Model::new(direct(&self.people[0], &self.people[next]).await, true, &[0, next]));
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
        let of = self.dialogs.iter().filter(|model| model.members.contains(&user) && !model.away.contains(&user));
        of.map(|model| (model.id.as_str(), model.counts(user))).collect()
    }

    async fn check(&self) {
        for user in self.here.iter().copied() {
            let wanted = self.wanted(user);
            let counted = || async {
                let mut items = Vec::new();
                for archived in [false, true] {
                    let list = self.people[user].get(&format!("/api/dialogs?limit=100&archived={archived}")).await.ok();
                    items.extend(list["items"].as_array().expect("items").iter().cloned());
                }
                let counts = items.iter().map(|item| {
                    let count = |name: &str| item[name].as_u64().expect("a count");
                    (item["id"].as_str().expect("an id"), (count("unread"), count("mentions")))
                });
                let counts: BTreeMap<_, _> = counts.collect();
                // Unread messages are the journal's own: right at once. Mentions follow.
                for (dialog, (unread, _)) in &wanted {
                    assert_eq!(counts.get(dialog).map(|count| count.0), Some(*unread), "user{user} in {dialog}");
                }
                counts == wanted
            };
            until(&format!("user{user} sees {wanted:?}"), counted).await;
        }
    }

    /// Waits until what is not retained any more is gone.
    async fn trimmed(&self) {
        for model in self.dialogs.iter().filter(|model| model.members.contains(&0)) {
            let is_trimmed = || async {
                let view = self.people[0].get(&format!("/api/dialogs/{}", model.id)).await.ok();
                view["first_offset"] == model.first()
            };
            until(&format!("{} begins at {}", model.id, model.first()), is_trimmed).await;
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
    world.trimmed().await;
    world.check().await;
    assert!(world.dialogs.iter().any(|model| model.first() > 1), "nothing was trimmed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn counts_are_what_a_recount_gives() {
    let given = std::env::var("KONVERT_SEED").ok().map(|seed| seed.parse().expect("KONVERT_SEED is a number"));
    let seed = given.unwrap_or_else(rand::random);
    let outcome = AssertUnwindSafe(counts_hold(seed)).catch_unwind().await;
    let Err(panic) = outcome else { return };
    let database = if postgres::is_wanted() { "KONVERT_TEST_DATABASE=postgres " } else { "" };
    let again = "cargo test --release --test rest -- --exact counts::counts_are_what_a_recount_gives";
    match panic.downcast_ref::<String>() {
        Some(why) => panic!("{why}\nThe same once more: KONVERT_SEED={seed} {database}{again}"),
        None => resume_unwind(panic),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn counts_are_what_a_recount_gives_always() {
    counts_hold(7).await;
}
