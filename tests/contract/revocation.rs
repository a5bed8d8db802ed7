//! Whoever is signed out, blocked or deleted is gone within a second: the live session closes, and requests are refused.

use std::time::{Duration, Instant};

use konvert_protocol::CloseCode;
use reqwest::Method;
use serde_json::{Value, json};

use crate::api::{Api, PASSWORD};
use crate::server::{Server, Setup};
use crate::user::{User, by};

/// The promise.
const WITHIN: Duration = Duration::from_secs(1);

/// What ends a sign-in. The second device of the same account does it, or an administrator.
const ACTS: [&str; 9] = [
    "sign-out",
    "sign-out everywhere",
    "session revoked",
    "password changed",
    "refresh token reused",
    "blocked",
    "sessions ended by an administrator",
    "password reset by an administrator",
    "account deleted",
];

/// 8. Revocation takes effect on live sessions within a second.
pub async fn check_revocation(setup: Setup) -> Result<(), String> {
    let server = setup.start().await;
    let administrator = Api::administrator(&server).await;
    for (index, act) in ACTS.into_iter().enumerate() {
        let victim = Api::sign_up(&server, &format!("victim-{index}")).await;
        let mut live = User::connect_by(&server, by(), victim.token().to_owned(), Vec::new()).await;
        live.subscribe("lobby").await;
        revoke(act, &victim, &administrator).await;
        // From the answer on: before it a slow hash may have been worked on.
        let began = Instant::now();
        let left = WITHIN.saturating_sub(began.elapsed());
        match tokio::time::timeout(left, live.closed()).await {
            Ok(code) if code == CloseCode::Revoked.number() => {}
            Ok(code) => return Err(format!("{act}: closed with {code}")),
            Err(_) => return Err(format!("{act}: still there after {WITHIN:?}")),
        }
        let answer = victim.get("/api/auth/me").await;
        if answer.body["name"] != "revoked" || began.elapsed() > WITHIN {
            return Err(format!("{act}: after {:?} a request got {} {}", began.elapsed(), answer.status, answer.body));
        }
        println!("{act}: gone after {:?}", began.elapsed());
    }
    untouched(&server).await
}

/// Does it, and waits for the answer.
async fn revoke(act: &str, victim: &Api, administrator: &Api) {
    let user = format!("/api/admin/users/{}", victim.user);
    let answer = match act {
        "sign-out" => victim.post("/api/auth/sign-out", Value::Null).await,
        "blocked" => administrator.patch(&user, json!({"state": "blocked"})).await,
        "sessions ended by an administrator" => administrator.delete(&format!("{user}/sessions")).await,
        "password reset by an administrator" => {
            administrator.put(&format!("{user}/password"), json!({"password": "granite-69-lantern-oboe"})).await
        }
        "account deleted" => victim.ask(Method::DELETE, "/api/auth/me", Some(json!({"password": PASSWORD}))).await,
        "refresh token reused" => {
            let first = victim.refresh_token.clone();
            let mut last = first.clone();
            // One after the other: the answer to the one before the last may still be repeated, not that before it.
            for _ in 0..2 {
                let answer = victim.post("/api/auth/refresh", json!({"refresh_token": last})).await.ok();
                last = answer["refresh_token"].as_str().expect("a token").to_owned();
            }
            victim.post("/api/auth/refresh", json!({"refresh_token": first})).await.refused(401, "token_reused");
            return;
        }
        other => {
            let second = victim.sign_in_again().await;
            match other {
                "sign-out everywhere" => second.post("/api/auth/sign-out-everywhere", Value::Null).await,
                "session revoked" => {
                    let sessions = second.get("/api/auth/sessions").await.ok();
                    let first = sessions.as_array().expect("a list").iter().find(|one| one["is_current"] == false);
                    let id = first.expect("the first device")["id"].as_str().expect("an id").to_owned();
                    second.delete(&format!("/api/auth/sessions/{id}")).await
                }
                _ => {
                    let change = json!({"old_password": PASSWORD, "new_password": "granite-69-lantern-oboe"});
                    second.put("/api/auth/password", change).await
                }
            }
        }
    };
    answer.ok();
}

/// Somebody whom nothing of this concerns stays.
async fn untouched(server: &Server) -> Result<(), String> {
    let anna = Api::sign_up(server, "anna").await;
    let boris = Api::sign_up(server, "boris").await;
    let mut live = User::connect_by(server, by(), anna.token().to_owned(), Vec::new()).await;
    boris.post("/api/auth/sign-out-everywhere", Value::Null).await.ok();
    live.pushes().await;
    anna.get("/api/auth/me").await.ok();
    Ok(())
}
