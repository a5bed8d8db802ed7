//! What programs outside are told of who comes into a dialog, leaves it, or has another role there.

use std::collections::HashSet;

use serde_json::{Value, json};

use crate::api::Api;
use crate::dialogs::{direct, group, say};
use crate::programs::anything;
use crate::receiver::{Receiver, Told};
use crate::server::Server;
use crate::webhooks::setup;

/// Who became what, in the order in which it was told; of one dialog. What a killed server told it may tell again, under
/// the same id.
fn changes(told: &[Told], dialog: &str) -> Vec<(String, Value)> {
    let mut ids = HashSet::new();
    let told = told.iter().filter(|told| ids.insert(&told.id));
    let data = told.filter(|told| told.body["type"] == "member.changed").map(|told| &told.body["data"]);
    let of_dialog = data.filter(|data| data["dialog"] == dialog);
    of_dialog.map(|data| (data["user"].as_str().expect("a user").to_owned(), data["role"].clone())).collect()
}

async fn people(server: &Server) -> [Api; 3] {
    [Api::sign_up(server, "ann").await, Api::sign_up(server, "bob").await, Api::sign_up(server, "carl").await]
}

#[tokio::test]
async fn every_change_of_a_member_is_told() {
    let server = setup().start().await;
    let (api, receiver) = (anything(&server).await, Receiver::start().await);
    receiver.register(&api, &["member.changed"], "*").await;
    let [ann, bob, carl] = people(&server).await;
    let dialog = group(&ann, "Talk", &[&bob]).await;
    let members = format!("/api/dialogs/{dialog}/members");
    let of = |who: &Api| format!("{members}/{}", who.user);

    ann.post(&members, json!({"members": [carl.user], "role": "reader"})).await.ok();
    ann.patch(&of(&bob), json!({"role": "admin"})).await.ok();
    // What changes nothing is told to nobody.
    ann.patch(&of(&bob), json!({"role": "admin"})).await.ok();
    ann.post(&members, json!({"members": [carl.user]})).await.ok();
    bob.patch(&of(&ann), json!({"role": "member"})).await.refused(403, "forbidden");
    carl.post(&format!("/api/dialogs/{dialog}/leave"), json!(null)).await.ok();
    ann.delete(&of(&bob)).await.ok();
    let invite = ann.post(&format!("/api/dialogs/{dialog}/invites"), json!({"role": "admin"})).await.ok();
    let accept = format!("/api/invites/{}/accept", invite["secret"].as_str().expect("a secret"));
    bob.post(&accept, json!(null)).await.ok();
    bob.post(&accept, json!(null)).await.ok();
    let wanted = [
        (&ann, json!("owner")),
        (&bob, json!("member")),
        (&carl, json!("reader")),
        (&bob, json!("admin")),
        (&carl, json!(null)),
        (&bob, json!(null)),
        (&bob, json!("admin")),
    ];
    let mut wanted: Vec<_> = wanted.into_iter().map(|(who, role)| (who.user.clone(), role)).collect();
    let told = receiver.until(|told| changes(told, &dialog).len() >= wanted.len()).await;
    assert_eq!(changes(&told, &dialog), wanted);
    assert!(told.iter().all(|told| told.body["time_ms"].is_u64()));

    // The end of the dialog is that of everybody's membership.
    ann.delete(&format!("/api/dialogs/{dialog}")).await.ok();
    let pair = direct(&ann, &carl).await;
    let told = receiver.until(|told| changes(told, &pair).len() == 2).await;
    let mut last = changes(&told, &dialog).split_off(wanted.len());
    last.sort_by(|one, other| one.0.cmp(&other.0));
    wanted = [&ann, &bob].map(|who| (who.user.clone(), Value::Null)).into();
    wanted.sort_by(|one, other| one.0.cmp(&other.0));
    assert_eq!(last, wanted);
    assert!(changes(&told, &pair).iter().all(|(_, role)| role == "member"));
}

/// A journal that takes nothing more keeps nobody from coming, and nobody from hearing of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_comes_although_the_journal_refuses() {
    let mut server = setup().start().await;
    let (api, receiver) = (anything(&server).await, Receiver::start().await);
    receiver.register(&api, &["member.changed"], "*").await;
    let [ann, bob, carl] = people(&server).await;
    let dialog = group(&ann, "Talk", &[]).await;
    say(&ann, &dialog, "before").await;
    let invite = ann.post(&format!("/api/dialogs/{dialog}/invites"), json!({})).await.ok();

    // More than any disk has: nothing is written to the journal any more.
    server.kill().await;
    server.set("journal.free_bytes_min", 1_u64 << 40);
    server.start_again().await;
    let path = format!("/api/dialogs/{dialog}");
    ann.post(&format!("{path}/messages"), json!({"text": "refused"})).await.refused(503, "read_only");
    ann.post(&format!("{path}/members"), json!({"members": [bob.user]})).await.ok();
    let accept = format!("/api/invites/{}/accept", invite["secret"].as_str().expect("a secret"));
    carl.post(&accept, json!(null)).await.ok();
    let told = receiver.until(|told| changes(told, &dialog).len() >= 3).await;
    let wanted = [&bob, &carl].map(|who| (who.user.clone(), json!("member")));
    assert_eq!(changes(&told, &dialog)[1..], wanted);
    for who in [&bob, &carl] {
        assert_eq!(who.get("/api/dialogs").await.ok()["items"][0]["id"], dialog);
    }
}
