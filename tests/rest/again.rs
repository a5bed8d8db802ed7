//! Everything here once more, on PostgreSQL, and what happens while it is away. Early in the alphabet, because it takes
//! longest and what begins last is waited for alone.

use serde_json::json;

use crate::api::{Api, PASSWORD, until};
use crate::server::{Setup, postgres};
use crate::user::DEADLINE;

/// The tests of this program are run again by this one, with another directory under the servers.
#[test]
fn the_same_holds_on_postgres() {
    // Broken builds are for the tests' sake, not for the directory's.
    postgres::again(&["--skip", "would_be_seen"]);
}

#[tokio::test]
async fn an_outage_is_told_and_passes() {
    if !postgres::is_wanted() {
        return;
    }
    let mut cluster = postgres::Cluster::start();
    let server = Setup::default().set("directory.url", cluster.fresh_database()).start().await;
    let anna = Api::sign_up(&server, "anna").await;
    let health = || async { anna.get("/api/health").await };
    assert_eq!(health().await.ok()["status"], "ready");

    cluster.tell("stop");
    let sign_in = json!({"login": "anna", "password": PASSWORD});
    let refused = anna.post("/api/auth/sign-in", sign_in.clone()).await;
    assert!(refused.headers.contains_key("retry-after"));
    let problem = refused.refused(503, "unavailable");
    assert_eq!((&problem["temporary"], problem["retry_after_ms"].is_u64()), (&json!(true), true));
    anna.get("/api/auth/me").await.refused(503, "unavailable");
    anna.post("/api/dialogs", json!({"kind": "group", "title": "x"})).await.refused(503, "unavailable");
    until("health tells it", || async { health().await.status == 503 }).await;
    let told = health().await.body;
    assert_eq!(told["status"], "not_ready");
    assert!(told["reasons"][0].as_str().is_some_and(|text| text.starts_with("directory unavailable: ")), "{told}");
    // The process is well, and is not to be restarted for this.
    assert_eq!(anna.get("/api/health/live").await.ok()["status"], "live");

    cluster.tell("start");
    until("it is ready again", || async { health().await.status == 200 }).await;
    let dialog = anna.post("/api/dialogs", json!({"kind": "group", "title": "x"})).await.ok();
    assert_eq!(dialog["title"], "x");
    let again = tokio::time::timeout(DEADLINE, anna.post("/api/auth/sign-in", sign_in));
    again.await.expect("an answer").ok();
}
