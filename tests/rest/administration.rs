//! What administrators may, what others may not, and how the first of them comes to be.

use konvert_protocol::v1;
use serde_json::{Value, json};

use crate::api::{Api, PASSWORD};
use crate::dialogs::{id, say};
use crate::programs::program;
use crate::server::{Server, Setup};
use crate::user::{User, by};

/// The names of what was recorded, the newest first.
async fn actions(administrator: &Api) -> Vec<String> {
    let page = administrator.get("/api/admin/audit?limit=100").await.ok();
    let entries = page["items"].as_array().expect("a list");
    let text = page.to_string();
    assert!(!text.contains(PASSWORD) && !text.contains("$argon2") && !text.contains("krt."), "{text}");
    entries.iter().map(|entry| entry["action"].as_str().expect("a word").to_owned()).collect()
}

#[tokio::test]
async fn the_first_administrator_comes_by_a_code_that_works_once() {
    let mut server = Server::start().await;
    let anybody = Api::new(&server);
    let old_code = server.first_administrator().expect("a code").to_owned();
    let how = anybody.get(&format!("/api/auth/first-administrator?code={old_code}")).await;
    assert_eq!(how.status, 200);
    assert!(how.headers["content-type"].to_str().expect("text").starts_with("text/plain"));
    // A browser gets a form, with nothing inline, and a script that may run.
    for (path, accept, kind) in [
        ("/api/auth/first-administrator?code=x", "text/html,*/*;q=0.8", "text/html"),
        ("/api/auth/first-administrator/form.js", "*/*", "text/javascript"),
    ] {
        let asked = anybody.request(reqwest::Method::GET, path).header("accept", accept);
        let answer = asked.send().await.expect("an answer");
        assert_eq!(answer.status(), 200, "{path}");
        assert!(answer.headers()["content-type"].to_str().expect("text").starts_with(kind), "{path}");
        let text = answer.text().await.expect("a body");
        assert!(kind != "text/html" || text.contains("src=\"/api/auth/first-administrator/form.js\""), "{text}");
        for word in ["http://", "https://", "onclick=", "style=", "innerHTML", "<style", "<script>"] {
            assert!(!text.contains(word), "{path} contains {word}");
        }
    }
    let body = |code: &str, login: &str| json!({"code": code, "login": login, "password": PASSWORD, "name": "Root"});
    anybody.post("/api/auth/first-administrator", body("guess", "root")).await.refused(403, "forbidden");

    assert_eq!(server.terminate().await, Some(0));
    server.start_again().await;
    let anybody = Api::new(&server);
    let code = server.first_administrator().expect("another code").to_owned();
    assert_ne!(code, old_code);
    anybody.post("/api/auth/first-administrator", body(&old_code, "root")).await.refused(403, "forbidden");
    // All at once: one becomes it.
    let all = (0..8).map(|n| {
        let (anybody, body) = (anybody.clone(), body(&code, &format!("root-{n}")));
        tokio::spawn(async move { anybody.post("/api/auth/first-administrator", body).await })
    });
    let mut made = Vec::new();
    for one in all.collect::<Vec<_>>() {
        let answer = one.await.expect("an answer");
        match answer.status.as_u16() {
            201 => made.push(answer),
            _ => drop(answer.refused(403, "forbidden")),
        }
    }
    assert_eq!(made.len(), 1);
    let root = anybody.signed_in(&made[0].body);
    assert_eq!(root.get("/api/auth/me").await.ok()["role"], "administrator");
    assert!(actions(&root).await.contains(&"first_administrator".to_owned()));

    assert_eq!(server.terminate().await, Some(0));
    server.start_again().await;
    assert_eq!(server.first_administrator(), None, "there is one");
    // The old link says so, and leads people to the chat app.
    let anybody = Api::new(&server);
    let link = format!("/api/auth/first-administrator?code={code}");
    let told = anybody.request(reqwest::Method::GET, &link).send().await.expect("an answer");
    assert!(told.text().await.expect("a body").contains("no code holds any more"));
    let shown = anybody.request(reqwest::Method::GET, &link).header("accept", "text/html").send().await;
    assert_eq!(shown.expect("an answer").url().path(), "/");
}

