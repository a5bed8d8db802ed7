//! Accounts from outside: signing up, in and out, staying signed in, and everything that must be refused.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use reqwest::Method;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::api::{Api, PASSWORD, until};
use crate::server::{Server, Setup};

fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

#[tokio::test]
async fn somebody_signs_up_in_and_out() {
    let server = Server::start().await;
    let anybody = Api::new(&server);
    let anna = Api::sign_up(&server, "Anna").await;
    let me = anna.get("/api/auth/me").await.ok();
    assert_eq!((&me["login"], &me["name"], &me["role"]), (&json!("anna"), &json!("ANNA"), &json!("user")));
    assert_eq!((me["id"].as_str(), me["origin"].as_str()), (Some(anna.user.as_str()), Some("account")));
    assert!(anna.user.starts_with("acc-") && anna.user.len() == 20, "{}", anna.user);

    let again = json!({"login": "ANNA", "password": PASSWORD, "name": "Another"});
    anybody.post("/api/auth/sign-up", again).await.refused(409, "login_taken");
    let answer =
        anybody.post("/api/auth/sign-in", json!({"login": "anna", "password": PASSWORD, "agent": "test"})).await;
    let second = anna.with_token(&text(&answer.ok()["access_token"]));
    let sessions = second.get("/api/auth/sessions").await.ok();
    assert_eq!(sessions.as_array().expect("a list").len(), 2, "{sessions}");
    let current = sessions.as_array().expect("a list").iter().find(|one| one["is_current"] == true);
    assert_eq!(current.expect("the current one")["agent"], "test");

    second.post("/api/auth/sign-out", json!(null)).await.ok();
    second.get("/api/auth/me").await.refused(401, "revoked");
    anna.get("/api/auth/me").await.ok();
    anybody.get("/api/auth/me").await.refused(401, "unauthorized");
}

#[tokio::test]
async fn of_racing_sign_ups_one_wins() {
    let server = Server::start().await;
    let anybody = Api::new(&server);
    let all: Vec<_> = (0..12)
        .map(|n| {
            let (anybody, login) = (anybody.clone(), if n % 2 == 0 { "anna" } else { "ANNA" });
            let body = json!({"login": login, "password": PASSWORD, "name": format!("Anna {n}")});
            tokio::spawn(async move { anybody.post("/api/auth/sign-up", body).await })
        })
        .collect();
    let mut won = 0;
    for one in all {
        let answer = one.await.expect("an answer");
        match answer.status.as_u16() {
            201 => won += 1,
            _ => drop(answer.refused(409, "login_taken")),
        }
    }
    assert_eq!(won, 1);
}

#[tokio::test]
async fn a_refresh_token_is_good_once() {
    let server = Server::start().await;
    let anna = Api::sign_up(&server, "anna").await;
    let refresh = |token: &str| {
        let (anna, body) = (anna.clone(), json!({"refresh_token": token}));
        async move { anna.post("/api/auth/refresh", body).await }
    };
    let first = anna.refresh_token.clone();
    // Racing ones, and one whose answer was lost, get the same new token.
    let racing = futures_util::future::join_all((0..8).map(|_| refresh(&first))).await;
    let second: Vec<_> = racing.into_iter().map(|answer| text(&answer.ok()["refresh_token"])).collect();
    assert!(second.iter().all(|token| *token == second[0] && *token != first), "{second:?}");
    let again = anna.signed_in(&refresh(&first).await.ok());
    assert_eq!(again.refresh_token, second[0]);
    again.get("/api/auth/me").await.ok();

    // Forged ones are none, and harm nobody.
    let (signed, code) = second[0].rsplit_once('.').expect("parts");
    let mut parts: Vec<_> = signed.split('.').collect();
    parts[2] = "3";
    for forged in [
        "",
        ".",
        "krt",
        "krt.dev-x.1.AAAA",
        signed,
        &format!("{}.{code}", parts.join(".")),
        &format!("{signed}."),
        again.token(),
    ] {
        refresh(forged).await.refused(401, "bad_token");
    }
    again.get("/api/auth/me").await.ok();

    // Two rotations ago: somebody else has it. The sign-in ends, for the newest token too.
    let third = text(&refresh(&second[0]).await.ok()["refresh_token"]);
    refresh(&first).await.refused(401, "token_reused");
    for token in [&first, &second[0], &third] {
        refresh(token).await.refused(401, "revoked");
    }
    again.get("/api/auth/me").await.refused(401, "revoked");
    // Other devices stay.
    anna.sign_in_again().await.get("/api/auth/me").await.ok();
}

