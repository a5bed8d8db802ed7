//! Endpoints that are changed while they are told, and how long one is tried.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::api::{Api, until};
use crate::programs::anything;
use crate::receiver::{Receiver, Told};
use crate::webhooks::{room, say, settled, setup, taken};

/// None of several that are made at once is passed over by what happens afterwards.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn webhooks_made_at_once_are_all_told() {
    const AT_ONCE: usize = 16;
    let server = setup().set("service.key_requests_per_second", 10_000).start().await;
    let api = anything(&server).await;
    for round in 0..4 {
        let name = format!("r{round}");
        room(&api, &name).await;
        let receivers = join_all((0..AT_ONCE).map(|_| Receiver::start())).await;
        let ids = join_all(receivers.iter().map(|one| one.register(&api, &["message.published"], &name))).await;
        say(&api, &name, 0..1).await;
        for receiver in &receivers {
            receiver.until(|told| taken(told) == [1]).await;
        }
        let removed: Vec<_> = ids.iter().map(|id| format!("/api/admin/webhooks/{id}")).collect();
        join_all(removed.iter().map(|path| api.delete(path))).await;
    }
}

/// After a change is confirmed nothing more goes to where the endpoint was; what was under way does not count.
#[tokio::test]
async fn a_changed_endpoint_gets_nothing_more_at_the_old_place() {
    let server = setup().start().await;
    let (api, old) = (anything(&server).await, Receiver::start().await);
    room(&api, "r").await;
    let id = old.register(&api, &["message.published"], "*").await;
    let new = Receiver::start_for(&old).await;
    for (receiver, round, then) in [(&old, 0, json!({"url": new.url()})), (&new, 1, json!({"state": "paused"}))] {
        change(&api, &id, json!({"state": "paused"})).await;
        say(&api, "r", round * 10..(round + 1) * 10).await;
        waiting(&api, &id, 10).await;
        let (held, before) = (receiver.hold().await, receiver.told().len());
        change(&api, &id, json!({"state": "active"})).await;
        receiver.until(|told| told.len() == before + 1).await;
        change(&api, &id, then).await;
        drop(held);
        // All that were read together are marked together, so that one more would show.
        waiting(&api, &id, if round == 0 { 0 } else { 9 }).await;
    }
    assert_eq!((taken(&old.told()), taken(&new.told())), (vec![1], (2..=11).collect()));
    change(&api, &id, json!({"state": "active"})).await;
    settled(&api, &id).await;
}

async fn change(api: &Api, id: &str, change: Value) {
    api.patch(&format!("/api/admin/webhooks/{id}"), change).await.ok();
}

async fn waiting(api: &Api, id: &str, count: u64) {
    let path = format!("/api/admin/webhooks/{id}");
    until(&format!("{count} wait"), || async { api.get(&path).await.ok()["waiting_count"] == count }).await;
}

/// What waited behind a delivery that is given up is tried for as long as that one was.
#[tokio::test]
async fn each_delivery_has_the_whole_time() {
    let server = setup().set("webhooks.give_up_after_s", 1).start().await;
    let (api, receiver) = (anything(&server).await, Receiver::start().await);
    room(&api, "r").await;
    let id = receiver.register(&api, &["message.published"], "*").await;
    fn attempts(told: &[Told], offset: u64) -> usize {
        told.iter().filter(|told| told.body["data"]["offset"] == offset).count()
    }
    // The first is never taken. The second waits behind it for all of its time, and is taken when it comes again, which it
    // would not if that time had been its own.
    receiver.answer_by(|told, now| match now["data"]["offset"] == 2 && attempts(told, 2) > 0 {
        true => 200,
        false => 500,
    });
    say(&api, "r", 0..2).await;
    receiver.until(|told| attempts(told, 2) == 2).await;
    settled(&api, &id).await;
    let told = receiver.told();
    assert!(attempts(&told, 1) >= 2 && attempts(&told, 2) == 2, "{told:#?}");
    let page = api.get(&format!("/api/admin/webhooks/{id}/deliveries")).await.ok();
    let states: Vec<_> = page["items"].as_array().expect("items").iter().map(|item| item["state"].clone()).collect();
    assert_eq!(states, ["done", "dead"], "the newest first");
}