/// As a browser does it: the page, what the page names as far as the page's own policy lets it in, and the form.
#[tokio::test]
async fn a_browser_becomes_the_first_administrator_once() {
    let server = Server::start().await;
    let anybody = Api::new(&server);
    let code = server.first_administrator().expect("a code");
    let get = async |path: &str, accept: &str| {
        let answer =
            anybody.request(reqwest::Method::GET, path).header("accept", accept).send().await.expect("an answer");
        assert_eq!(answer.status(), 200, "{path}");
        let header = |name: &str| answer.headers()[name].to_str().expect("text").to_owned();
        let (kind, policy, sniffing) =
            (header("content-type"), header("content-security-policy"), header("x-content-type-options"));
        assert_eq!(sniffing, "nosniff", "{path}");
        (kind, policy, answer.text().await.expect("a body"))
    };
    let (kind, policy, page) = get(&format!("/api/auth/first-administrator?code={code}"), "text/html").await;
    assert!(kind.starts_with("text/html"), "{kind}");
    for wanted in ["script-src", "style-src", "connect-src"] {
        let named = |name: &str| policy.split(';').map(str::trim).find(|directive| directive.starts_with(name));
        let sources = named(wanted).or_else(|| named("default-src")).expect("a policy");
        assert!(sources.contains("'self'") && !sources.contains("unsafe"), "{wanted} by {policy}");
    }
    for field in ["login", "name", "password"] {
        assert!(page.contains(&format!("<input name=\"{field}\"")), "{field}");
    }
    let after =
        |mark: &str| page.split(mark).nth(1).and_then(|rest| rest.split('"').next()).expect("a path").to_owned();
    let (script, style) = (after("<script src=\""), after("rel=\"stylesheet\" href=\""));
    let (kind, _, text) = get(&script, "*/*").await;
    assert!(kind.starts_with("text/javascript") && text.contains("/api/auth/first-administrator"), "{kind}");
    let (kind, _, _) = get(&style, "text/css").await;
    assert!(kind.starts_with("text/css"), "{kind}");

    let body = json!({"code": code, "login": "root", "password": PASSWORD, "name": "Root"});
    let post =
        |origin: &str| anybody.request(reqwest::Method::POST, "/api/auth/first-administrator").header("origin", origin);
    // What a page of somebody else's can send without asking is not taken, and when it asks it is not let.
    let foreign = post("https://evil.example").header("content-type", "text/plain").body(body.to_string());
    Api::answer(foreign).await.refused(415, "unsupported_type");
    let asks = anybody.request(reqwest::Method::OPTIONS, "/api/auth/first-administrator");
    let asks = asks.header("origin", "https://evil.example").header("access-control-request-method", "POST");
    assert!(!Api::answer(asks).await.headers.contains_key("access-control-allow-origin"));
    let own = format!("http://{}", server.address());
    let signed_in = Api::answer(post(&own).json(&body)).await.ok();
    assert_eq!(signed_in["user"]["role"], "administrator");
    Api::answer(post(&own).json(&body)).await.refused(403, "forbidden");
}