#[tokio::test]
async fn sign_ins_survive_a_restart_and_revocations_too() {
    let mut server = Server::start().await;
    let anna = Api::sign_up(&server, "anna").await;
    let boris = Api::sign_up(&server, "boris").await;
    boris.post("/api/auth/sign-out", Value::Null).await.ok();
    server.kill().await;
    server.start_again().await;
    anna.get("/api/auth/me").await.ok();
    anna.post("/api/auth/refresh", json!({"refresh_token": anna.refresh_token})).await.ok();
    boris.get("/api/auth/me").await.refused(401, "revoked");
    boris.post("/api/auth/refresh", json!({"refresh_token": boris.refresh_token})).await.refused(401, "revoked");
}

#[tokio::test]
async fn passwords_cannot_be_tried_for_long() {
    let server = Server::start().await;
    let anna = Api::sign_up(&server, "anna").await;
    let try_one = |login: &str, password: &str| {
        let (anna, body) = (anna.clone(), json!({"login": login, "password": password}));
        async move { anna.post("/api/auth/sign-in", body).await }
    };
    let mut bodies = Vec::new();
    for (n, login) in ["anna", "nobody", "ANNA", "x' OR 1=1 --", "anna\0"].into_iter().cycle().take(10).enumerate() {
        let mut body = try_one(login, &format!("wrong-{n}")).await.refused(401, "wrong_credentials");
        body.as_object_mut().expect("an object").remove("instance");
        bodies.push(body);
    }
    assert!(bodies.windows(2).all(|pair| pair[0] == pair[1]), "nothing tells who is known: {bodies:?}");
    // From this address no more, also with the right password; whoever is in stays.
    let refused = try_one("anna", PASSWORD).await;
    assert!(refused.headers.contains_key("retry-after"));
    let problem = refused.refused(429, "rate_limited");
    assert!(problem["retry_after_ms"].as_u64().expect("a number") > 800_000, "{problem}");
    anna.get("/api/auth/me").await.ok();
}

#[tokio::test]
async fn somebody_unknown_takes_as_long_as_somebody_known() {
    let server = Server::start().await;
    let anna = Api::sign_up(&server, "anna").await;
    let mut spent_ns = [Vec::new(), Vec::new()];
    for n in 0..8 {
        let login = ["anna", "nobody"][n % 2];
        let before_ns = server.ran_ns("password-");
        anna.post("/api/auth/sign-in", json!({"login": login, "password": "wrong-wrong"}))
            .await
            .refused(401, "wrong_credentials");
        // By the time of the answer, so that an answer before the hash would show.
        spent_ns[n % 2].push(server.ran_ns("password-") - before_ns);
    }
    let least = spent_ns.map(|spent| spent.into_iter().min().expect("some"));
    let ratio = least[0] as f64 / least[1] as f64;
    // Without the hash it would be nothing.
    assert!((0.2..5.0).contains(&ratio), "{least:?}");
}

