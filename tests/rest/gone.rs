//! Who is out of a dialog hears nothing of it from then on and cannot come back, however they came out, by whatever they
//! are connected, and whatever goes on meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use konvert_protocol::v1::server_frame::Body as Push;
use konvert_protocol::{CloseCode, Encoding, v1};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::api::{Api, PASSWORD, until};
use crate::broken::broken_build;
use crate::dialogs::{group, say};
use crate::link::By;
use crate::server::Setup;
use crate::user::{User, publish};

/// A change of access must be seen within this.
const AT_ONCE: Duration = Duration::from_secs(1);
const ALL: [By; 3] = [By::Socket(Encoding::Protobuf), By::Stream, By::Poll];

/// How somebody comes out.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Out {
    Removed,
    Left,
    DialogDeleted,
    AccountDeleted,
}

/// Somebody who says one thing after the other for as long as they may.
struct Writer {
    /// How often they asked and were answered.
    asked: Arc<AtomicU32>,
    task: JoinHandle<()>,
}

impl Writer {
    fn begin(who: Api, dialog: String) -> Self {
        let asked = Arc::new(AtomicU32::new(0));
        let count = asked.clone();
        let task = tokio::spawn(async move {
            loop {
                who.post(&format!("/api/dialogs/{dialog}/messages"), json!({"text": "and on"})).await;
                count.fetch_add(1, Ordering::Relaxed);
            }
        });
        Self { asked, task }
    }

    /// Waits until they have asked so many times more.
    async fn goes_on(&self, times: u32) {
        let from = self.asked.load(Ordering::Relaxed);
        until("the writer goes on", || async { self.asked.load(Ordering::Relaxed) >= from + times }).await;
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Waits until the session is told that it may do nothing there any more.
async fn told(live: &mut User, dialog: &str) {
    let asked = Instant::now();
    let change = tokio::time::timeout(AT_ONCE, async {
        loop {
            match live.push().await {
                Push::MembershipChanged(change) if change.room == dialog => return change,
                _ => {}
            }
        }
    });
    let change = change.await.expect("the change is told at once");
    assert!(change.allow.is_empty() && asked.elapsed() < AT_ONCE, "{change:?}");
}

async fn check_gone(setup: Setup, by: By, out: Out) {
    let server = setup.start().await;
    let (ann, bob) = (Api::sign_up(&server, "ann").await, Api::sign_up(&server, "bob").await);
    let carl = Api::sign_up(&server, "carl").await;
    let dialog = group(&ann, "Talk", &[&bob, &carl]).await;
    let path = format!("/api/dialogs/{dialog}");
    let mut live = User::connect_by(&server, by, bob.token().to_owned(), Vec::new()).await;
    let position = live.subscribe(&dialog).await.position;
    say(&ann, &dialog, "welcome").await;
    assert_eq!(live.message().await.payload, "welcome");
    let mut other = User::connect_by(&server, ALL[0], carl.token().to_owned(), Vec::new()).await;
    other.subscribe(&dialog).await;

    // Messages are on their way all the time.
    let writer = Writer::begin(carl.clone(), dialog.clone());
    writer.goes_on(3).await;
    match out {
        Out::Removed => drop(ann.delete(&format!("{path}/members/{}", bob.user)).await.ok()),
        Out::Left => drop(bob.post(&format!("{path}/leave"), Value::Null).await.ok()),
        Out::DialogDeleted => drop(ann.delete(&path).await.ok()),
        Out::AccountDeleted => {
            bob.ask(Method::DELETE, "/api/auth/me", Some(json!({"password": PASSWORD}))).await.ok();
            let closed = tokio::time::timeout(AT_ONCE, live.closed()).await.expect("it closes at once");
            assert_eq!(closed, CloseCode::Revoked.number());
            bob.get(&path).await.refused(401, "revoked");
            return;
        }
    }
    told(&mut live, &dialog).await;
    writer.goes_on(3).await;
    if out != Out::DialogDeleted {
        other.ask(v1::Signal { room: dialog.clone(), payload: "typing".into() }).await;
        other.ask(v1::Read { room: dialog.clone(), offset: 1 }).await;
    }
    let heard = live.pushes().await;
    let is_of_it = |push: &Push| matches!(push, Push::Message(_) | Push::Signal(_) | Push::ReadMarker(_));
    assert!(!heard.iter().any(is_of_it), "{by:?} {out:?}: {heard:?}");

    let again = || v1::Subscribe { room: dialog.clone(), since: position, ..Default::default() };
    let refused = [
        live.refused(again()).await,
        live.refused(v1::History { room: dialog.clone(), ..Default::default() }).await,
        live.refused(publish(&dialog, "m", "let me in")).await,
        live.refused(v1::Read { room: dialog.clone(), offset: 1 }).await,
    ];
    assert!(refused.iter().all(|error| error.name == "unknown_room"), "{by:?} {out:?}: {refused:?}");
    // Nor by a new connection that goes on from where the old one was.
    let anew = User::connect_by(&server, by, bob.token().to_owned(), vec![again()]).await;
    let [room] = &anew.connected.rooms[..] else { panic!("{:?}", anew.connected) };
    let error = room.error.as_ref().expect("an error in place of the room");
    assert!(error.name == "unknown_room" && room.messages.is_empty(), "{by:?} {out:?}: {room:?}");
    bob.get(&format!("{path}/messages")).await.refused(404, "not_found");
}

async fn by_all(out: Out) {
    for by in ALL {
        check_gone(Setup::default(), by, out).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_removed_hears_nothing_more() {
    by_all(Out::Removed).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_leaves_hears_nothing_more() {
    by_all(Out::Left).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_hears_of_a_deleted_dialog() {
    by_all(Out::DialogDeleted).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_deletes_their_account_is_gone() {
    by_all(Out::AccountDeleted).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_removed_member_who_stays_would_be_seen() {
    for by in ALL {
        let setup = Setup::default().broken(&broken_build(), "keep_members");
        let check = tokio::spawn(check_gone(setup, by, Out::Removed));
        assert!(check.await.is_err(), "with the fault keep_members the check still passed by {by:?}");
    }
}