#[tokio::test]
async fn administrators_look_up_and_change_users() {
    let server = Server::start().await;
    let root = Api::administrator(&server).await;
    let anna = Api::sign_up(&server, "anna").await;
    let mut boris = Api::sign_up(&server, "boris").await;
    let user = |api: &Api| format!("/api/admin/users/{}", api.user);

    for (path, patch) in [
        ("/api/admin/users", None),
        ("/api/admin/audit", None),
        (&*user(&anna), Some(json!({"role": "administrator"}))),
    ] {
        let answer = match patch {
            None => anna.get(path).await,
            Some(patch) => anna.patch(path, patch).await,
        };
        answer.refused(403, "forbidden");
    }
    assert_eq!(anna.get("/api/auth/me").await.ok()["role"], "user");

    // In pages of one, newest first, each user once.
    let (mut seen, mut path) = (Vec::new(), "/api/admin/users?limit=1".to_owned());
    loop {
        let page = root.get(&path).await.ok();
        seen.extend(page["items"].as_array().expect("a list").iter().map(|user| user["login"].clone()));
        let Some(next) = page["next"].as_str() else { break };
        anna.get(&format!("/api/admin/users?cursor={next}")).await.refused(403, "forbidden");
        root.get(&format!("/api/admin/audit?cursor={next}")).await.refused(400, "bad_request");
        root.get(&format!("/api/admin/users?query=x&cursor={next}")).await.refused(400, "bad_request");
        path = format!("/api/admin/users?limit=1&cursor={next}");
    }
    assert_eq!(seen, ["boris", "anna", "root"]);
    for (query, want) in [("BOR", 1), ("o", 2), ("%25", 0), ("_", 0), (anna.user.as_str(), 1), ("'%20OR%201=1%20--", 0)]
    {
        let page = root.get(&format!("/api/admin/users?query={query}")).await.ok();
        assert_eq!(page["items"].as_array().expect("a list").len(), want, "{query}");
    }

    // Another password, and the old sign-ins have ended.
    root.put(&format!("{}/password", user(&boris)), json!({"password": "12345678"}))
        .await
        .refused(422, "weak_password");
    boris.get("/api/auth/me").await.ok();
    let new = "granite-69-lantern-oboe";
    root.put(&format!("{}/password", user(&boris)), json!({"password": new})).await.ok();
    boris.get("/api/auth/me").await.refused(401, "revoked");
    let old = json!({"login": "boris", "password": PASSWORD});
    boris.post("/api/auth/sign-in", old).await.refused(401, "wrong_credentials");
    let answer = boris.post("/api/auth/sign-in", json!({"login": "boris", "password": new})).await.ok();
    boris = boris.signed_in(&answer);

    // Blocked, and let in again.
    root.patch(&user(&boris), json!({"state": "blocked"})).await.ok();
    boris.get("/api/auth/me").await.refused(401, "revoked");
    boris.post("/api/auth/refresh", json!({"refresh_token": boris.refresh_token})).await.refused(401, "revoked");
    boris.post("/api/auth/sign-in", json!({"login": "boris", "password": new})).await.refused(401, "revoked");
    root.patch(&user(&boris), json!({"state": "active"})).await.ok();
    boris.get("/api/auth/me").await.ok();

    // The last administrator stays one who can come in.
    let me = user(&root);
    for patch in [json!({"role": "user"}), json!({"state": "blocked"})] {
        root.patch(&me, patch).await.refused(409, "not_possible");
    }
    let leave = json!({"password": PASSWORD});
    root.ask(reqwest::Method::DELETE, "/api/auth/me", Some(leave.clone())).await.refused(409, "not_possible");
    root.patch(&user(&anna), json!({"role": "administrator"})).await.ok();
    root.patch(&me, json!({"role": "operator"})).await.ok();
    root.get("/api/admin/users").await.refused(403, "forbidden");
    anna.get("/api/admin/users").await.ok();

    let actions = actions(&anna).await;
    for action in ["sign_up", "sign_in", "sign_in_failed", "password_reset", "blocked", "unblocked", "role_changed"] {
        assert!(actions.iter().any(|one| one == action), "{action} is not in {actions:?}");
    }
    for (body, name) in [
        (json!({"state": "deleted"}), "bad_request"),
        (json!({"role": "emperor"}), "bad_request"),
        (json!({"login": "x"}), "bad_request"),
        (json!([]), "bad_request"),
    ] {
        anna.patch(&me, body).await.refused(400, name);
    }
    for id in ["acc-nobody", "%00", "..%2f", "x'--"] {
        anna.get(&format!("/api/admin/users/{id}")).await.refused(404, "not_found");
        anna.patch(&format!("/api/admin/users/{id}"), json!({"role": "user"})).await.refused(404, "not_found");
    }
}

#[tokio::test]
async fn sign_up_can_be_closed() {
    let server = Setup::default().set("service.sign_up", "closed").start().await;
    let body = json!({"login": "anna", "password": PASSWORD, "name": "Anna"});
    Api::new(&server).post("/api/auth/sign-up", body).await.refused(403, "forbidden");
    let root = Api::administrator(&server).await;
    assert_eq!(root.get("/api/auth/me").await.ok()["role"], "administrator");

    // Administrators make accounts, and what is asked of an account is asked of these too.
    let new = |login: &str, role: &str| json!({"login": login, "password": PASSWORD, "name": "Made", "role": role});
    let made = root.post("/api/admin/users", json!({"login": "Anna", "password": PASSWORD, "name": "Anna"})).await;
    assert_eq!((made.status.as_u16(), &made.body["login"]), (201, &json!("anna")));
    let operator = root.post("/api/admin/users", new("boris", "operator")).await.ok();
    for (made, login, role) in [(&made.body, "anna", "user"), (&operator, "boris", "operator")] {
        let signed_in = root.post("/api/auth/sign-in", json!({"login": login, "password": PASSWORD})).await.ok();
        assert_eq!((&signed_in["user"], &made["role"]), (made, &json!(role)));
        root.signed_in(&signed_in).get("/api/admin/users").await.refused(403, "forbidden");
    }
    root.post("/api/admin/users", new("anna", "user")).await.refused(409, "login_taken");
    root.post("/api/admin/users", new("x", "user")).await.refused(400, "bad_request");
    root.post("/api/admin/users", new("clara", "emperor")).await.refused(400, "bad_request");
    let weak = json!({"login": "clara", "password": "12345678", "name": "Clara"});
    root.post("/api/admin/users", weak).await.refused(422, "weak_password");
    assert_eq!(actions(&root).await.iter().filter(|action| *action == "user_created").count(), 2);
}