#[tokio::test]
async fn one_changes_oneself() {
    let server = Server::start().await;
    let anna = Api::sign_up(&server, "anna").await;
    let other = anna.sign_in_again().await;
    let unknown = json!({"name": "Nobody", "avatar": "ab".repeat(32)});
    anna.patch("/api/auth/me", unknown).await.refused(404, "not_found");
    let patch = json!({"name": " A\u{308}nne  K ", "about": "one\ntwo", "email": "anna@chat.example"});
    let me = anna.patch("/api/auth/me", patch).await.ok();
    assert_eq!((&me["name"], &me["about"]), (&json!("Änne K"), &json!("one\ntwo")));
    let me = anna.patch("/api/auth/me", json!({"avatar": null})).await.ok();
    assert_eq!((&me["avatar"], &me["email"]), (&Value::Null, &json!("anna@chat.example")), "what is absent stays");
    assert_eq!(other.get("/api/auth/me").await.ok(), me);

    let before = anna.get("/api/auth/me").await.ok();
    for bad in [
        json!({"name": ""}),
        json!({"name": null, "about": "x".repeat(1_001)}),
        json!({"name": "An\u{202e}na"}),
        json!({"name": "An\u{200b}na"}),
        json!({"name": "a".repeat(65)}),
        json!({"name": 7}),
        json!({"email": "not one"}),
        json!({"avatar": "AB".repeat(32)}),
        json!({"avatar": "../../etc/passwd"}),
        json!({"role": "administrator"}),
        json!({"about": "ok", "login": "root"}),
        json!("text"),
        json!([]),
    ] {
        let answer = anna.patch("/api/auth/me", bad.clone()).await;
        assert_eq!(answer.status, 400, "{bad}");
        answer.refused(400, "bad_request");
    }
    assert_eq!(anna.get("/api/auth/me").await.ok(), before, "nothing changed");

    let change = |old: &str, new: &str| json!({"old_password": old, "new_password": new});
    let new = "granite-69-lantern-oboe";
    anna.put("/api/auth/password", change("wrong", new)).await.refused(401, "wrong_credentials");
    anna.put("/api/auth/password", change(PASSWORD, "annaanna")).await.refused(422, "weak_password");
    other.get("/api/auth/me").await.ok();
    anna.put("/api/auth/password", change(PASSWORD, new)).await.ok();
    anna.get("/api/auth/me").await.ok();
    other.get("/api/auth/me").await.refused(401, "revoked");
    anna.post("/api/auth/sign-in", json!({"login": "anna", "password": new})).await.ok();
}

#[tokio::test]
async fn what_is_no_account_is_refused() {
    let server = Server::start().await;
    let anybody = Api::new(&server);
    let good = json!({"login": "anna", "password": PASSWORD, "name": "Anna"});
    let with = |key: &str, value: Value| {
        let mut body = good.clone();
        body[key] = value;
        body
    };
    for (body, status, name) in [
        (with("login", json!("an")), 400, "bad_request"),
        (with("login", json!("\u{430}nna")), 400, "bad_request"),
        (with("login", json!("a'; DROP TABLE users;--")), 400, "bad_request"),
        (with("login", json!(7)), 400, "bad_request"),
        (with("login", Value::Null), 400, "bad_request"),
        (with("name", json!("\u{202e}anna")), 400, "bad_request"),
        (with("name", json!("an\u{0}na")), 400, "bad_request"),
        (with("email", json!("anna@")), 400, "bad_request"),
        (with("password", json!("password1")), 422, "weak_password"),
        (with("password", json!("x".repeat(257))), 422, "weak_password"),
        (with("password", json!("annaanna")), 422, "weak_password"),
        (with("role", json!("administrator")), 400, "bad_request"),
        (json!({"login": "anna"}), 400, "bad_request"),
        (json!([good]), 400, "bad_request"),
    ] {
        let answer = anybody.post("/api/auth/sign-up", body.clone()).await;
        assert_eq!(answer.status, status, "{body}: {}", answer.body);
        answer.refused(status, name);
    }
    // Also for programs, who say it in another language; and nobody is told of what they did not ask.
    let weak = anybody.post("/api/auth/sign-up", with("password", json!("password1"))).await;
    let advice = weak.refused(422, "weak_password")["advice"].clone();
    assert_eq!(advice, json!(["common", "add_a_word_or_two"]));
    assert!(anybody.get("/api/auth/me").await.body.get("advice").is_none());
    for (kind, body, status, name) in [
        ("application/json", "{", 400, "bad_request"),
        ("application/json", "", 400, "bad_request"),
        ("application/json", "{\"login\": \"a\", \"login\": \"b\"}", 400, "bad_request"),
        ("text/plain", "{}", 415, "unsupported_type"),
        ("application/json", &"[".repeat(100_000), 400, "bad_request"),
        ("application/json", &"x".repeat(200 << 10), 413, "body_too_large"),
    ] {
        let request = anybody.request(Method::POST, "/api/auth/sign-in").header("content-type", kind);
        Api::answer(request.body(body.to_owned())).await.refused(status, name);
    }
    let root = Api::administrator(&server).await;
    let users = root.get("/api/admin/users").await.ok();
    assert_eq!(users["items"].as_array().expect("a list").len(), 1, "nobody was made: {users}");
    // Texts that databases and pages fear are texts.
    for (n, name) in
        ["Robert'); DROP TABLE users;--", "<script>alert(1)</script>", "\\ \" ' % _ $1 {{x}}"].iter().enumerate()
    {
        let body = json!({"login": format!("user-{n}"), "password": PASSWORD, "name": name});
        assert_eq!(anybody.post("/api/auth/sign-up", body).await.ok()["user"]["name"], *name);
    }
}

