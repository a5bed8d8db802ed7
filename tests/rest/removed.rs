//! What is said in a dialog goes with it, however it ends.

use konvert::directory::{Directory, DirectoryConfig};
use serde_json::json;

use crate::api::{Api, PASSWORD, until};
use crate::dialogs::{direct, group, say};
use crate::programs::anything;
use crate::server::{Server, postgres};

/// How many messages of a room a program still reads.
async fn left(program: &Api, room: &str) -> usize {
    let page = program.get(&format!("/api/server/history?room={room}")).await.ok();
    page["messages"].as_array().map_or(0, Vec::len)
}

#[tokio::test]
async fn messages_go_with_the_last_member() {
    let server = Server::start().await;
    let (ann, bob) = (Api::sign_up(&server, "ann").await, Api::sign_up(&server, "bob").await);
    let program = anything(&server).await;
    let (alone, both) = (group(&ann, "Alone", &[]).await, group(&ann, "Both", &[&bob]).await);
    let pair = direct(&ann, &bob).await;
    for dialog in [&alone, &both, &pair] {
        say(&ann, dialog, "remember").await;
    }
    ann.ask(reqwest::Method::DELETE, "/api/auth/me", Some(json!({"password": PASSWORD}))).await.ok();
    assert_eq!(left(&program, &alone).await, 0, "nobody is left to read it");
    assert_eq!((left(&program, &both).await, left(&program, &pair).await), (1, 1));
    bob.ask(reqwest::Method::DELETE, "/api/auth/me", Some(json!({"password": PASSWORD}))).await.ok();
    assert_eq!((left(&program, &both).await, left(&program, &pair).await), (0, 0));
}

#[tokio::test]
async fn a_removed_dialog_is_erased_after_a_crash_too() {
    if postgres::is_wanted() {
        // The rows are changed behind the server's back, in its file.
        return;
    }
    let mut server = Server::start().await;
    let ann = Api::sign_up(&server, "ann").await;
    let program = anything(&server).await;
    let (removed, kept) = (group(&ann, "Removed", &[]).await, group(&ann, "Kept", &[]).await);
    for dialog in [&removed, &kept] {
        say(&ann, dialog, "remember").await;
    }
    server.kill().await;
    // As far as it had come when it ended.
    let directory = Directory::open(&DirectoryConfig::default(), server.data()).await.expect("the directory");
    assert!(directory.remove_dialog(&removed, 1).await.expect("it is removed"));
    directory.close().await;
    server.start_again().await;
    until("erased", || async { left(&program, &removed).await == 0 }).await;
    assert_eq!(left(&program, &kept).await, 1);
}

#[tokio::test]
async fn a_repeated_delete_is_told_the_same() {
    let server = Server::start().await;
    let ann = Api::sign_up(&server, "ann").await;
    let dialog = group(&ann, "Ours", &[]).await;
    let said = say(&ann, &dialog, "oh no").await;
    let path = format!("/api/dialogs/{dialog}/messages/{said}");
    let first = ann.delete(&path).await.ok();
    // As after an answer that was lost.
    let again = ann.delete(&path).await.ok();
    assert_eq!((&again["position"], &again["duplicate"]), (&first["position"], &json!(true)));
}