/// How the senders of everything in a dialog are shown: over HTTP, to a program, in a page of history, and from a position.
async fn sender_names(server: &Server, who: &Api, dialog: &str) -> Vec<Vec<String>> {
    let names = |page: Value| -> Vec<String> {
        let messages = page["messages"].as_array().expect("messages");
        messages.iter().map(|message| message["sender_name"].as_str().unwrap_or_default().to_owned()).collect()
    };
    let by_user = names(who.get(&format!("/api/dialogs/{dialog}/messages?direction=forward")).await.ok());
    let key = program(server, &["history", "dialogs"], "*").await;
    let by_program = names(key.get(&format!("/api/server/history?room={dialog}")).await.ok());
    let mut live = User::connect_by(server, by(), who.token().to_owned(), Vec::new()).await;
    let page = live.history(dialog).await.into_iter().map(|message| message.sender_name).collect();
    let subscribed = live.enter(v1::Subscribe { room: dialog.into(), last: 100, ..Default::default() }).await;
    let resumed = subscribed.messages.into_iter().map(|message| message.sender_name).collect();
    vec![by_user, by_program, page, resumed]
}

#[tokio::test]
async fn a_deleted_account_leaves_an_id() {
    let mut server = Server::start().await;
    let root = Api::administrator(&server).await;
    let anna = Api::sign_up(&server, "anna").await;
    let boris = Api::sign_up(&server, "boris").await;
    anna.patch("/api/auth/me", json!({"email": "anna@chat.example", "about": "about anna"})).await.ok();
    let group = json!({"kind": "group", "title": "group", "members": [boris.user]});
    let dialog = id(&anna.post("/api/dialogs", group).await.ok());
    let members = format!("/api/dialogs/{dialog}/members");
    say(&boris, &dialog, "from boris").await;
    say(&anna, &dialog, "from anna").await;
    assert_eq!(sender_names(&server, &boris, &dialog).await, vec![vec!["BORIS", "ANNA"]; 4]);

    let wrong = json!({"password": "wrong"});
    anna.ask(reqwest::Method::DELETE, "/api/auth/me", Some(wrong)).await.refused(401, "wrong_credentials");
    anna.get("/api/auth/me").await.ok();
    let leave = json!({"password": PASSWORD});
    anna.ask(reqwest::Method::DELETE, "/api/auth/me", Some(leave)).await.ok();

    anna.get("/api/auth/me").await.refused(401, "revoked");
    anna.post("/api/auth/refresh", json!({"refresh_token": anna.refresh_token})).await.refused(401, "revoked");
    let left = root.get(&format!("/api/admin/users/{}", anna.user)).await.ok();
    let empty = json!({"id": anna.user, "login": Value::Null, "name": "", "email": Value::Null, "about": "",
        "avatar": Value::Null, "role": "user", "state": "deleted", "origin": "account", "created_ms": left["created_ms"]});
    assert_eq!(left, empty);
    let members = boris.get(&members).await.ok();
    let members = members["items"].as_array().expect("a list");
    assert_eq!(members.len(), 1, "{members:?}");
    assert_eq!(members[0]["role"], "owner", "whoever stays inherits: {members:?}");
    // Nobody is told the name any more, wherever messages are read, also not after a restart.
    for again in [false, true] {
        if again {
            assert_eq!(server.terminate().await, Some(0));
            server.start_again().await;
        }
        let names = sender_names(&server, &boris, &dialog).await;
        assert_eq!(names, vec![vec!["BORIS", ""]; 4], "after a restart: {again}");
        let newest = boris.get(&format!("/api/dialogs/{dialog}")).await.ok();
        assert_eq!(newest["last_message"]["sender"], json!(anna.user));
        assert_eq!(newest["last_message"]["sender_name"], "");
    }
    // The login is free again, and its new owner is somebody else.
    assert_ne!(Api::sign_up(&server, "anna").await.user, anna.user);
}