#[tokio::test]
async fn guests_come_from_pages_and_are_users() {
    let server = Server::start().await;
    let anybody = Api::new(&server);
    let ask = |origin: Option<String>, name: &str| {
        let request = anybody.request(Method::POST, "/api/auth/guest").json(&json!({"name": name}));
        Api::answer(match origin {
            Some(origin) => request.header("origin", origin),
            None => request,
        })
    };
    let page = Some(format!("http://{}", server.address()));
    ask(None, "Gast").await.refused(403, "guests_not_allowed");
    ask(Some("https://evil.example".into()), "Gast").await.refused(403, "guests_not_allowed");
    ask(page.clone(), " ").await.refused(400, "bad_request");
    let guest = ask(page, "Gast").await.ok();
    let api = anybody.with_token(&text(&guest["access_token"]));
    let me = api.get("/api/auth/me").await.ok();
    assert_eq!((&me["name"], &me["origin"], &me["role"]), (&json!("Gast"), &json!("guest"), &json!("user")));
    api.patch("/api/auth/me", json!({"name": "Other"})).await.refused(409, "not_possible");
    api.post("/api/auth/sign-out", Value::Null).await.refused(409, "not_possible");
    let closed = Setup::default().set("auth.guests", false).start().await;
    let request = Api::new(&closed).request(Method::POST, "/api/auth/guest").json(&json!({"name": "Gast"}));
    let answer = Api::answer(request.header("origin", format!("http://{}", closed.address()))).await;
    answer.refused(403, "guests_not_allowed");
}

#[tokio::test]
async fn a_flood_is_told_to_wait_and_others_are_not() {
    let server = Setup::default()
        .set("service.requests_burst", 20)
        .set("service.address_requests_burst", 20)
        .set("service.requests_per_second", 1)
        .set("service.address_requests_per_second", 1)
        .start()
        .await;
    let anna = Api::sign_up(&server, "anna").await;
    let boris = Api::sign_up(&server, "boris").await;
    let all = futures_util::future::join_all((0..40).map(|_| anna.get("/api/auth/me"))).await;
    let refused: Vec<_> = all.into_iter().filter(|answer| answer.status == 429).collect();
    assert!(refused.len() >= 15, "{}", refused.len());
    assert!(refused.iter().all(|answer| answer.headers.contains_key("retry-after")));
    refused[0].clone().refused(429, "rate_limited");
    boris.get("/api/auth/me").await.ok();
    // Tokens cannot be tried for ever either.
    let forged = anna.with_token("a.b.c");
    let all = futures_util::future::join_all((0..40).map(|_| forged.get("/api/auth/me"))).await;
    assert!(all.iter().any(|answer| answer.status == 401) && all.iter().any(|answer| answer.status == 429));
    boris.get("/api/auth/me").await.ok();
}

#[tokio::test]
async fn the_address_behind_a_trusted_proxy_counts() {
    let setup = Setup::default().set("server.trusted_proxies", "[\"127.0.0.0/8\"]");
    for (setup, want) in [(setup, "192.0.2.7"), (Setup::default(), "127.0.0.1")] {
        let server = setup.start().await;
        let anna = Api::sign_up(&server, "anna").await;
        let body = json!({"login": "anna", "password": PASSWORD});
        let request = anna.request(Method::POST, "/api/auth/sign-in").json(&body);
        Api::answer(request.header("x-forwarded-for", "6.6.6.6, 192.0.2.7, 127.0.0.9")).await.ok();
        let sessions = anna.get("/api/auth/sessions").await.ok();
        let other = sessions.as_array().expect("a list").iter().find(|one| one["is_current"] == false).expect("two");
        assert_eq!(other["address"], want);
    }
}

#[tokio::test]
async fn pages_of_named_origins_may_read() {
    let server = Setup::default().set("gateway.origins", "[\"https://app.example\"]").start().await;
    let anybody = Api::new(&server);
    for (origin, allowed) in
        [("https://app.example", true), ("https://app.example.evil.example", false), ("null", false)]
    {
        let preflight = anybody
            .request(Method::OPTIONS, "/api/auth/sign-in")
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "authorization,content-type");
        let asked = Api::answer(preflight).await;
        let plain = Api::answer(anybody.request(Method::GET, "/api/auth/me").header("origin", origin)).await;
        for answer in [&asked, &plain] {
            let told = answer.headers.get("access-control-allow-origin").map(|value| value.to_str().expect("a text"));
            assert_eq!(told, allowed.then_some(origin));
            assert!(answer.headers.get_all("vary").iter().any(|value| value == "origin"), "{:?}", answer.headers);
            assert!(!answer.headers.contains_key("access-control-allow-credentials"));
        }
        assert_eq!(asked.status, 204);
        assert_eq!(asked.headers.contains_key("access-control-allow-headers"), allowed);
        assert_eq!(plain.status, 401);
    }
}

#[tokio::test]
async fn a_flood_of_sign_ins_does_not_slow_others() {
    // From everywhere, so that nobody is told to wait before all who may wait for a hash do.
    let server = Setup::default().set("server.trusted_proxies", "[\"127.0.0.0/8\"]").start().await;
    let anna = Api::sign_up(&server, "anna").await;
    let refused = Arc::new(AtomicU32::new(0));
    let flood: Vec<_> = (0..300)
        .map(|n| {
            let body = json!({"login": format!("nobody-{n}"), "password": "wrong-wrong"});
            let request = anna.request(Method::POST, "/api/auth/sign-in").json(&body);
            let request = request.header("x-forwarded-for", format!("10.0.{}.{}", n / 250, n % 250 + 1));
            let refused = refused.clone();
            tokio::spawn(async move {
                let answer = Api::answer(request).await;
                match answer.status.as_u16() {
                    429 => drop((answer.refused(429, "rate_limited"), refused.fetch_add(1, Ordering::Relaxed))),
                    _ => drop(answer.refused(401, "wrong_credentials")),
                }
            })
        })
        .collect();
    until("no more may wait", || async { refused.load(Ordering::Relaxed) > 0 }).await;
    for _ in 0..20 {
        anna.get("/api/auth/me").await.ok();
    }
    // Whoever asks something else does not wait for all the hashes before: some are still to be made.
    assert!(flood.iter().any(|one| !one.is_finished()), "twenty requests took as long as all the hashes");
    // Nor need anybody else.
    flood.iter().for_each(JoinHandle::abort);
    for one in flood {
        assert!(one.await.err().is_none_or(|error| error.is_cancelled()), "neither refused nor told to wait");
    }
}
